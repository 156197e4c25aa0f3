"""What comes back, however it comes: reports, what they change, and what of them is kept."""

from tidings.delivery.feedback._erase import erase_feedback
from tidings.delivery.feedback._feedback import apply_feedback
from tidings.delivery.feedback._receipts import gather_receipts
from tidings.delivery.feedback._report import Feedback, FeedbackCounts, clean, storable
from tidings.delivery.feedback._store import ensure_feedback_partitions, keep, latest_feedback, tidy_feedback

__all__ = [
    "Feedback",
    "FeedbackCounts",
    "apply_feedback",
    "clean",
    "ensure_feedback_partitions",
    "erase_feedback",
    "gather_receipts",
    "keep",
    "latest_feedback",
    "storable",
    "tidy_feedback",
]

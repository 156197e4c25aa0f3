"""Who leaves is not mailed: not even by a worker that has the message in its hands."""

from tidings.delivery.withdrawals._withdrawals import ANSWER, ASK, WITHDRAWN, Withdrawals

__all__ = [
    "ANSWER",
    "ASK",
    "WITHDRAWN",
    "Withdrawals",
]

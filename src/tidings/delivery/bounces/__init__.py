"""What does a message that came back say, and whom does it concern? Pure functions: no database, no network.

`classify` reads delivery status notifications, notices in prose, complaints, automatic replies and receipts;
`ReturnPaths` makes and reads the envelope sender that tells which message a report is about, even if the report does not.
"""

from tidings.delivery.bounces._classify import classify
from tidings.delivery.bounces._mbox import split_mbox
from tidings.delivery.bounces._report import Kind, Recipient, Report
from tidings.delivery.bounces._verp import ReturnPathInvalid, ReturnPaths, check_base

__all__ = ["Kind", "Recipient", "Report", "ReturnPathInvalid", "ReturnPaths", "check_base", "classify", "split_mbox"]

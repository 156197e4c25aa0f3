"""Checks that need more than the content: its bytes on the wire, the web, a spam filter, the DNS."""

from tidings.compliance._checks._reach import LinkProbe
from tidings.compliance._checks._run import CheckReport, Matter, run_checks
from tidings.compliance._checks._spam import SpamFilter, SpamScore, spam_filter

__all__ = ["CheckReport", "LinkProbe", "Matter", "SpamFilter", "SpamScore", "run_checks", "spam_filter"]

"""The send worker: claim, screen, render, transmit, record."""

from tidings.delivery.worker._worker import LEASE_SECONDS, SendWorker

__all__ = [
    "LEASE_SECONDS",
    "SendWorker",
]

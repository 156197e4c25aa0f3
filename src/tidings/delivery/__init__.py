"""How does a message get there, and what became of it? Sends, chunks, the pipeline, providers, outcomes.

Owns: providers, budgets, sends, send_contents, deliveries, retries, chunks, send_counters.
Emits: bounced, deferred.
"""

from tidings.delivery._states import ChunkState, DeliveryState, SendStatus
from tidings.delivery._withdrawals import Withdrawals

__all__ = ["ChunkState", "DeliveryState", "SendStatus", "Withdrawals"]

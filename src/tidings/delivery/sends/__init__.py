"""Sends: a campaign's recipients in chunks, how they are launched, paused, resumed, counted, and their failures tried again."""

from tidings.delivery.sends._failures import (
    ProviderDeleted,
    forgive,
    pause_complained,
    pause_failing,
    retry_failed,
    retry_some,
)
from tidings.delivery.sends._hand_over import hand_over
from tidings.delivery.sends._prepare import prepare_next
from tidings.delivery.sends._recipients import Recipient, list_recipients, recipient
from tidings.delivery.sends._sends import (
    CHUNKS,
    CONTROL,
    LARGEST_CHUNK,
    PREPARE,
    PROVIDER,
    ROUTE,
    NewSend,
    SendCounts,
    SendNotFound,
    cancel_send,
    create_sends,
    pause_send,
    resume_send,
    send_counts,
    send_links,
)
from tidings.delivery.sends._shares import ProviderShare, provider_shares
from tidings.delivery.sends._unsent import unsent_with

__all__ = [
    "CHUNKS",
    "CONTROL",
    "LARGEST_CHUNK",
    "PREPARE",
    "PROVIDER",
    "ROUTE",
    "NewSend",
    "ProviderDeleted",
    "ProviderShare",
    "Recipient",
    "SendCounts",
    "SendNotFound",
    "cancel_send",
    "create_sends",
    "forgive",
    "hand_over",
    "list_recipients",
    "pause_complained",
    "pause_failing",
    "pause_send",
    "prepare_next",
    "provider_shares",
    "recipient",
    "resume_send",
    "retry_failed",
    "retry_some",
    "send_counts",
    "send_links",
    "unsent_with",
]

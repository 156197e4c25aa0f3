"""How does a message get there, and what became of it? Sends, chunks, the pipeline, providers, outcomes.

Owns: providers, provider_caps, warmups, warmup_groups, warmup_days, recipient_domains, provider_troubles, provider_counters,
routes, route_members, budgets, budget_uses, sends, send_contents,
deliveries, retries, chunks, send_counters, send_retries, send_baselines, messages, message_contents, message_sends,
sending_domains, dkim_keys, notification_inbox, notification_nonces, inbound_messages, bounce_mailboxes,
feedback, feedback_keys, delivery_feedback, soft_bounces, address_soft_bounces.
Emits: bounced, deferred, complained, unsubscribed. What comes back: _feedback.
The path of a message: _sends → _worker → _lane → _outlet → providers → _recorder → _record.
"""

from tidings.delivery._accounts import Accounts
from tidings.delivery._content import SendContent
from tidings.delivery._dkim_keys import DkimAlgorithm, PrivateKey
from tidings.delivery._domains import (
    DkimKey,
    DomainConflict,
    DomainNotFound,
    SendingDomain,
    activate_keys,
    add_domain,
    clean_domain,
    delete_domain,
    get_domain,
    list_domains,
    new_keys,
    rotate_keys,
    set_return_path,
)
from tidings.delivery._domains_check import CheckState, DomainCheck, check_domain
from tidings.delivery._domains_dns import Resolver, SystemResolver
from tidings.delivery._failures import forgive, pause_failing, retry_failed, retry_some
from tidings.delivery._feedback import apply_feedback
from tidings.delivery._feedback_erase import erase_feedback
from tidings.delivery._feedback_report import Feedback, FeedbackCounts
from tidings.delivery._feedback_store import ensure_feedback_partitions, latest_feedback, tidy_feedback
from tidings.delivery._hand_over import hand_over
from tidings.delivery._inbound import (
    LARGEST_KEPT,
    InboundAddresses,
    InboundMail,
    InboundMessage,
    InboundNotFound,
    InboundState,
    count_inbound,
    find_inbound,
    get_inbound,
    list_inbound,
    store_inbound,
    tidy_inbound,
)
from tidings.delivery._inbound_take import Leaver, leaving_by_mail, settle_leaver, take_inbound
from tidings.delivery._limit_uses import LimitUse, provider_limits
from tidings.delivery._mailboxes import (
    BounceMailbox,
    BounceMailboxNotFound,
    add_mailbox,
    delete_mailbox,
    get_mailbox,
    list_mailboxes,
    poll_mailbox,
    update_mailbox,
)
from tidings.delivery._message_content import CampaignHeaders, MessageKind
from tidings.delivery._message_ids import MessageIds, MessageRef
from tidings.delivery._message_parts import Attachment
from tidings.delivery._message_upkeep import gather_messages, tidy_messages
from tidings.delivery._message_views import (
    MessageEvent,
    MessageNotFound,
    MessageView,
    count_messages,
    get_message,
    list_messages,
    message_events,
)
from tidings.delivery._messages import Message, MessageInvalid, queue_message
from tidings.delivery._notifications import (
    NOTIFYING_KINDS,
    NotificationTokens,
    Received,
    Receiver,
    notification_receiver,
    store_notifications,
    take_notifications,
)
from tidings.delivery._providers import (
    ProviderInUse,
    ProviderNotFound,
    ProviderSettings,
    add_provider,
    delete_provider,
    get_provider,
    list_providers,
    update_provider,
)
from tidings.delivery._receipts import gather_receipts
from tidings.delivery._recipient_domains import collect_domains, look_up_domains
from tidings.delivery._recipients import Recipient, list_recipients, recipient
from tidings.delivery._routes import (
    Route,
    RouteInUse,
    RouteMember,
    RouteNotFound,
    Strategy,
    Way,
    add_route,
    default_way,
    delete_route,
    find_way,
    get_route,
    health_of_way,
    list_routes,
    update_route,
)
from tidings.delivery._sample import message_builder, sample_message
from tidings.delivery._sends import (
    PREPARE,
    SendCounts,
    SendNotFound,
    cancel_send,
    create_send,
    pause_send,
    prepare_next,
    resume_send,
    send_counts,
    send_links,
)
from tidings.delivery._shares import ProviderShare, provider_shares
from tidings.delivery._states import ChunkState, DeliveryState, SendStatus
from tidings.delivery._troubles import Trouble, forget_troubles
from tidings.delivery._upkeep import cancel_some, close_cancelled, expire_leases, finish_all, requeue_due
from tidings.delivery._warmup import (
    Warmup,
    WarmupDay,
    WarmupGroup,
    WarmupNotFound,
    get_warmup,
    start_warmup,
    step_warmup,
    stop_warmup,
)
from tidings.delivery._warmup_plan import GROWTH as WARMUP_GROWTH
from tidings.delivery._warmup_plan import START as WARMUP_START
from tidings.delivery._warmup_plan import TARGET as WARMUP_TARGET
from tidings.delivery._warmup_plan import Move as WarmupMove
from tidings.delivery._warmup_plan import checked as warmup_caps
from tidings.delivery._warmup_plan import ladder as warmup_ladder
from tidings.delivery._web import (
    PageNotFound,
    PageTooDear,
    WebContent,
    WebMessage,
    WebPage,
    public_content,
    web_content,
    web_recipient,
)
from tidings.delivery._withdrawals import Withdrawals
from tidings.delivery._worker import LEASE_SECONDS, SendWorker

__all__ = [
    "LARGEST_KEPT",
    "LEASE_SECONDS",
    "NOTIFYING_KINDS",
    "PREPARE",
    "WARMUP_GROWTH",
    "WARMUP_START",
    "WARMUP_TARGET",
    "Accounts",
    "Attachment",
    "BounceMailbox",
    "BounceMailboxNotFound",
    "CampaignHeaders",
    "CheckState",
    "ChunkState",
    "DeliveryState",
    "DkimAlgorithm",
    "DkimKey",
    "DomainCheck",
    "DomainConflict",
    "DomainNotFound",
    "Feedback",
    "FeedbackCounts",
    "InboundAddresses",
    "InboundMail",
    "InboundMessage",
    "InboundNotFound",
    "InboundState",
    "Leaver",
    "LimitUse",
    "Message",
    "MessageEvent",
    "MessageIds",
    "MessageInvalid",
    "MessageKind",
    "MessageNotFound",
    "MessageRef",
    "MessageView",
    "NotificationTokens",
    "PageNotFound",
    "PageTooDear",
    "PrivateKey",
    "ProviderInUse",
    "ProviderNotFound",
    "ProviderSettings",
    "ProviderShare",
    "Received",
    "Receiver",
    "Recipient",
    "Resolver",
    "Route",
    "RouteInUse",
    "RouteMember",
    "RouteNotFound",
    "SendContent",
    "SendCounts",
    "SendNotFound",
    "SendStatus",
    "SendWorker",
    "SendingDomain",
    "Strategy",
    "SystemResolver",
    "Trouble",
    "Warmup",
    "WarmupDay",
    "WarmupGroup",
    "WarmupMove",
    "WarmupNotFound",
    "Way",
    "WebContent",
    "WebMessage",
    "WebPage",
    "Withdrawals",
    "activate_keys",
    "add_domain",
    "add_mailbox",
    "add_provider",
    "add_route",
    "apply_feedback",
    "cancel_send",
    "cancel_some",
    "check_domain",
    "clean_domain",
    "close_cancelled",
    "collect_domains",
    "count_inbound",
    "count_messages",
    "create_send",
    "default_way",
    "delete_domain",
    "delete_mailbox",
    "delete_provider",
    "delete_route",
    "ensure_feedback_partitions",
    "erase_feedback",
    "expire_leases",
    "find_inbound",
    "find_way",
    "finish_all",
    "forget_troubles",
    "forgive",
    "gather_messages",
    "gather_receipts",
    "get_domain",
    "get_inbound",
    "get_mailbox",
    "get_message",
    "get_provider",
    "get_route",
    "get_warmup",
    "hand_over",
    "health_of_way",
    "latest_feedback",
    "leaving_by_mail",
    "list_domains",
    "list_inbound",
    "list_mailboxes",
    "list_messages",
    "list_providers",
    "list_recipients",
    "list_routes",
    "look_up_domains",
    "message_builder",
    "message_events",
    "new_keys",
    "notification_receiver",
    "pause_failing",
    "pause_send",
    "poll_mailbox",
    "prepare_next",
    "provider_limits",
    "provider_shares",
    "public_content",
    "queue_message",
    "recipient",
    "requeue_due",
    "resume_send",
    "retry_failed",
    "retry_some",
    "rotate_keys",
    "sample_message",
    "send_counts",
    "send_links",
    "set_return_path",
    "settle_leaver",
    "start_warmup",
    "step_warmup",
    "stop_warmup",
    "store_inbound",
    "store_notifications",
    "take_inbound",
    "take_notifications",
    "tidy_feedback",
    "tidy_inbound",
    "tidy_messages",
    "update_mailbox",
    "update_provider",
    "update_route",
    "warmup_caps",
    "warmup_ladder",
    "web_content",
    "web_recipient",
]

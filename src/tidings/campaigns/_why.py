"""Why did someone get a campaign, or not? From what is on record, and where it is silent, from where they stand now."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tidings import delivery
from tidings.audience import gone, recipients, search, states, suppressions
from tidings.audience.recipients import Belonging
from tidings.audience.states import SubscriptionStatus
from tidings.campaigns._campaign import Campaign, get_campaign
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import CampaignId, ContactId, WorkspaceId, public_id
from tidings.delivery import DeliveryState, Recipient


class Why(StrEnum):
    """Why a campaign reached a person or did not."""

    RECIPIENT = "recipient"
    """They are a recipient of it; the state and its detail say what became of their message."""
    SKIPPED = "skipped"
    """They were a recipient, and were left out at the last moment; the detail says why."""
    NOT_LAUNCHED = "not_launched"
    """It was not sent yet. What follows says what would become of them if it were sent now."""
    NUMBERING = "numbering"
    """It was launched a moment ago, and its recipients are still being numbered."""
    UNKNOWN_CONTACT = "unknown_contact"
    """There is no such contact now: never was, or was deleted long ago."""
    ERASED = "erased"
    """They were a contact, and were deleted; what follows is what became of that one."""
    MERGED = "merged"
    """They were merged into another contact; what follows is about that one."""
    CREATED_LATER = "created_later"
    """They became a contact after the recipients had been numbered."""
    EXCLUDED_BY_LIST = "excluded_by_list"
    """They are on a list that the campaign leaves out."""
    EXCLUDED_BY_SEGMENT = "excluded_by_segment"
    """They are in a segment that the campaign leaves out."""
    LEFT_LIST = "left_list"
    """They left a list that it goes to."""
    NOT_CONFIRMED = "not_confirmed"
    """They asked to be on a list that it goes to, and have not confirmed it."""
    JOINED_LATER = "joined_later"
    """They came on the list after the recipients had been numbered."""
    NOT_ON_LISTS = "not_on_lists"
    """They are on none of the lists that it goes to."""
    NOT_IN_SEGMENTS = "not_in_segments"
    """They are in none of the segments that it goes to."""
    SUPPRESSED = "suppressed"
    """Their address, or every one of its domain, is never to be mailed."""
    STATUS = "status"
    """They left everything, complained, or their address died."""
    CHANGED_SINCE = "changed_since"
    """They belong to the audience now; when its recipients were numbered they did not."""
    WOULD_GET_IT = "would_get_it"
    """Nothing stands in the way."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, for programs and for people."""

    code: Why
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one person in a campaign. `recipient` is None if they were not in its audience, `contact` if the address
    is no contact's."""

    contact: ContactId | None
    email: str | None
    recipient: Recipient | None
    reasons: list[Reason]


async def explain(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, contact: ContactId, now: datetime
) -> Explanation:
    """Why this contact got the campaign, or did not. Raises CampaignNotFound, SegmentInvalid."""
    of = await get_campaign(tx, workspace=workspace, campaign=campaign)
    found = None
    if of.send_id is not None:
        found = await delivery.recipient(tx, workspace=workspace, send=of.send_id, contact=contact)
    if found is not None:
        return Explanation(contact, found.email, found, [_became(found)])
    stand = await recipients.belonging(tx, workspace=workspace, audience=of.audience, contact=contact, now=now)
    if stand is None and (merged := await gone.merged_contact(tx, workspace=workspace, contact=contact)) is not None:
        told = await explain(tx, workspace=workspace, campaign=campaign, contact=merged.into, now=now)
        return replace(told, reasons=[_merged(merged), *told.reasons])
    if stand is None:
        text = f"there is no contact {public_id('contact', contact)}: deleted, or never there"
        return Explanation(contact, None, None, [Reason(Why.UNKNOWN_CONTACT, text)])
    numbered = None
    if of.send_id is not None:
        counts = await delivery.send_counts(tx, workspace=workspace, sends=[of.send_id])
        numbered = counts[of.send_id].started_at if of.send_id in counts else None
    return Explanation(contact, stand.email, None, list(_reasons(of, stand, numbered)))


async def explain_address(
    tx: Tx, *, workspace: WorkspaceId, campaign: CampaignId, email: str, keys: Keyring, now: datetime
) -> Explanation:
    """The same of whoever has this normalised address, or had it before a merge. Raises CampaignNotFound, SegmentInvalid."""
    found = await search.list_contacts(tx, workspace=workspace, email=email, limit=1)
    if found:
        return await explain(tx, workspace=workspace, campaign=campaign, contact=found[0].id, now=now)
    merged = await gone.merged_contact(tx, workspace=workspace, email=email)
    if merged is not None:
        told = await explain(tx, workspace=workspace, campaign=campaign, contact=merged.contact, now=now)
        of_old_id = any(reason.code is Why.MERGED for reason in told.reasons)
        return told if of_old_id else replace(told, reasons=[_merged(merged), *told.reasons])
    of = await get_campaign(tx, workspace=workspace, campaign=campaign)
    recipient = None
    reasons = [Reason(Why.UNKNOWN_CONTACT, f"{email} is no contact: never was, or was deleted long ago")]
    if deleted := await gone.deleted_contact(tx, workspace=workspace, email=email, keys=keys):
        contact, at = deleted
        reasons = [Reason(Why.ERASED, f"{email} was {public_id('contact', contact)}, which was deleted at {_at(at)}")]
        if of.send_id is not None:
            recipient = await delivery.recipient(tx, workspace=workspace, send=of.send_id, contact=contact)
        reasons += [] if recipient is None else [_became(recipient)]
    for address, name in ((email, "address"), (f"@{email.rpartition('@')[2]}", "domain")):
        wanted = suppressions.Wanted(email=address)
        if of_it := await suppressions.list_suppressions(tx, workspace=workspace, wanted=wanted, keys=keys, limit=1):
            kind = "domain" if name == "domain" else of_it[0].reason
            reasons.append(Reason(Why.SUPPRESSED, _SKIPPED[f"suppressed:{kind}"]))
    return Explanation(None, email, recipient, reasons)


def _merged(merged: gone.Merged) -> Reason:
    old, new = public_id("contact", merged.contact), public_id("contact", merged.into)
    return Reason(Why.MERGED, f"{merged.email} was {old}, which was merged into {new} at {_at(merged.at)}")


def _became(found: Recipient) -> Reason:
    if found.state is DeliveryState.SKIPPED:
        return Reason(Why.SKIPPED, f"left out: {_SKIPPED.get(found.detail) or found.detail.replace(':', ' ')}")
    text = {
        DeliveryState.PENDING: "their message is still to be sent",
        DeliveryState.SENT: "handed over to the provider, which has not said yet whether it arrived",
        DeliveryState.DELIVERED: "accepted by the receiving side",
        DeliveryState.DEFERRED: "refused for now, and tried again later",
        DeliveryState.BOUNCED: "refused for good because of the address",
        DeliveryState.FAILED: "refused for good because of the message or the sender, or given up",
        DeliveryState.UNKNOWN: "handed over, but the answer was lost: it may have arrived",
        DeliveryState.CANCELLED: "the campaign was cancelled before their turn came",
    }[found.state]
    return Reason(Why.RECIPIENT, f"{text}: {found.detail}" if found.detail else text)


_SKIPPED = {
    "left_list": "they left the list, or their address is suppressed for it",
    "not_confirmed": "they have not confirmed any subscription yet",
    "erased": "the contact was deleted before their turn came",
    "merged": "the contact was merged with another one",
    "suppressed:bounced": "the address is suppressed because it bounced",
    "suppressed:manual": "the address was suppressed by hand",
    "suppressed:unsubscribed": "the address is suppressed because its owner left",
    "suppressed:complained": "the address is suppressed because its owner called a message spam",
    "suppressed:domain": "every address of its domain is suppressed",
    "status:bounced": "the address bounced",
    "status:unsubscribed": "they left",
    "status:complained": "they called a message spam",
}


def _reasons(of: Campaign, stand: Belonging, numbered: datetime | None) -> Iterator[Reason]:
    """In the order in which they count: whoever was not chosen is not judged further."""
    if of.send_id is None:
        yield Reason(
            Why.NOT_LAUNCHED,
            f"the campaign was not sent yet (it is {of.status}): this is what would become of them now",
        )
    elif numbered is None:
        yield Reason(Why.NUMBERING, "the campaign was launched just now, and its recipients are being numbered")
        return
    if numbered is not None and stand.created_at > numbered:
        yield Reason(Why.CREATED_LATER, f"they became a contact at {_at(stand.created_at)}, after the launch")
        return
    apart = [*_apart(stand)]
    chosen = [*_not_chosen(of, stand, numbered)]
    yield from apart or chosen
    if apart or chosen:
        return
    if numbered is not None:
        yield Reason(Why.CHANGED_SINCE, "they belong to the audience now, but did not when the campaign was launched")
    elif stand.suppressed is not None:
        yield Reason(Why.SUPPRESSED, _SKIPPED[f"suppressed:{stand.suppressed}"])
    elif stand.domain_suppressed:
        yield Reason(Why.SUPPRESSED, _SKIPPED["suppressed:domain"])
    elif stand.status is not states.ContactStatus.ACTIVE:
        yield Reason(Why.STATUS, _SKIPPED[f"status:{stand.status}"])
    elif stand.objection is not None:
        code = Why.LEFT_LIST if stand.objection == "left_list" else Why.NOT_CONFIRMED
        yield Reason(code, _SKIPPED[stand.objection])
    else:
        yield Reason(Why.WOULD_GET_IT, "nothing stands in the way")


def _apart(stand: Belonging) -> Iterator[Reason]:
    for list_ in stand.excluded_lists:
        yield Reason(Why.EXCLUDED_BY_LIST, f"they are on {public_id('list', list_)}, which the campaign leaves out")
    for segment in stand.excluded_segments:
        yield Reason(
            Why.EXCLUDED_BY_SEGMENT, f"they are in {public_id('segment', segment)}, which the campaign leaves out"
        )


def _not_chosen(of: Campaign, stand: Belonging, numbered: datetime | None) -> Iterator[Reason]:
    on = [one for one in stand.lists if one.status is SubscriptionStatus.SUBSCRIBED]
    left = [one for one in stand.lists if one.status is SubscriptionStatus.UNSUBSCRIBED]
    if any(numbered is None or one.since <= numbered for one in on) or (stand.segments and not left):
        return
    for one in on:
        yield Reason(
            Why.JOINED_LATER, f"they came on {public_id('list', one.list)} at {_at(one.since)}, after the launch"
        )
    for one in left:
        yield Reason(Why.LEFT_LIST, f"they left {public_id('list', one.list)} at {_at(one.since)}")
    for one in stand.lists:
        if one.status is SubscriptionStatus.PENDING:
            yield Reason(Why.NOT_CONFIRMED, f"they have not confirmed {public_id('list', one.list)}")
    if of.list_ids and not stand.lists:
        yield Reason(Why.NOT_ON_LISTS, "they are on none of the lists that the campaign goes to")
    if of.segment_ids and not stand.segments:
        yield Reason(Why.NOT_IN_SEGMENTS, "they are in none of the segments that the campaign goes to")


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"

"""What follows from reports beside the state of a delivery: facts, suppressions, soft bounces that add up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tidings.audience import states
from tidings.audience.leaving import suppress, suppress_hashes
from tidings.core.db import Tx, sql
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.delivery.feedback._report import Feedback
from tidings.delivery.feedback._states import Standing
from tidings.delivery.providers import FailureClass, Happening
from tidings.delivery.recording import ADDS_UP, add_soft_bounces, messages_of
from tidings.delivery.states import DeliveryState
from tidings.events import Event, EventType, record

_Key = tuple[int, int]
_AGAINST = {Happening.BOUNCED, Happening.REJECTED, Happening.COMPLAINED}
_CONCERN = {*_AGAINST, Happening.UNSUBSCRIBED, Happening.DEFERRED}
_BY_ADDRESS = """
SELECT id, email FROM contacts WHERE workspace_id = $1 AND email = ANY ($2::text[])
"""


class Known(NamedTuple):
    """A delivery that reports are about, as it stood before them. `contact` is None where `messages` says who it is."""

    contact: int | None
    complained: bool
    standing: Standing


class Person(NamedTuple):
    """Whom a message went to: a contact, or the hash of an address that is no contact's."""

    contact: ContactId | None
    address_hash: bytes | None


async def act_upon(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    reports: Sequence[Feedback],
    known: Mapping[_Key, Known],
    moved: Mapping[_Key, DeliveryState],
    now: datetime,
) -> None:
    """Record and suppress what these reports, none of them told before, ask for."""
    concerning = [r for r in reports if r.happening in _CONCERN and r.send is not None and r.n is not None]
    if not concerning:
        return
    people = await _people(tx, workspace, concerning, known)
    await _remember(tx, workspace, [r for r in concerning if r.happening in _AGAINST and _of(r) in known])
    facts = [*_facts(concerning, known, moved, people, workspace)]
    hard = [r for r in concerning if r.happening is Happening.BOUNCED and r.bounce is FailureClass.HARD]
    await _suppress(tx, workspace, hard, people, states.SuppressionReason.BOUNCED, now)
    complaints = [r for r in concerning if r.happening is Happening.COMPLAINED]
    await _suppress(tx, workspace, complaints, people, states.SuppressionReason.COMPLAINED, now)
    leaving = [r for r in concerning if r.happening is Happening.UNSUBSCRIBED]
    left = await _suppress(tx, workspace, leaving, people, states.SuppressionReason.UNSUBSCRIBED, now)
    facts += [
        Event(workspace, EventType.UNSUBSCRIBED, r.at, r.send, r.n, contact, data={"reason": "", "source": r.source})
        for contact, r in left.items()
    ]
    await record(tx, events=facts, writer=-1 - tx.get_server_pid() % 200)
    soft = [
        (whom, r.at, r.reason)
        for r in concerning
        if r.happening is Happening.BOUNCED
        and r.bounce in ADDS_UP
        and (person := people.get(_of(r))) is not None
        and (whom := person.contact or person.address_hash) is not None
    ]
    await add_soft_bounces(tx, workspace=workspace, bounces=soft, now=now)


def _facts(
    reports: Iterable[Feedback],
    known: Mapping[_Key, Known],
    moved: Mapping[_Key, DeliveryState],
    people: Mapping[_Key, Person],
    workspace: WorkspaceId,
) -> Iterable[Event]:
    """A delivery bounces once and is complained about once; each deferral is one."""
    said: set[tuple[_Key, EventType]] = set()
    for r in sorted(reports, key=lambda r: r.at):
        key = _of(r)
        if key not in known:
            continue
        data: dict[str, Any] = {"reply": r.reason, "source": r.source}
        match r.happening:
            case Happening.BOUNCED if moved.get(key) is DeliveryState.BOUNCED and (key, EventType.BOUNCED) not in said:
                kind = EventType.BOUNCED
                data |= {"class": r.bounce or FailureClass.UNKNOWN, "late": True}
            case Happening.COMPLAINED if not known[key].complained and (key, EventType.COMPLAINED) not in said:
                kind = EventType.COMPLAINED
                data = {"feedback": r.reason, "source": r.source}
            case Happening.DEFERRED:
                kind = EventType.DEFERRED
            case _:
                continue
        said.add((key, kind))
        person = people.get(key)
        contact = None if person is None else person.contact
        yield Event(workspace, kind, r.at, SendId(key[0]), key[1], contact, data=data)


async def _suppress(
    tx: Tx,
    workspace: WorkspaceId,
    reports: Sequence[Feedback],
    people: Mapping[_Key, Person],
    reason: states.SuppressionReason,
    now: datetime,
) -> dict[ContactId, Feedback]:
    """Suppress whom the reports are about; returns the contacts whose status changed, with the report that did it."""
    contacts: dict[ContactId, Feedback] = {}
    strangers: dict[bytes, Feedback] = {}
    changed: dict[ContactId, Feedback] = {}
    for r in reports:
        person = people.get(_of(r))
        if person is None:
            continue
        if person.contact is not None:
            contacts.setdefault(person.contact, r)
        elif person.address_hash is not None:
            strangers.setdefault(person.address_hash, r)
    for source in sorted({r.source for r in contacts.values()}):
        told = [(contact, r.reason) for contact, r in sorted(contacts.items()) if r.source == source]
        new = await suppress(tx, workspace=workspace, contacts=told, reason=reason, source=source, now=now)
        changed |= {contact: contacts[contact] for contact in new if contact in contacts}
    for source in sorted({r.source for r in strangers.values()}):
        addresses = [(hash_, r.reason) for hash_, r in sorted(strangers.items()) if r.source == source]
        await suppress_hashes(tx, workspace=workspace, addresses=addresses, reason=reason, source=source, now=now)
    return changed


async def _remember(tx: Tx, workspace: WorkspaceId, reports: Sequence[Feedback]) -> None:
    """One row a delivery of what was told against it, the gravest bounce foremost."""
    if not reports:
        return
    rows: dict[_Key, list[Any]] = {}
    for r in sorted(reports, key=lambda r: r.at):
        row = rows.setdefault(_of(r), [None, None, None, None, ""])
        bounced = r.happening is Happening.BOUNCED
        at = 2 if r.happening is Happening.COMPLAINED else 0 if bounced and r.bounce not in _BLAMELESS else 1
        row[at] = row[at] or r.at
        if bounced and row[3] != FailureClass.HARD:
            row[3:] = [r.bounce or FailureClass.UNKNOWN, r.status]
    columns = [list(column) for column in zip(*((*key, *row) for key, row in sorted(rows.items())), strict=True)]
    await tx.execute(sql(__package__, "_feedback_against"), workspace, *columns)


_BLAMELESS = {FailureClass.BLOCK, FailureClass.POLICY}


async def _people(
    tx: Tx, workspace: WorkspaceId, reports: Sequence[Feedback], known: Mapping[_Key, Known]
) -> dict[_Key, Person]:
    """Whom the messages went to. Of deliveries that are forgotten already: who has the address now."""
    people = {
        key: Person(ContactId(one.contact), None)
        for key in {_of(r) for r in reports}
        if (one := known.get(key)) is not None and one.contact is not None
    }
    nameless = sorted({_of(r) for r in reports} - people.keys())
    if not nameless:
        return people
    sends, ns = [send for send, _ in nameless], [n for _, n in nameless]
    for row in await messages_of(tx, workspaces=[workspace] * len(nameless), sends=sends, ns=ns):
        contact = row["contact_id"]
        people[row["send_id"], row["n"]] = Person(
            None if contact is None else ContactId(contact), row["address_hash"] if contact is None else None
        )
    forgotten = {_of(r): r.address.lower() for r in reports if _of(r) not in people and r.address}
    if forgotten:
        rows = await tx.fetch(_BY_ADDRESS, workspace, sorted(set(forgotten.values())))
        ids = {row["email"]: ContactId(row["id"]) for row in rows}
        people |= {key: Person(ids[address], None) for key, address in forgotten.items() if address in ids}
    return people


def _of(report: Feedback) -> _Key:
    assert report.send is not None
    assert report.n is not None
    return report.send, report.n

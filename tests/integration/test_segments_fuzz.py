"""Random conditions find whom a naive evaluator in Python finds; hostile ones break nothing."""
# ruff: noqa: E501 - tables of strategies read better in long lines

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from segment_oracle import People
from tidings import delivery, events
from tidings.accounts import SYSTEM
from tidings.audience import contacts, segments
from tidings.audience.segments import SegmentInvalid
from tidings.core.db import Database
from tidings.core.ids import ContactId, SendId, WorkspaceId
from tidings.events import Agent, Event, EventType

NOW = dt.datetime(2027, 2, 26, 12, 30, 15, tzinfo=dt.UTC)
DAYS = [str(NOW.date() + dt.timedelta(days=n)) for n in (-400, -200, -100, -31, -30, -7, -1, 0, 1, 30)]
WORDS = ["Ann", "ANN", "bob", "%", "_", "a'b", "Zoë", "zoË", "1", "true", "\\", "x$1"]

days, words = st.sampled_from(DAYS), st.sampled_from(WORDS)
spans = st.sampled_from([1, 7, 30, 100, 365])
numbers = st.sampled_from([-1, 0, 1, 2, 3, 2.5, 10])


def one(
    fields: list[str], operators: list[str], value: st.SearchStrategy[Any], **options: Any
) -> st.SearchStrategy[Any]:
    made = st.fixed_dictionaries(
        {"field": st.sampled_from(fields), "operator": st.sampled_from(operators), "value": value}, optional=options
    )
    return made.map(lambda d: {k: v for k, v in d.items() if k != "value" or v is not None})


two_days = st.tuples(days, days).map(list)
when = {"last": spans}
comes = st.one_of(st.none(), st.integers(0, 40), st.tuples(st.integers(0, 5), st.integers(5, 20)).map(list))
campaigns = st.lists(st.sampled_from(["campaign_1", "campaign_2"]), min_size=1, max_size=2)
any_json = st.one_of(words, numbers, st.booleans())
TEXT = ["=", "!=", "contains", "not_contains", "starts_with", "ends_with"]
ORDER = ["<", "<=", ">", ">="]
KINDS = ["opened", "clicked", "received", "bounced", "complained", "unsubscribed"]
where = st.lists(
    st.one_of(
        st.fixed_dictionaries({"property": st.just("p"), "operator": st.sampled_from(["=", "!="]), "value": any_json}),
        st.fixed_dictionaries({"property": st.just("p"), "operator": st.sampled_from(ORDER), "value": numbers}),
        st.fixed_dictionaries({"property": st.just("p"), "operator": st.sampled_from(["is_set", "is_not_set"])}),
    ),
    max_size=2,
)
TEXTS = ["email", "email_domain", "first_name", "last_name"]
conditions = st.one_of(
    one(TEXTS, TEXT, words),
    one(TEXTS, ["in", "not_in"], st.lists(words, min_size=1, max_size=3)),
    one([*TEXTS, "created_at", "tags", "lists", "attributes.a", "attributes.d", *KINDS, "event.e"], ["is_set", "is_not_set"], st.none()),
    one(["created_at", "subscribed_at"], ["before", "after", "=", "!=", *ORDER], days),
    one(["created_at", "subscribed_at", "attributes.d"], ["between"], two_days),
    one(["created_at", "subscribed_at", "attributes.d"], ["in_the_last", "not_in_the_last", "in_the_next"], spans),
    one(["created_at", "attributes.d", "attributes.a"], ["anniversary"], comes),
    one(["status"], ["=", "!=", "in", "not_in"], st.sampled_from(["active", "bounced", "unsubscribed"])),
    one(["tags"], ["contains", "not_contains", "in", "not_in"], st.sampled_from(["vip", "a'b", "no"])),
    one(["lists"], ["contains", "not_contains", "in"], st.sampled_from(["list_1", "list_2"]), status=st.sampled_from(["subscribed", "pending", "unsubscribed"])),
    one(["contact"], ["random_sample"], st.sampled_from([10, 50, [30, 60.5]]), seed=words),
    one(["attributes.a"], ["=", "!="], any_json),
    one(["attributes.a"], ["contains", "starts_with", "not_contains"], words),
    one(["attributes.a"], ORDER, numbers),
    one(["attributes.d"], ["before", "after", *ORDER], days),
    one(KINDS, ["=", "!=", *ORDER], st.integers(0, 3), last=spans),
    one(KINDS, ["=", "!=", *ORDER], st.integers(0, 3), since=days, until=days),
    one(KINDS, ["in_the_last", "not_in_the_last"], spans, campaigns=campaigns),
    one(KINDS, ["before", "after"], days),
    one(KINDS, ["=", "!=", *ORDER], st.integers(0, 3), campaigns=campaigns, last=spans),
    one(["opened", "clicked"], ["=", "!=", *ORDER], st.integers(0, 3), campaigns=campaigns, machines=st.booleans()),
    one(["clicked"], ["=", "!=", *ORDER], st.integers(0, 2), link=st.sampled_from(["https://x.test/a", "https://x.test/b", "no"]), campaigns=campaigns, last=spans),
    one(["event.e"], ["=", "!=", *ORDER], st.integers(0, 3), last=spans, where=where),
    one(["event.e"], ["in_the_last", "not_in_the_last"], spans, where=where),
    one(["event.e"], ["=", "!=", *ORDER], numbers, where=where).map(lambda c: c | {"aggregate": "sum", "property": "p"}),
    one(["event.e"], ["=", "!="], any_json, where=where, last=spans).flatmap(
        lambda c: st.sampled_from(["first", "last"]).map(lambda a: c | {"aggregate": a, "property": "p"})
    ),
    one(["event.e"], ["before", "after", "in_the_last", "not_in_the_last"], st.just(30)).map(
        lambda c: c | {"aggregate": "last", "value": 30 if "last" in c["operator"] else DAYS[3]}
    ),
)  # fmt: skip
trees = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


async def make_people(db: Database, workspace: int) -> People:
    """Sixty contacts by chance, in the database and as rows; their acts through the door that everything goes through.

    And one who did things as well, and was deleted: nobody finds them.
    """
    dice = random.Random(5)
    pick = dice.choice
    people = People(NOW, [])
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(
            "INSERT INTO lists (workspace_id, id, name, created_at, updated_at) SELECT $1, i, i::text, now(), now() FROM generate_series(1, 2) i",
            workspace,
        )
        for send in (1, 2, 3):
            campaign = min(send, 2)
            people.campaigns.setdefault(f"campaign_{campaign}", set()).add(send)
            people.links[send] = ["https://x.test/a", "https://x.test/b"][:: 1 if send < 3 else -1]
            await tx.execute(
                """INSERT INTO sends (workspace_id, id, campaign_id, provider_id, status, list_ids, recipients, created_at, finished_at)
                   VALUES ($1, $2, $3, 1, $4, '{}', 60, $5, $5)""",
                workspace, send, campaign, "running" if send == 3 else "done", NOW,
            )  # fmt: skip
            await tx.execute(
                """INSERT INTO send_contents (workspace_id, send_id, template_id, template_version, content, links)
                   VALUES ($1, $2, 1, 1, '{}', $3)""",
                workspace, send, people.links[send],
            )  # fmt: skip
        await tx.execute(
            """INSERT INTO campaigns (workspace_id, id, name, subject, template_id, sender_email, sender_name, list_ids, created_at, updated_at)
               SELECT $1, i, i::text, '', 1, '', '', '{}', now(), now() FROM generate_series(1, 2) i""",
            workspace,
        )
        facts: list[Event] = []

        def past() -> dt.datetime:
            return NOW - dt.timedelta(seconds=dice.randrange(0, 420 * 86400))

        for id_ in range(1, 61):
            born = pick(
                [None, "", "1990-02-28", "1992-02-29", "1991-03-01", "2027-02-26", "soon", str((past()).date())]
            )
            a = pick([None, "", 0, 1, 2.5, True, False, *WORDS, "1992-02-29"])
            row = {
                "id": id_, "email": f"{pick(['ann', 'bob', 'zoe'])}{id_}@{pick(['x.test', 'y.test'])}", "first_name": pick(["", *WORDS]),
                "last_name": pick(["", *WORDS]), "phone": "", "language": "", "time_zone": "", "tags": pick([[], ["vip"], ["vip", "a'b"]]),
                "attributes": ({} if born is None else {"d": born}) | ({} if dice.random() < 0.1 else {"a": a}),
                "status": pick(["active", "active", "bounced"]), "created_at": past(),
            }  # fmt: skip
            people.contacts.append(row)
            await tx.execute(
                """INSERT INTO contacts (workspace_id, id, email, address_hash, first_name, last_name, tags, attributes, status, created_at, updated_at)
                   VALUES ($1, $2, $3, decode(md5($3), 'hex'), $4, $5, $6, $7, $8, $9, $9)""",
                workspace, id_, row["email"], row["first_name"], row["last_name"], row["tags"], row["attributes"], row["status"], row["created_at"],
            )  # fmt: skip
            for list_ in (1, 2):
                if dice.random() < 0.6:
                    sub = {
                        "contact": id_,
                        "list": list_,
                        "status": pick(["subscribed", "subscribed", "pending", "unsubscribed"]),
                        "at": past(),
                    }
                    people.subscriptions.append(sub)
                    await tx.execute(
                        "INSERT INTO subscriptions (workspace_id, list_id, contact_id, status, subscribed_at) VALUES ($1, $2, $3, $4, $5)",
                        workspace, list_, id_, sub["status"], sub["at"],
                    )  # fmt: skip
            for send in (1, 2, 3):
                at, state = past(), pick(["delivered", "sent", "bounced", "pending"])
                if state in {"delivered", "sent"}:
                    people.receipts.append({"contact": id_, "at": at, "send": send})
                await tx.execute(
                    "INSERT INTO deliveries (workspace_id, send_id, contact_id, at, n, state) VALUES ($1, $2, $3, $4, $5, $6)",
                    workspace, send, id_, at, id_, state,
                )  # fmt: skip
            for _ in range(dice.randrange(0, 9)):
                type_ = pick(
                    [EventType.OPENED] * 3
                    + [EventType.CLICKED] * 3
                    + [EventType.BOUNCED, EventType.COMPLAINED, EventType.UNSUBSCRIBED]
                )
                act = {
                    "contact": id_,
                    "type": str(type_),
                    "at": past(),
                    "send": pick([1, 2, 3]),
                    "link": None,
                    "agent": "",
                }
                if type_ in {EventType.OPENED, EventType.CLICKED}:
                    act["agent"] = str(pick([Agent.HUMAN, Agent.HUMAN, Agent.MACHINE]))
                if type_ is EventType.CLICKED:
                    act["link"] = pick([0, 1])
                people.acts.append(act)
                agent = Agent(act["agent"]) if act["agent"] else None
                data = {} if act["link"] is None else {"link": act["link"]}
                facts.append(
                    Event(
                        WorkspaceId(workspace), type_, act["at"], SendId(act["send"]), id_, ContactId(id_), agent, data
                    )
                )
            for _ in range(dice.randrange(0, 4)):
                properties = {} if dice.random() < 0.1 else {"p": pick([None, "", 0, 1, 2.5, True, "Ann", "bob"])}
                event = {"contact": id_, "name": pick(["e", "f"]), "at": past(), "properties": properties}
                event["id"] = await tx.fetchval(
                    "INSERT INTO custom_events (workspace_id, contact_id, name, at, properties) VALUES ($1, $2, $3, $4, $5) RETURNING id",
                    workspace, id_, event["name"], event["at"], properties,
                )  # fmt: skip
                people.told.append(event)
        await tx.execute(
            """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
               VALUES ($1, 61, 'gone@x.test', decode(md5('gone'), 'hex'), now(), now())""",
            workspace,
        )
        await tx.execute(
            "INSERT INTO deliveries (workspace_id, send_id, contact_id, at, n, state) SELECT $1, send, 61, $2, 61, 'sent' FROM generate_series(1, 3) AS send",
            workspace, NOW - dt.timedelta(days=3),
        )  # fmt: skip
        for kind in KINDS:
            if kind != "received":
                agent, data = (Agent.HUMAN, {"link": 0}) if kind in {"opened", "clicked"} else (None, {})
                at = NOW - dt.timedelta(days=2)
                facts.append(
                    Event(WorkspaceId(workspace), EventType(kind), at, SendId(1), 61, ContactId(61), agent, data)
                )
        dice.shuffle(facts)
        for begin in range(0, len(facts), 25):
            await events.record(tx, events=facts[begin : begin + 25], writer=0)
        # One of the sends that are over is gathered, half of the other; the third still runs.
        assert await delivery.gather_receipts(tx, now=NOW)
        await tx.execute("UPDATE sends SET recipients = 120 WHERE id = 2")
        of = WorkspaceId(workspace)
        await contacts.delete_contact(tx, workspace=of, contact=ContactId(61), by=SYSTEM(of), now=NOW)
    return people


@pytest.fixture
async def people(db: Database, workspace: int) -> AsyncIterator[People]:
    return await make_people(db, workspace)


def _examples(count: int) -> Any:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


_SUPPRESS_DOMAIN = """
INSERT INTO suppressions (workspace_id, address_hash, address, reason, created_at)
VALUES ($1, decode(md5('y'), 'hex'), '@y.test', 'manual', now())
"""


async def _compare(db: Database, workspace: int, people: People, count: int) -> None:
    loop = asyncio.get_running_loop()
    active = {row["id"] for row in people.contacts if row["status"] == "active"}

    of_domain = {row["id"] for row in people.contacts if row["email"].endswith("@y.test")}

    async def members(tree: Any) -> set[int]:
        async with db.transaction() as tx:
            found = await segments.conditions_members(
                tx, workspace=WorkspaceId(workspace), conditions=tree, first=2, now=NOW
            )
            rows = await tx.fetch(found.sql, workspace, *found.values)
            ids = [row["id"] for row in rows]
            assert len(ids) == len(set(ids)), "each once"
            # What counts and what is looked at are made of the same conditions by other means.
            count = await segments.count_segment(tx, workspace=WorkspaceId(workspace), members=found)
            assert (count.contacts, count.mailable) == (len(ids), len(active.intersection(ids))), tree
            if len(ids) % 4 == 1:  # the same with a whole domain on the suppression list
                await tx.execute(_SUPPRESS_DOMAIN, workspace)
                count = await segments.count_segment(tx, workspace=WorkspaceId(workspace), members=found)
                reached = (active - of_domain).intersection(ids)
                assert (count.contacts, count.mailable) == (len(ids), len(reached)), tree
                await tx.execute("DELETE FROM suppressions WHERE workspace_id = $1", workspace)
            newest = await segments.sample_segment(
                tx, workspace=WorkspaceId(workspace), members=found, offset=1, limit=3
            )
            assert [one.id for one in newest] == sorted(ids, reverse=True)[1:4], tree
        return set(ids)

    @_examples(count)
    @given(trees)
    def agree(tree: Any) -> None:
        found = asyncio.run_coroutine_threadsafe(members(tree), loop).result(30)
        assert found == people.members(tree), tree

    await asyncio.to_thread(agree)


async def test_random_conditions_find_whom_python_finds(db: Database, workspace: int, people: People) -> None:
    await _compare(db, workspace, people, 400)


@pytest.mark.soak
async def test_many_random_conditions(db: Database, workspace: int, people: People) -> None:
    await _compare(db, workspace, people, 10_000)


junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        words,
        days,
        st.just("'; DROP TABLE contacts; --"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["and", "or", "not", "field", "operator", "value", "last", "link", "where", "days", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
broken = st.one_of(
    junk,
    st.builds(
        lambda tree, key, value: tree | {key: value},
        conditions,
        st.sampled_from(["field", "operator", "value", "last", "where", "campaigns", "x"]),
        junk,
    ),
)


async def test_hostile_conditions_are_refused_or_run(db: Database, workspace: int, people: People) -> None:
    loop = asyncio.get_running_loop()
    refused: list[SegmentInvalid] = []

    async def attempt(tree: Any) -> None:
        async with db.transaction() as tx:
            try:
                found = await segments.conditions_members(
                    tx, workspace=WorkspaceId(workspace), conditions=tree, first=2, now=NOW
                )
            except SegmentInvalid as error:
                refused.append(error)
                return
            assert "DROP" not in found.sql
            await tx.execute("SET LOCAL statement_timeout = 2000")
            await tx.fetch(found.sql, workspace, *found.values)
            await segments.count_segment(tx, workspace=WorkspaceId(workspace), members=found)

    @_examples(400)
    @given(broken)
    def survive(tree: Any) -> None:
        asyncio.run_coroutine_threadsafe(attempt(tree), loop).result(30)

    await asyncio.to_thread(survive)
    assert refused
    assert all(error.fields for error in refused)
    assert all(problem.field.startswith("conditions") for error in refused for problem in error.fields)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM contacts") == len(people.contacts)

"""Conditions on what contacts did with messages: received, opened, clicked, bounced, complained, unsubscribed.

Three sources, each for what it is fast at. `contact_activity` and `contact_receipts` have a row a contact with the seconds
(since 2000) of everything it did, in order, so that "how often between A and B" is two binary searches a contact, whatever
the window. `engagements` has the totals of each delivery: some campaigns, at any time. `events` has the facts: some campaigns
within a window, and links.
"""

from datetime import UTC, datetime
from typing import Any

from tidings.audience.segments import _values
from tidings.audience.segments._condition import Condition, Context
from tidings.audience.segments._nodes import Members, Node, Not, of_activity
from tidings.audience.segments._problems import Wrong
from tidings.audience.segments._times import OPTIONS, Times, Window, times, window

KINDS = ("received", "opened", "clicked", "bounced", "complained", "unsubscribed")
TIMES_LIMIT = 999
"""A contact's activity keeps its newest thousand of each kind."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SECONDS = 2**31 - 2
_HITS = {"opened", "clicked"}
_WITH_LAST = {"opened", "human_opened", "clicked", "human_clicked", "at"}
"""Of these arrays the newest time is a column of its own, kept by the database."""
_TOTALS = {
    ("opened", True): "human_opens",
    ("opened", False): "opens",
    ("clicked", True): "human_clicks",
    ("clicked", False): "clicks",
}
_SENDS = "ARRAY(SELECT s.id FROM sends AS s WHERE s.workspace_id = $1 AND s.campaign_id = ANY ({campaigns}))"


def engagement(told: Condition, context: Context) -> Node:
    """So often, of any campaign or of `campaigns`, within `last` or `since` and `until`; `link`; `machines`: count those too."""
    hits = ("machines",) if told.field in _HITS else ()
    told.only("campaigns", *OPTIONS, *hits, *(("link",) if told.field == "clicked" else ()))
    human = not _values.boolean(told.options.get("machines", False), "machines") if hits else True
    wanted, when = times(told, most=TIMES_LIMIT), window(told, context.now)
    if "link" in told.options:
        members = _clicked_link(told, context, wanted, when, human=human)
    elif "campaigns" in told.options:
        members = _of_campaigns(told, context, wanted, when, human=human)
    elif told.field == "received":
        members = _received(context, wanted, when)
    else:
        column = f"human_{told.field}" if hits and human else told.field
        members = of_activity(_some(wanted, column, when, context))
    return Not(members) if wanted.holds_for_none else members


def _some(wanted: Times, column: str, when: Window, context: Context) -> str:
    """Whether a contact's times within the window are so many, of those that are any."""
    put = context.values.put
    last = f"{column}_last" if column in _WITH_LAST else f"{column}[cardinality({column})]"
    holds = [f"{column} IS NOT NULL"]
    # The newest and the oldest are there at once, and mostly say it already.
    if when.start:
        holds.append(f"{last} >= {put(_second(when.start), 'integer')}")
    elif when.end:
        holds.append(f"{column}[1] < {put(_second(when.end), 'integer')}")
    if not wanted.at_all:
        holds.append(wanted.of_some(_count(column, when, context)))
    if when.start and when.end:
        end = put(_second(when.end), "integer")
        holds.append(f"({last} < {end} OR {_count(column, when, context)} > 0)")
    return " AND ".join(holds)


def _count(column: str, when: Window, context: Context) -> str:
    """How many of a contact's times are within the window: how many are at or below a bound is found by bisection."""
    if when.open:
        return f"cardinality({column})"
    put = context.values.put
    last = put(_second(when.end) - 1 if when.end else _SECONDS, "integer")
    first = f" - width_bucket({put(_second(when.start) - 1, 'integer')}, {column})" if when.start else ""
    return f"(width_bucket({last}, {column}){first})"


def _second(moment: datetime) -> int:
    """The first whole second from this moment on, since 2000."""
    passed = moment - _EPOCH
    return max(-_SECONDS, min(_SECONDS, passed.days * 86400 + passed.seconds + (passed.microseconds > 0)))


def _received(context: Context, wanted: Times, when: Window) -> Members:
    """Receipts of sends that are over were gathered; those of the others, if there are any, are looked up where they are."""
    if not context.sending:
        return Members(
            f"SELECT contact_id AS id FROM contact_receipts WHERE workspace_id = $1 AND {_some(wanted, 'at', when, context)}",  # noqa: S608
            once=True,
            by_contact=True,
        )
    live = """SELECT d.contact_id, d.at FROM deliveries AS d
        JOIN sends AS s ON s.workspace_id = d.workspace_id AND s.id = d.send_id AND d.n > s.gathered_n
        WHERE d.workspace_id = $1 AND d.state IN ('sent', 'delivered') AND d.send_id = ANY (
            ARRAY(SELECT o.id FROM sends AS o WHERE o.workspace_id = $1 AND o.gathered_at IS NULL
                  AND o.campaign_id IS NOT NULL))"""
    put = context.values.put
    if when.start:
        live += f" AND d.at >= {put(when.start, 'timestamptz')}"
    if when.end:
        live += f" AND d.at < {put(when.end, 'timestamptz')}"
    if wanted.at_all:
        at_all = _some(Times(1, None), "at", when, context)
        return Members(
            f"""SELECT contact_id AS id FROM contact_receipts WHERE workspace_id = $1 AND {at_all}
            UNION ALL SELECT l.contact_id FROM ({live}) AS l"""  # noqa: S608 - our own words
        )
    # Joined, not united and grouped: mostly there is nothing live, and a scan of the receipts says it all.
    return Members(
        f"""SELECT coalesce(r.id, l.id) AS id
        FROM (SELECT contact_id AS id, {_count("at", when, context)} AS n FROM contact_receipts WHERE workspace_id = $1) AS r
        FULL JOIN (SELECT v.contact_id AS id, count(*) AS n FROM ({live}) AS v GROUP BY 1) AS l ON l.id = r.id
        WHERE coalesce(r.n, 0) + coalesce(l.n, 0) > 0 AND {wanted.of_some("(coalesce(r.n, 0) + coalesce(l.n, 0))")}""",  # noqa: S608 - our own words
        once=True,
    )


def _of_campaigns(told: Condition, context: Context, wanted: Times, when: Window, *, human: bool) -> Members:
    sends = _SENDS.format(campaigns=_campaigns(told, context))
    if told.field == "received":
        source = f"deliveries WHERE workspace_id = $1 AND send_id = ANY ({sends}) AND state IN ('sent', 'delivered')"
        return _counted(source + _within(when, context), wanted)
    if told.field in _HITS and when.open:
        total = _TOTALS[told.field, human]
        source = f"engagements WHERE workspace_id = $1 AND send_id = ANY ({sends}) AND contact_id IS NOT NULL AND {total} > 0"
        return _counted(source, wanted, count=f"sum({total})")
    kind = context.values.put(told.field, "text")
    source = f"events WHERE workspace_id = $1 AND send_id = ANY ({sends}) AND type = {kind} AND contact_id IS NOT NULL"
    return _counted(source + _agent(told, human) + _within(when, context), wanted)


def _clicked_link(told: Condition, context: Context, wanted: Times, when: Window, *, human: bool) -> Members:
    link = told.options["link"]
    sends = _SENDS.format(campaigns=_campaigns(told, context)) if "campaigns" in told.options else None
    source = "events WHERE workspace_id = $1 AND type = 'clicked' AND contact_id IS NOT NULL"
    if isinstance(link, int) and not isinstance(link, bool):
        if sends is None:
            raise Wrong(
                "link", "a number is a link's place in a campaign's message: say which campaigns, or give the address"
            )
        index = context.values.put(_values.whole(link, "link", most=32767), "smallint")
        source += f" AND send_id = ANY ({sends}) AND link = {index}"
    else:
        url = context.values.put(_values.some_text(link, "link").strip(), "text")
        only = f" AND k.send_id = ANY ({sends})" if sends else ""
        links = f"""FROM send_contents AS k, unnest(k.links) WITH ORDINALITY AS l (url, place)
                    WHERE k.workspace_id = $1 AND l.url = {url}{only}"""
        static = f"""link = ANY (ARRAY(SELECT (l.place - 1)::smallint {links}))
            AND send_id = ANY (ARRAY(SELECT k.send_id {links}))
            AND (send_id, link) IN (SELECT k.send_id, (l.place - 1)::smallint {links})"""
        # Links that Liquid made in the middle of others have no place: their address came along.
        computed = f"link IS NULL AND data ->> 'url' = left({url}, 500)" + (
            f" AND send_id = ANY ({sends})" if sends else ""
        )
        rest = _agent(told, human) + _within(when, context)
        both = f"""(SELECT contact_id FROM {source} AND {static}{rest}
                    UNION ALL SELECT contact_id FROM {source} AND {computed}{rest}) AS clicks"""  # noqa: S608
        return _counted(both, wanted)
    return _counted(source + _agent(told, human) + _within(when, context), wanted)


def _counted(source: str, wanted: Times, *, count: str = "count(*)") -> Members:
    """Those who are in the source so often; the source has a row a time."""
    if wanted.at_all:
        return Members(f"SELECT contact_id AS id FROM {source}")  # noqa: S608 - our own words
    return Members(f"SELECT contact_id AS id FROM {source} GROUP BY 1 HAVING {wanted.of_some(count)}", once=True)  # noqa: S608


def _campaigns(told: Condition, context: Context) -> str:
    some = _values.ids("campaign", told.options["campaigns"], "campaigns")
    context.campaigns += [(one, f"{context.path}.campaigns") for one in some]
    return context.values.put(some, "bigint[]")


def _agent(told: Condition, human: bool) -> str:
    return " AND agent = 'human'" if told.field in _HITS and human else ""


def _within(when: Window, context: Context) -> str:
    put: Any = context.values.put
    start = f" AND at >= {put(when.start, 'timestamptz')}" if when.start else ""
    return start + (f" AND at < {put(when.end, 'timestamptz')}" if when.end else "")

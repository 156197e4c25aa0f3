"""What the segment language means, in plain Python over plain rows: slow, naive, and written from the documentation alone."""
# ruff: noqa: E501 - see test_segments_fuzz.py

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from tidings.audience.segments._contact_fields import bucket

Row = dict[str, Any]
NEGATIVES = {
    "!=": "=",
    "not_contains": "contains",
    "not_in": "in",
    "is_not_set": "is_set",
    "not_in_the_last": "in_the_last",
}
TEXTS = ("email", "email_domain", "first_name", "last_name", "phone", "language", "time_zone")
KINDS = ("opened", "clicked", "bounced", "complained", "unsubscribed")


@dataclass
class People:
    """Rows of one workspace. `acts`: contact, type, at, agent, send, link; `receipts`: contact, at, send."""

    now: dt.datetime
    contacts: list[Row]
    subscriptions: list[Row] = field(default_factory=list)
    acts: list[Row] = field(default_factory=list)
    receipts: list[Row] = field(default_factory=list)
    told: list[Row] = field(default_factory=list)
    campaigns: dict[str, set[int]] = field(default_factory=dict)
    links: dict[int, list[str]] = field(default_factory=dict)

    def members(self, conditions: Any) -> set[int]:
        return {row["id"] for row in self.contacts if self.holds(conditions, row)}

    def holds(self, told: Any, row: Row) -> bool:
        if "and" in told:
            return all(self.holds(part, row) for part in told["and"])
        if "or" in told:
            return any(self.holds(part, row) for part in told["or"])
        if "not" in told:
            return not self.holds(told["not"], row)
        name, op, value = told["field"], told["operator"], told.get("value")
        if name in (*KINDS, "received"):
            return times(len(self._acts(told, row)), op, value)
        if name.startswith("event."):
            return self._event(told, row)
        if op in NEGATIVES:
            return not self.holds(told | {"operator": NEGATIVES[op]}, row)
        if name in TEXTS:
            text = row["email"].split("@")[1] if name == "email_domain" else row[name]
            return text != "" if op == "is_set" else compare_text(text, op, value)
        if name == "created_at":
            return op == "is_set" or compare_moment(row[name], op, value, self.now)
        if name == "status":
            return row["status"] in (value if isinstance(value, list) else [value])
        if name == "tags":
            return (
                bool(row["tags"])
                if op == "is_set"
                else bool(set(row["tags"]) & set(value if isinstance(value, list) else [value]))
            )
        if name == "contact":
            low, high = value if isinstance(value, list) else (0, value)
            return low * 100 <= bucket(row["id"], told.get("seed", "")) < high * 100
        if name in {"lists", "subscribed_at"}:
            on = [
                s
                for s in self.subscriptions
                if s["contact"] == row["id"] and s["status"] == told.get("status", "subscribed")
            ]
            if name == "lists":
                wanted = value if isinstance(value, list) else [value]
                return bool(on) if op == "is_set" else any(f"list_{s['list']}" in wanted for s in on)
            if "lists" in told:
                on = [s for s in on if f"list_{s['list']}" in told["lists"]]
            return bool(on) if op == "is_set" else any(compare_moment(s["at"], op, value, self.now) for s in on)
        assert name.startswith("attributes."), name
        return compare_json(row["attributes"].get(name[11:]), op, value, self.now)

    def _acts(self, told: Row, row: Row) -> list[Row]:
        kind = told["field"]
        source = self.receipts if kind == "received" else [a for a in self.acts if a["type"] == kind]
        found = [a for a in source if a["contact"] == row["id"]]
        if kind in {"opened", "clicked"} and not told.get("machines"):
            found = [a for a in found if a["agent"] == "human"]
        if "campaigns" in told:
            sends = set().union(*(self.campaigns[c] for c in told["campaigns"]))
            found = [a for a in found if a["send"] in sends]
        if "link" in told:
            link = told["link"]
            found = [
                a
                for a in found
                if a["link"] == link or (isinstance(link, str) and self.links[a["send"]][a["link"]] == link)
            ]
        return [a for a in found if in_window(a["at"], told, self.now)]

    def _event(self, told: Row, row: Row) -> bool:
        events = [e for e in self.told if e["contact"] == row["id"] and e["name"] == told["field"][6:]]
        if told.get("aggregate") in {"last", "first"}:
            events = [e for e in events if in_window(e["at"], told | {"operator": "is_set"}, self.now)]
        else:
            events = [e for e in events if in_window(e["at"], told, self.now)]
        for where in told.get("where", []):
            op = where["operator"]
            positive = NEGATIVES.get(op, op)
            wanted = op == positive
            events = [
                e
                for e in events
                if compare_json(e["properties"].get(where["property"]), positive, where.get("value"), self.now)
                == wanted
            ]
        op, value = told["operator"], told.get("value")
        aggregate = told.get("aggregate", "count")
        if aggregate == "count":
            return times(len(events), op, value)
        positive = NEGATIVES.get(op, op)
        if aggregate == "sum":
            amounts = [e["properties"].get(told["property"]) for e in events]
            total = sum(a for a in amounts if isinstance(a, (int, float)) and not isinstance(a, bool))
            return compare_number(total, positive, value) == (op == positive)
        events.sort(key=lambda e: (e["at"], e["id"]), reverse=aggregate == "last")
        if not events:
            holds = False
        elif "property" in told:
            holds = compare_json(events[0]["properties"].get(told["property"]), positive, value, self.now)
        else:
            holds = positive == "is_set" or compare_moment(events[0]["at"], positive, value, self.now)
        return holds == (op == positive)


def times(n: int, op: str, value: Any) -> bool:
    if op in {"is_set", "in_the_last", "before", "after"}:
        return n > 0
    if op in {"is_not_set", "not_in_the_last"}:
        return n == 0
    return compare_number(n, "=", value) == (op == "=") if op in {"=", "!="} else compare_number(n, op, value)


def in_window(at: dt.datetime, told: Row, now: dt.datetime) -> bool:
    if told["operator"] in {"in_the_last", "not_in_the_last", "before", "after"}:
        return compare_moment(at, told["operator"].removeprefix("not_"), told["value"], now)
    if "last" in told:
        return compare_moment(at, "in_the_last", told["last"], now)
    return ("since" not in told or compare_moment(at, ">=", told["since"], now)) and (
        "until" not in told or compare_moment(at, "<=", told["until"], now)
    )


def compare_number(n: Any, op: str, value: Any) -> bool:
    if op == "between":
        return value[0] <= n <= value[1]
    if op == "in":
        return n in value
    return {"=": n == value, ">": n > value, ">=": n >= value, "<": n < value, "<=": n <= value}[op]


def compare_text(text: str, op: str, value: Any) -> bool:
    text = text.lower()
    if op == "in":
        return text in [v.lower() for v in value]
    value = value.lower()
    return {
        "=": text == value,
        "contains": value in text,
        "starts_with": text.startswith(value),
        "ends_with": text.endswith(value),
    }[op]


def compare_moment(at: dt.datetime, op: str, value: Any, now: dt.datetime) -> bool:
    if op == "in_the_last":
        return now - dt.timedelta(days=value) <= at <= now
    if op == "in_the_next":
        return now <= at <= now + dt.timedelta(days=value)
    if op == "anniversary":
        return at.date() < now.date() and comes_round(at.date(), value, now)
    # A day is all of that day in UTC.
    days = [dt.date.fromisoformat(v) for v in (value if isinstance(value, list) else [value])]
    return compare_day(at.astimezone(dt.UTC).date(), op, days, now)


def compare_day(day: dt.date, op: str, days: list[dt.date], now: dt.datetime) -> bool:
    if op == "between":
        return days[0] <= day <= days[1]
    if op == "in":
        return day in days
    one = days[0]
    return {
        "=": day == one, "before": day < one, "<": day < one, "<=": day <= one, "after": day > one, ">": day > one, ">=": day >= one,
    }[op]  # fmt: skip


def comes_round(day: dt.date, value: Any, now: dt.datetime) -> bool:
    first, last = value if isinstance(value, list) else (value or 0, value or 0)
    for ahead in range(first, last + 1):
        that = now.date() + dt.timedelta(days=ahead)
        try:
            celebrated = day.replace(year=that.year)
        except ValueError:
            celebrated = dt.date(that.year, 2, 28)
        if celebrated == that:
            return True
    return False


def compare_json(found: Any, op: str, value: Any, now: dt.datetime) -> bool:
    if op == "is_set":
        return found not in (None, "")
    one = value[0] if isinstance(value, list) else value
    by_day = op in {"before", "after", "in_the_last", "in_the_next", "anniversary"} or (
        op in {">", ">=", "<", "<=", "between"} and isinstance(one, str)
    )
    if by_day:
        try:
            day = dt.date.fromisoformat(found[:10])
        except (TypeError, ValueError):
            return False
        if op == "anniversary":
            return day < now.date() and comes_round(day, value, now)
        if op in {"in_the_last", "in_the_next"}:
            other = now.date() + dt.timedelta(days=value if op == "in_the_next" else -value)
            return min(other, now.date()) <= day <= max(other, now.date())
        return compare_day(
            day, op, [dt.date.fromisoformat(v) for v in (value if isinstance(value, list) else [value])], now
        )
    if isinstance(one, bool):
        return found is one
    if isinstance(one, (int, float)):
        return isinstance(found, (int, float)) and not isinstance(found, bool) and compare_number(found, op, value)
    if found is None:
        return False
    return compare_text(str(found).lower() if isinstance(found, bool) else str(found), op, value)

"""What a check says: a finding, where it is, how bad it is, and how to mend it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MOST_ALIKE = 20
"""Findings of one code in a report; the rest is counted."""
_EXCERPT = 120


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The law or a mailbox provider forbids it, or the message cannot be made: the campaign is not launched."""
    WARNING = "warning"
    """Recipients will see it, or filters count it against the message."""
    HINT = "hint"
    """It could be better."""


class Part(StrEnum):
    """What of a message a finding is about."""

    SUBJECT = "subject"
    PREHEADER = "preheader"
    HTML = "html"
    TEXT = "text"
    SOURCE = "source"
    """The MJML, Markdown or block document that the HTML was made of."""
    SENDER = "sender"
    AUDIENCE = "audience"
    CAMPAIGN = "campaign"
    MESSAGE = "message"
    """The whole of it, as it goes out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is, in what its author wrote. `line` and `column` from 1; None for what has no place in the text."""

    part: Part
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    block: str = ""
    """The shared block it stands in, or ''."""
    path: str = ""
    """In a block document: `source.blocks[2].href`; of a campaign: the field. Else ''."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is checked."""

    code: str
    severity: Severity
    title: str
    mend: str
    why: str = ""
    """The source of the rule: a law, a standard, a provider's word."""
    written: bool = False
    """About how something is written: said only where its author wrote it, not where a compiler of ours did."""

    def at(
        self,
        place: Place,
        message: str = "",
        *,
        mend: str = "",
        severity: Severity | None = None,
        contact: int | None = None,
        share: float | None = None,
    ) -> "Finding":
        """That it is so at this place."""
        return Finding(
            self.code,
            severity or self.severity,
            place,
            message or self.title,
            mend or self.mend,
            contact=contact,
            share=share,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `code` is stable: programs may switch on it."""

    code: str
    severity: Severity
    place: Place
    message: str
    mend: str
    contact: int | None = None
    """A contact for whom it is so, where it depends on the contact."""
    share: float | None = None
    """Of the contacts that were looked at, 0 to 1."""

    def moved(self, place: Place) -> "Finding":
        """The same somewhere else."""
        return replace(self, place=place)


_RULES: dict[str, Rule] = {}


def rule(code: str, severity: Severity, title: str, mend: str, why: str = "", *, written: bool = False) -> Rule:
    """Declare a rule: each module does so for what it looks at, once."""
    assert code not in _RULES, code
    _RULES[code] = Rule(code, severity, title, mend, why, written)
    return _RULES[code]


def rules() -> Mapping[str, Rule]:
    """Every rule that is declared, by code."""
    return _RULES


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.HINT: 2}


def in_order(findings: Iterable[Finding]) -> tuple[list[Finding], dict[str, int]]:
    """The worst first, then by place, each once; at most MOST_ALIKE of a code, and how many were left off by code."""
    once = list(dict.fromkeys(findings))
    once.sort(key=lambda one: (_ORDER[one.severity], one.place.part, one.place.block, one.place.line or 0))
    seen: Counter[str] = Counter()
    kept: list[Finding] = []
    for one in once:
        seen[one.code] += 1
        if seen[one.code] <= MOST_ALIKE:
            kept.append(one)
    return kept, {code: count - MOST_ALIKE for code, count in seen.items() if count > MOST_ALIKE}


def excerpt(text: str) -> str:
    """A stretch of a source as one short line."""
    line = " ".join(text[: _EXCERPT * 4].split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"

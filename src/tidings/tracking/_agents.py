"""Person or machine: what a single request tells. Every hit is kept; this only labels it, with the reason.

Lists of user agents miss much (a scanner that pretends to be Chrome), so `human` means no more than that nothing speaks
against a person. Reports show all hits and human ones side by side.
"""

import re
from functools import cache, lru_cache
from typing import Literal

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from tidings.events import Agent

Kind = Literal["opened", "clicked"]

# Image proxies that fetch when a person looks: the open is real. https://developers.google.com/gmail/design/images
_VIEWING_PROXIES = ("GoogleImageProxy", "YahooMailProxy", "YahooCacheSystem")
# Gmail's prefetch of images of unopened mail bears the mark of an old Edge.
_GMAIL_PREFETCH = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
# Link scanners that say who they are but are on no list of crawlers.
_SCANNERS = ("BarracudaCentral", "Proofpoint", "Mimecast", "MessageLabs", "Symantec", "Trend Micro", "SafeLinks")


def classify(*, kind: Kind, method: str, user_agent: str, purpose: str = "") -> tuple[Agent, str]:
    """Who was probably behind a hit, and why we think so.

    `method` is the HTTP method, `purpose` the value of `Sec-Purpose` or `Purpose`.
    """
    if method == "HEAD":
        return Agent.MACHINE, "HEAD request"
    if "prefetch" in purpose or "preview" in purpose:
        return Agent.MACHINE, "prefetch"
    return _of_user_agent(kind, user_agent[:400])


@lru_cache(maxsize=20_000)
def _of_user_agent(kind: Kind, user_agent: str) -> tuple[Agent, str]:
    if not user_agent:
        return Agent.UNKNOWN, "no user agent"
    if user_agent == "Mozilla/5.0":
        # Apple Mail Privacy Protection: images are fetched whether or not anybody reads.
        return (Agent.MACHINE, "privacy proxy") if kind == "opened" else (Agent.UNKNOWN, "bare user agent")
    if _GMAIL_PREFETCH in user_agent:
        return Agent.MACHINE, "prefetch by Gmail"
    if any(name in user_agent for name in _VIEWING_PROXIES):
        return (Agent.HUMAN, "image proxy") if kind == "opened" else (Agent.MACHINE, "image proxy")
    if any(name in user_agent for name in _SCANNERS):
        return Agent.MACHINE, "link scanner"
    if _is_crawler(user_agent):
        return Agent.MACHINE, "crawler"
    return Agent.HUMAN, ""


def _is_crawler(user_agent: str) -> bool:
    words, patterns = _crawlers()
    return any(word in user_agent for word in words) or patterns.search(user_agent) is not None


@cache
def _crawlers() -> tuple[list[str], re.Pattern[str]]:
    """The list's patterns: most are plain words, which are looked for four times as fast as such."""
    words: list[str] = []
    others: list[str] = []
    for entry in CRAWLER_USER_AGENTS_DATA:
        pattern: str = entry["pattern"]
        word = re.sub(r"\\([^A-Za-z0-9])", r"\1", pattern)
        if re.search(r"[\[\]^$*+?{}|()\\.]", re.sub(r"\\[^A-Za-z0-9]", "", pattern)) is None:
            words.append(word)
        else:
            others.append(pattern)
    return words, re.compile("|".join(others))

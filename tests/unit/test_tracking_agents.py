"""Person or machine, from what one request says of itself."""

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler
from hypothesis import given
from hypothesis import strategies as st

from tidings.events import Agent
from tidings.tracking import classify
from tidings.tracking._agents import _is_crawler

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 "
    "Edge/12.246 Mozilla/5.0"
)
PEOPLE = [
    CHROME,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.12.0",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.17628; ms-office)",
]


@pytest.mark.parametrize("kind", ["opened", "clicked"])
@pytest.mark.parametrize("user_agent", PEOPLE)
def test_nothing_speaks_against_a_person(kind: str, user_agent: str) -> None:
    assert classify(kind=kind, method="GET", user_agent=user_agent) == (Agent.HUMAN, "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "user_agent", "expected"),
    [
        # Fetched when somebody looks.
        ("opened", GMAIL, (Agent.HUMAN, "image proxy")),
        (
            "opened",
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            (Agent.HUMAN, "image proxy"),
        ),
        # An image proxy follows no links for anybody.
        ("clicked", GMAIL, (Agent.MACHINE, "image proxy")),
        # Fetched whether or not anybody looks.
        ("opened", GMAIL_PREFETCH, (Agent.MACHINE, "prefetch by Gmail")),
        ("opened", "Mozilla/5.0", (Agent.MACHINE, "privacy proxy")),
        ("clicked", "Mozilla/5.0", (Agent.UNKNOWN, "bare user agent")),
        ("clicked", "", (Agent.UNKNOWN, "no user agent")),
        ("clicked", "BarracudaCentral/1.0", (Agent.MACHINE, "link scanner")),
        ("clicked", "curl/8.5.0", (Agent.MACHINE, "crawler")),
        (
            "clicked",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            (Agent.MACHINE, "crawler"),
        ),
        ("opened", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", (Agent.MACHINE, "crawler")),
    ],
)
def test_what_is_known_of_agents(kind: str, user_agent: str, expected: tuple[Agent, str]) -> None:
    assert classify(kind=kind, method="GET", user_agent=user_agent) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_no_person_asks_with_head_or_in_advance(user_agent: str) -> None:
    assert classify(kind="clicked", method="HEAD", user_agent=user_agent)[0] is Agent.MACHINE
    assert (
        classify(kind="opened", method="GET", user_agent=user_agent, purpose="prefetch;prerender")[0] is Agent.MACHINE
    )
    assert classify(kind="opened", method="GET", user_agent=user_agent, purpose="preview")[0] is Agent.MACHINE


def test_the_fast_look_up_is_the_list_itself() -> None:
    # The library's own function over every example that it carries, and over people.
    examples = [*PEOPLE, *(example for entry in CRAWLER_USER_AGENTS_DATA for example in entry["instances"])]
    assert len(examples) > 1000
    wrong = [text for text in examples if _is_crawler(text) != is_crawler(text)]
    assert wrong == []


@given(st.lists(st.sampled_from([entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]) | st.text(), max_size=3))
def test_the_fast_look_up_is_the_list_itself_for_any_text(parts: list[str]) -> None:
    text = " ".join(parts)
    assert _is_crawler(text) == is_crawler(text)


@given(st.sampled_from(["opened", "clicked"]), st.text(), st.text(), st.text())
def test_any_text_gets_a_label(kind: str, method: str, user_agent: str, purpose: str) -> None:
    agent, why = classify(kind=kind, method=method, user_agent=user_agent, purpose=purpose)  # type: ignore[arg-type]
    assert agent is Agent.HUMAN or why

"""What the law and mailbox providers want every marketing message to say, looked for in what comes out."""

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from typing import TypeVar

from tidings.content._checks._findings import Finding, Part, Place, Severity, rule
from tidings.content._checks._page import Element, Page, read_page
from tidings.content._checks._sampled import TOKEN, Rendered

NO_WAY_OUT = rule(
    "unsubscribe_missing",
    Severity.ERROR,
    "the message shows no unsubscribe link",
    "write {{ unsubscribe_url }} as the href of a link that everyone sees, or leave it out altogether: then the footer has it",
    "CAN-SPAM, 15 U.S.C. 7704(a)(3); GDPR 7(3) and 21; Gmail and Yahoo want it visible in the body of bulk mail",
)
NO_ADDRESS = rule(
    "postal_address_missing",
    Severity.ERROR,
    "the message does not show your postal address",
    "write {{ workspace.postal_address }} where everyone sees it, or leave it out altogether: then the footer has it",
    "CAN-SPAM, 15 U.S.C. 7704(a)(5); CASL s. 6(2)",
)
_T = TypeVar("_T")
_TAG = re.compile(r"<[^<>]{0,100}>")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_FONT_SIZE = re.compile(r"font-size\s*:\s*([\d.]++)", re.IGNORECASE)


def check_required(rendered: Rendered, *, public_url: str, postal_address: str) -> Iterator[Finding]:
    """An unsubscribe link and the address, seen by everyone, in HTML and in text. A blank address is preflight's to tell."""
    way_out = f"{public_url}/u/{TOKEN}"
    yield from _each(
        Part.HTML,
        [(contact, read_page(html)) for contact, html in rendered.html if html],
        lambda page: (
            page.cut
            or any(
                one.name in {"a", "area"} and one.get("href").strip() == way_out and not _unseen(page, index)
                for index, one in page.shown()
            )
        ),
        lambda page: page.cut or _bare(postal_address) in _bare(_seen(page)),
    )
    yield from _each(
        Part.TEXT,
        [(contact, text) for contact, text in rendered.text if text],
        lambda text: way_out in text,
        lambda text: _bare(postal_address) in _bare(text),
    )


def _each(
    part: Part, shown: Sequence[tuple[int, _T]], has_link: Callable[[_T], bool], has_address: Callable[[_T], bool]
) -> Iterator[Finding]:
    for what, has in ((NO_WAY_OUT, has_link), (NO_ADDRESS, has_address)):
        without = [contact for contact, one in shown if not has(one)]
        if without:
            share = len(without) / len(shown)
            some = "" if share == 1 else f" to {share:.0%} of contacts"
            yield what.at(Place(part), f"{what.title}{some} ({part})", contact=without[0], share=share)


def _seen(page: Page) -> str:
    return " ".join(page.text[start:end] for start, end, index in page.runs if not _unseen(page, index))


def _unseen(page: Page, index: int) -> bool:
    sized = False
    for _ in range(50):
        if index < 0:
            return False
        element: Element = page.elements[index]
        style = element.get("style")
        if _HIDDEN.search(style) or element.name in {"head", "noscript", "template"}:
            return True
        # The nearest size counts: MJML's cells have none, what is in them has one.
        if not sized and (sizes := _FONT_SIZE.findall(style)):
            if not sizes[-1].strip("0."):
                return True
            sized = True
        index = element.parent
    return False


def _bare(text: str) -> str:
    """Letters and digits alone: an address may stand on one line or on several."""
    return "".join(char for char in _TAG.sub(" ", unescape(text)).casefold() if char.isalnum())

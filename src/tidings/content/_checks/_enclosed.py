"""The files that go along: images that the HTML shows are there, and the whole is not too heavy."""

from collections.abc import Iterator, Sequence

from tidings.content._attachment_rules import HEAVY, wire_size
from tidings.content._attachments import Attached
from tidings.content._checks._findings import Finding, Part, Place, Severity, rule
from tidings.content._checks._page import Page

NOT_ENCLOSED = rule(
    "image_not_attached",
    Severity.WARNING,
    "the HTML shows an image as cid:…, but no attachment has this content_id: nobody sees it",
    "attach the image with this content_id, or use its https:// address",
    "RFC 2392",
)
NOT_SHOWN = rule(
    "attachment_not_shown",
    Severity.HINT,
    "an attachment has a content_id that the HTML does not show: some clients hide it, others list it",
    "show it as cid:…, or attach it without a content_id",
    "RFC 2387",
)
HEAVY_MESSAGE = rule(
    "message_heavy",
    Severity.WARNING,
    "with its attachments the message is larger than 10 MB, which many companies' servers refuse",
    "send links in place of the files",
)


def check_enclosed(pages: Sequence[Page], attached: Sequence[Attached]) -> Iterator[Finding]:
    """`pages`: the HTML and its blocks; `attached`: all files of the message."""
    there = {one.content_id.lower() for one in attached if one.content_id}
    dynamic = False
    for page in pages:
        for _, element in page.shown():
            source = element.attributes.get("src") or element.attributes.get("background")
            if source is None or source.value.strip()[:4].lower() != "cid:":
                continue
            if source.dynamic:
                dynamic = True
                continue
            name = source.value.strip()[4:].lower()
            if name not in there:
                yield NOT_ENCLOSED.at(page.place(source.start, source.end))
    html = "".join(page.text for page in pages).lower()
    for one in attached:
        # Anywhere at all: styles may show it, too.
        if one.content_id and not dynamic and f"cid:{one.content_id.lower()}" not in html:
            yield NOT_SHOWN.at(Place(Part.MESSAGE), f"{one.filename}: {NOT_SHOWN.title}")
    if attached and (size := wire_size([one.size for one in attached])) > HEAVY:
        yield HEAVY_MESSAGE.at(Place(Part.MESSAGE), f"{size / 1e6:.0f} MB: {HEAVY_MESSAGE.title}")

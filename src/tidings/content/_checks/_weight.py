"""How heavy a message is, and how much of it is text."""

from collections.abc import Iterator

from tidings.content._checks._findings import Finding, Part, Place, Severity, rule
from tidings.content._checks._page import Page

GMAIL_CLIPS = 102 * 1024
"""Bytes of the HTML part, decoded, beyond which Gmail shows the rest only when asked."""
_NEAR = 0.9

CLIPPED = rule(
    "gmail_clips",
    Severity.WARNING,
    "Gmail shows the first 102 KB of the HTML: what follows, the footer with the way to leave among it, is cut off",
    "shorten it: fewer sections, no repeated inline styles, no comments",
    "Gmail clips messages larger than 102 KB",
)
NEARLY_CLIPPED = rule(
    "gmail_clips_nearly",
    Severity.HINT,
    "the HTML is close to the 102 KB that Gmail shows: values of some contacts may carry it over",
    "shorten it a little",
)
LITTLE_TEXT = rule(
    "text_ratio",
    Severity.HINT,
    "there is little text for so much HTML: filters compare the two",
    "write more of it as text, or use less markup",
    "SpamAssassin: HTML_IMAGE_RATIO, MPART_ALT_DIFF",
)
IMAGES_ONLY = rule(
    "image_only",
    Severity.WARNING,
    "the message is made of images: with images off there is nothing to read, and filters take it for spam",
    "put what matters into text",
    "SpamAssassin: HTML_IMAGE_ONLY",
)
_MUCH = 20_000
_RATIO = 0.02
_FEW_WORDS = 60


def check_size(largest: int, *, share: float, contact: int | None) -> Iterator[Finding]:
    """`largest` of the HTML parts in bytes as they are sent, the `share` of contacts beyond the limit, and one of them."""
    place = Place(Part.MESSAGE)
    if largest > GMAIL_CLIPS:
        yield CLIPPED.at(place, f"{largest / 1024:.0f} KB: {CLIPPED.title}", contact=contact, share=share)
    elif largest > GMAIL_CLIPS * _NEAR:
        yield NEARLY_CLIPPED.at(place, f"{largest / 1024:.0f} KB: {NEARLY_CLIPPED.title}", contact=contact)


def check_text(page: Page, html: str) -> Iterator[Finding]:
    """Of a rendered message without its footer."""
    letters = sum(len("".join(page.text[start:end].split())) for start, end, _ in page.runs)
    images = sum(one.name == "img" for _, one in page.shown())
    if images and letters < _FEW_WORDS:
        yield IMAGES_ONLY.at(Place(Part.HTML), f"{letters} characters beside {images} images: {IMAGES_ONLY.title}")
    elif len(html) > _MUCH and letters < _RATIO * len(html):
        yield LITTLE_TEXT.at(
            Place(Part.HTML), f"{letters / len(html):.1%} of the HTML is text: filters compare the two"
        )

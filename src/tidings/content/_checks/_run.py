"""All checks of a message's content that ask neither the database nor the network."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, cast

from tidings.content._aside import apart
from tidings.content._attachments import Attached
from tidings.content._checks._clients import check_clients
from tidings.content._checks._contrast import check_contrast
from tidings.content._checks._enclosed import check_enclosed
from tidings.content._checks._findings import Finding, Part, Place, Severity, rule
from tidings.content._checks._images import check_images
from tidings.content._checks._links import check_links, check_text_links, static_links
from tidings.content._checks._page import MOST_ELEMENTS, Page, read_page
from tidings.content._checks._places import in_source
from tidings.content._checks._required import check_required
from tidings.content._checks._sampled import Rendered, render_for
from tidings.content._checks._structure import check_structure
from tidings.content._checks._subject import check_preheader, check_subject
from tidings.content._checks._weight import check_text
from tidings.content._context import Occasion, Row
from tidings.content._origins import Written
from tidings.content._outermost import document_of
from tidings.content._own_tags import RecipientUrls
from tidings.content._parse import TemplateInvalid
from tidings.content._parts import unpack
from tidings.content._sources import SourceType
from tidings.content._sources._inline import inline_css
from tidings.core.clock import steady

BROKEN = rule(
    "liquid_invalid",
    Severity.ERROR,
    "the Liquid has a mistake in it",
    "correct it at this place",
)
_MOST_MATCHES = 3_000_000
"""Rules times elements: matching more of them would take seconds, so that contrast is left out."""
_MOST_LINKS = 1000
_BELIEVED_SECONDS, _MOST_KNOWN = 60.0, 1000
_KNOWN: dict[bytes, tuple[float, tuple[Finding, ...]]] = {}
"""What keeps a content from being launched, by a hash of all that it was looked over with; until when that is believed."""
_MOST_FINDINGS = 2000
"""Of one module in one page: whoever has more has other worries than the exact number."""
_PLACE = re.compile(r"line (\d+), column (\d+): ")
_FIELDS = {"subject": Part.SUBJECT, "html_content": Part.HTML, "text_content": Part.TEXT, "source": Part.SOURCE}


_Told = tuple[tuple[int, str], str, str, str]
"""What `_occasion` takes: what it makes cannot be handed to another process."""


@dataclass(frozen=True, slots=True)
class Checkable:
    """A message's content as it would be sent, and as its author wrote it. Texts have their blocks packed in."""

    subject: str
    html: str
    text: str
    text_written: bool
    """The text is its author's; else it was derived."""
    source_type: SourceType = SourceType.HTML
    source: str = ""
    """What the HTML was compiled from; '' where it is the source itself."""
    attached: Sequence[Attached] | None = None
    """Files that go along; None: nobody knows yet."""
    written: str = ""
    """The HTML without what was put into it since, such as a preheader; '' where nothing was."""
    inline_css: bool = False
    """The source's styles were inlined."""
    preheader: str = ""
    """What was put into the HTML; '' where nothing was."""


@dataclass(frozen=True, slots=True)
class ContentReport:
    """What was found, and what others need to go on: links to be tried, what was not looked at and why."""

    findings: tuple[Finding, ...]
    links: tuple[tuple[str, bool, Place], ...]
    """(address, is it an image, where), each address once."""
    not_run: tuple[tuple[str, str], ...] = ()
    """(what was not checked, why)."""


async def check_content(
    content: Checkable,
    *,
    rows: Sequence[Row],
    real: bool,
    workspace_name: str,
    postal_address: str,
    campaign: tuple[int, str] = (0, ""),
    public_url: str,
) -> ContentReport:
    """Look a message over. `rows` are contacts as `_context` numbers them, or a made-up one if not `real`.

    Never raises for what an author wrote, but TooSlow for what cannot be read in time.
    """
    told = (campaign, workspace_name, postal_address, public_url)
    return await apart(_check, content, _plain(rows), real, told)


async def check_mandatory(
    content: Checkable, *, rows: Sequence[Row], workspace_name: str, postal_address: str
) -> list[Finding]:
    """Only what keeps a campaign from being launched, for a few of its contacts.

    Thousands that are due at once often say the same to the same people: that is looked over once a minute.
    """
    told, plain = ((0, ""), workspace_name, postal_address, "https://unsubscribe.invalid"), _plain(rows)
    key, now = blake2b(repr((content, plain, told)).encode(), digest_size=16).digest(), steady()
    until, known = _KNOWN.get(key, (0.0, ()))
    if now < until:
        return list(known)
    found = await apart(_mandatory, content, plain, told)
    errors = [one for one in found if one.severity is Severity.ERROR]
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
    _KNOWN[key] = now + _BELIEVED_SECONDS, tuple(errors)
    return errors


def _plain(rows: Sequence[Row]) -> list[Row]:
    """Rows of the database cannot be handed to another process."""
    return [tuple(cast("Any", row)) for row in rows]


def _occasion(campaign: tuple[int, str], workspace_name: str, postal_address: str, public_url: str) -> Occasion:
    return Occasion(
        campaign_id=campaign[0],
        campaign_name=campaign[1],
        workspace_name=workspace_name,
        postal_address=postal_address,
        urls=RecipientUrls(public_url, lambda _token, destination: destination),
    )


def _mandatory(content: Checkable, rows: Sequence[Row], told: _Told) -> list[Finding]:
    findings, _ = _rendered(content, rows, _occasion(*told), (), real=True)
    return findings


def _check(content: Checkable, rows: Sequence[Row], real: bool, told: _Told) -> ContentReport:
    occasion = _occasion(*told)
    pages = list(_pages(content))
    document = "" if content.source else _document(content)
    findings: list[Finding] = []
    not_run: list[tuple[str, str]] = []
    for page in pages:
        for found in (check_links(page), check_images(page), check_clients(page)):
            findings += islice(found, _MOST_FINDINGS)
        findings += check_structure(page, whole=page.block == document)
        if page.cut:
            not_run.append((f"the HTML after its first {MOST_ELEMENTS:,} elements", "there are too many"))
        if _too_much(page):
            not_run.append(("contrast", "there are too many style rules for so many elements"))
        elif (styled := _styled(page)) is None:
            not_run.append(("contrast", "the CSS cannot be read"))
        else:
            findings += check_contrast(page, styled)
    if content.attached is not None:
        findings += islice(check_enclosed(pages, content.attached), _MOST_FINDINGS)
    findings += _text(content, findings)
    made, rendered = _rendered(content, rows, occasion, pages, real=real)
    findings += made
    if rendered is not None:
        findings += check_subject(rendered.subjects, content.subject)
        html = next((one for _, one in rendered.html if one), "")
        if html:
            page = read_page(html)
            findings += [*check_preheader(page), *check_text(page, html)]
    if content.source:
        findings = list(in_source(findings, kind=content.source_type, source=content.source))
    links: dict[str, tuple[str, bool, Place]] = {}
    for page in pages:
        for url, element in static_links(page):
            if url not in links and len(links) < _MOST_LINKS:
                links[url] = (url, element.name == "img", page.tag(element))
    return ContentReport(tuple(findings), tuple(links.values()), tuple(dict.fromkeys(not_run)))


def _pages(content: Checkable) -> Iterator[Page]:
    """What was written as HTML, the blocks too. HTML whose styles were inlined is looked at as it was before."""
    parts = unpack(content.html)
    main = content.written or parts.main
    if content.source and content.source_type is SourceType.HTML:
        main = content.source
    yield read_page(main)
    for name, html in parts.blocks.items():
        yield read_page(html, block=name)


def _document(content: Checkable) -> str:
    try:
        return document_of(unpack(content.html))
    except TemplateInvalid:
        return ""


def _too_much(page: Page) -> bool:
    rules = sum(page.text.count("{", style.start, style.end) for style in page.styles)
    selectors = sum(page.text.count(",", style.start, style.end) for style in page.styles)
    return (rules + selectors) * len(page.elements) > _MOST_MATCHES


def _styled(page: Page) -> Page | None:
    try:
        return read_page(inline_css(page.source, field="html_content")) if page.styles else page
    except TemplateInvalid:
        return None


def _text(content: Checkable, found: Sequence[Finding]) -> Iterator[Finding]:
    """Of the text only what is not told of the HTML already."""
    if not content.text_written:
        return
    told = {(one.code, one.place.excerpt) for one in found}
    parts = unpack(content.text)
    for name, text in (("", parts.main), *parts.blocks.items()):
        page = read_page(text, part=Part.TEXT, block=name)
        yield from (one for one in check_text_links(page) if (one.code, one.place.excerpt) not in told)


def _rendered(
    content: Checkable, rows: Sequence[Row], occasion: Occasion, pages: Sequence[Page], *, real: bool
) -> tuple[list[Finding], Rendered | None]:
    try:
        rendered = render_for(
            content.subject,
            content.html,
            content.text,
            rows=rows,
            occasion=occasion,
            pages=pages,
            real=real,
            written=Written(
                content.source, content.source_type, content.inline_css, content.written, content.preheader
            ),
            text_written=content.text_written,
        )
    except TemplateInvalid as error:
        return [invalid_liquid(one.field, one.message) for one in error.fields], None
    required = check_required(rendered, public_url=occasion.urls.base, postal_address=occasion.postal_address)
    return [*rendered.findings, *required], rendered


def invalid_liquid(field: str, message: str) -> Finding:
    """A mistake in Liquid, MJML or a block document, in the words of TemplateInvalid: `line 3, column 14: …`."""
    found = _PLACE.match(message)
    part = _FIELDS.get(re.split(r"[.\[]", field, maxsplit=1)[0], Part.HTML)
    place = Place(part, path=field if re.search(r"[.\[]", field) else "")
    if found:
        place = replace(place, line=int(found[1]), column=int(found[2]))
    return BROKEN.at(place, message[found.end() if found else 0 :])

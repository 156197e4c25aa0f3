"""Images: what shows in their place, where they come from, and what they leave unsaid."""

import re
from collections.abc import Iterator

from tidings.content._checks._addresses import Trouble, troubles
from tidings.content._checks._findings import Finding, Severity, rule
from tidings.content._checks._page import Element, Page

NO_ALT = rule(
    "image_without_alt",
    Severity.WARNING,
    "an image without alt text: many clients show images only when asked, and screen readers read out its address",
    'add alt="what it shows", or alt="" if it is mere decoration',
    "WCAG 2.2, 1.1.1",
)
NO_SIZE = rule(
    "image_without_size",
    Severity.HINT,
    "an image without width: the message jumps when it loads, and Outlook shows it in its own size",
    'add width="…" in pixels, without a unit',
)
_SOURCE_RULES = {
    Trouble.EMPTY: rule("image_source_empty", Severity.WARNING, "an image without a source", "give it an address"),
    Trouble.RELATIVE: rule(
        "image_source_relative",
        Severity.WARNING,
        "a relative source: nobody will see this image",
        "write the whole address with https://",
    ),
    Trouble.SCHEME: rule(
        "image_source_scheme",
        Severity.WARNING,
        "clients load images over https only",
        "upload the image, and use its https:// address",
    ),
    Trouble.MALFORMED: rule(
        "image_source_malformed", Severity.WARNING, "this is no web address", "correct the address of the image"
    ),
    Trouble.INSECURE: rule(
        "image_source_insecure",
        Severity.WARNING,
        "an image over http: clients block or warn of what is not encrypted",
        "use https://",
    ),
    Trouble.PRIVATE: rule(
        "image_source_private",
        Severity.WARNING,
        "this image is reached from inside your network only",
        "upload it to where the public can load it",
    ),
    Trouble.PLACEHOLDER: rule(
        "image_source_placeholder", Severity.WARNING, "this image is a placeholder", "put the real one in its place"
    ),
}
DATA = rule(
    "image_data_uri",
    Severity.WARNING,
    "an image inside of the HTML (data:): Gmail and Outlook drop it, and it counts towards Gmail's clipping size",
    "upload the image, and use its https:// address",
    "caniemail.com: image-base64",
)
FORMAT = rule(
    "image_format",
    Severity.WARNING,
    "not every client shows images of this format",
    "use PNG, JPEG or GIF",
    "caniemail.com: image formats",
)
_FORMATS = {
    "svg": "Gmail does not show SVG",
    "webp": "Outlook for Windows does not show WebP",
    "avif": "Outlook for Windows and many others do not show AVIF",
    "heic": "few clients show HEIC",
    "heif": "few clients show HEIF",
    "tif": "few clients show TIFF",
    "tiff": "few clients show TIFF",
    "bmp": "not every client shows BMP",
    "mp4": "an image element with a film is shown by Apple Mail only",
}
_ENDING = re.compile(r"\.([a-z0-9]{3,4})(?:[?#]|\Z)", re.IGNORECASE)
_WIDTH = re.compile(r"(?:^|[;\s])(?:max-)?width\s*:", re.IGNORECASE)


def check_images(page: Page) -> Iterator[Finding]:
    """Each `<img>`."""
    for _, element in page.shown():
        if element.name != "img":
            continue
        if "alt" not in element.attributes:
            yield NO_ALT.at(page.tag(element))
        if not _tiny(element) and not element.get("width").strip() and not _WIDTH.search(element.get("style")):
            yield NO_SIZE.at(page.tag(element))
        yield from _source(page, element)


def _source(page: Page, element: Element) -> Iterator[Finding]:
    source = element.attributes.get("src")
    if source is None:
        yield _SOURCE_RULES[Trouble.EMPTY].at(page.tag(element))
        return
    value = source.value.strip()
    if value[:5].lower() == "data:":
        yield DATA.at(page.tag(element), f"{DATA.title} ({len(value):,} characters)")
        return
    ending = _ENDING.search(value[-200:])
    if ending and ending[1].lower() in _FORMATS:
        yield FORMAT.at(page.place(source.start, source.end), _FORMATS[ending[1].lower()])
    if source.dynamic or value[:4].lower() == "cid:":
        return
    for trouble in troubles(value):
        found = _SOURCE_RULES.get(Trouble.RELATIVE if trouble is Trouble.FRAGMENT else trouble)
        if found is not None:
            place = page.tag(element) if trouble is Trouble.EMPTY else page.place(source.start, source.end)
            yield found.at(place)


def _tiny(element: Element) -> bool:
    return element.get("width").strip() in {"0", "1"} or element.get("height").strip() in {"0", "1"}

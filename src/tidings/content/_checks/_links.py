"""Links: where they lead, as far as it is written, and what they look like."""

import re
from collections.abc import Iterator

from tidings.content._checks._addresses import Trouble, host_of, troubles
from tidings.content._checks._findings import Finding, Severity, rule
from tidings.content._checks._page import Element, Page

_LINK_RULES = {
    Trouble.EMPTY: rule(
        "link_empty", Severity.WARNING, "a link leads nowhere: its href is empty or missing", "give it an address"
    ),
    Trouble.FRAGMENT: rule(
        "link_fragment",
        Severity.WARNING,
        "a link leads to a place in the message that is not there",
        "give it an https:// address, or give the element that it leads to this id",
    ),
    Trouble.RELATIVE: rule(
        "link_relative",
        Severity.WARNING,
        "a relative link: a message has no address that it could be relative to",
        "write the whole address with https://",
    ),
    Trouble.SCHEME: rule(
        "link_scheme",
        Severity.WARNING,
        "clients do not follow links of this kind",
        "use https:, mailto: or tel:",
    ),
    Trouble.MALFORMED: rule(
        "link_malformed", Severity.WARNING, "this is no web address", "correct it: https://, a host name, a path"
    ),
    Trouble.INSECURE: rule(
        "link_insecure",
        Severity.WARNING,
        "a link without TLS: browsers warn of such pages, and filters count it",
        "use https:// if the site has it",
    ),
    Trouble.PRIVATE: rule(
        "link_private",
        Severity.WARNING,
        "this address is reached from inside your network only",
        "use the address that the public knows",
    ),
    Trouble.PLACEHOLDER: rule(
        "link_placeholder",
        Severity.WARNING,
        "this address is a placeholder",
        "put the real one in its place",
        "RFC 2606, RFC 6761: names for examples",
    ),
    Trouble.SHORTENER: rule(
        "link_shortener",
        Severity.WARNING,
        "a link shortener hides where the link leads: block lists have these domains, for what others do with them",
        "link to the page itself: Tidings counts its clicks anyway",
    ),
    Trouble.NUMERIC: rule(
        "link_numeric_host",
        Severity.WARNING,
        "a link to a bare IP address looks like phishing to filters",
        "use a host name",
    ),
    Trouble.CREDENTIALS: rule(
        "link_credentials",
        Severity.WARNING,
        "a link with a user name in it: browsers drop it, filters take it for phishing",
        "leave out what stands before the @",
    ),
}
MISMATCH = rule(
    "link_text_mismatch",
    Severity.WARNING,
    "the text of a link shows another address than it leads to, as in phishing",
    "let the text say what is behind the link, or show the address that it leads to",
)
SHOWN_ADDRESS = rule(
    "link_text_is_address",
    Severity.HINT,
    "the text of a link is an address, while the link that is sent leads through the one that counts clicks",
    "write words instead, such as 'our shop'",
)
NO_TEXT = rule(
    "link_without_text",
    Severity.WARNING,
    "a link without text: screen readers have nothing to read out",
    "put words into it, or give its image an alt text",
    "WCAG 2.2, 2.4.4",
)
VAGUE = rule(
    "link_text_vague",
    Severity.HINT,
    "the text of a link does not say where it leads",
    "say what is behind it: people who use screen readers go from link to link",
    "WCAG 2.2, 2.4.4",
)
_ADDRESS = re.compile(r"(?:https?://)?(?:[\w-]{1,63}\.){1,10}[a-z]{2,20}(?:[/?#:]\S{0,500})?", re.IGNORECASE)
_ENDINGS = frozenset({"com", "org", "net", "de", "fr", "uk", "eu", "io", "co", "ch", "at", "nl", "it", "es", "info"})
_VAGUE = frozenset(
    {"click here", "here", "click", "more", "read more", "link", "this link", "hier", "hier klicken", "mehr"}
    | {"weiterlesen", "ici", "cliquez ici", "en savoir plus", "aquí", "clic aquí", "qui", "clicca qui"}
)
_TEXT_URL = re.compile(r"""\bhttps?://[^\s<>"']{1,2000}""", re.IGNORECASE)


def check_links(page: Page) -> Iterator[Finding]:
    """Links of `<a>` and `<area>`."""
    ids: set[str] | None = None
    for index, element in page.shown():
        if element.name not in {"a", "area"}:
            continue
        href = element.attributes.get("href")
        if href is None:
            if not element.attributes.keys() & {"name", "id"}:
                yield _LINK_RULES[Trouble.EMPTY].at(page.tag(element))
            continue
        if not href.dynamic:
            for trouble in troubles(href.value):
                if trouble is Trouble.FRAGMENT:
                    if ids is None:
                        ids = {one.get("id") or one.get("name") for one in page.elements}
                    if href.value.strip()[1:] in ids - {""}:
                        continue
                place = page.tag(element) if trouble is Trouble.EMPTY else page.place(href.start, href.end)
                yield _LINK_RULES[trouble].at(place)
        if element.name == "a":
            yield from _text(page, element, index)


def check_text_links(page: Page) -> Iterator[Finding]:
    """Addresses in a text part. `page` is read as HTML would be, for its places alone."""
    for found in _TEXT_URL.finditer(page.text):
        url = found[0].rstrip(".,;:!?*_]})")
        if page.atom in url:
            continue
        for trouble in troubles(url):
            yield _LINK_RULES[trouble].at(page.place(found.start(), found.start() + len(url)))


def static_links(page: Page) -> Iterator[tuple[str, Element]]:
    """(address, element) of web links and images that are the same for everyone."""
    for _, element in page.shown():
        name = {"a": "href", "area": "href", "img": "src"}.get(element.name)
        found = element.attributes.get(name) if name else None
        if found is not None and not found.dynamic and re.match(r"\s*https?://", found.value, re.IGNORECASE):
            yield re.sub(r"[\t\r\n]", "", found.value).strip(), element


def _text(page: Page, element: Element, index: int) -> Iterator[Finding]:
    words = page.words(element.end, element.close)
    if not words:
        has_words = page.has_liquid(element.end, element.close) or element.get("aria-label") or element.get("title")
        if not has_words and not _image_text(page, element, index):
            yield NO_TEXT.at(page.tag(element))
        return
    if words.lower().strip(" .!»›→>") in _VAGUE:
        yield VAGUE.at(page.tag(element), f"the text '{words}' of a link does not say where it leads")
    shown = _address(words)
    href = element.attributes["href"]
    if not shown or href.dynamic or not (target := host_of(href.value)):
        return
    if _related(shown, target):
        yield SHOWN_ADDRESS.at(page.tag(element))
    else:
        yield MISMATCH.at(page.tag(element), f"the text of a link shows {shown}, but it leads to {target}")


def _image_text(page: Page, element: Element, index: int) -> bool:
    for one in page.elements[index + 1 : index + 40]:
        if one.start >= element.close:
            break
        if one.name == "img" and one.get("alt").strip():
            return True
    return False


def _address(words: str) -> str:
    """The host that a text shows, if the text is an address."""
    if " " in words or not (found := _ADDRESS.fullmatch(words.rstrip(".,;:!"))):
        return ""
    text = found[0] if found[0].lower().startswith("http") else f"https://{found[0]}"
    host = host_of(text)
    # `Tidings.app` may be a name, `node.js` is one.
    plain = not words.lower().startswith(("http", "www."))
    return "" if plain and host.rpartition(".")[2] not in _ENDINGS else host


def _related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")

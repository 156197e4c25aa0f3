"""What those need who do not see the message: language, title, headings in order, tables that say they are layout."""

from collections.abc import Iterator

from tidings.content._checks._findings import Finding, Part, Place, Severity, rule
from tidings.content._checks._page import Page

NO_LANGUAGE = rule(
    "language_missing",
    Severity.HINT,
    "the message does not say which language it is in, so that screen readers guess",
    'write <html lang="en">, <mjml lang="en">, or "language": "en" in a block document',
    "WCAG 2.2, 3.1.1",
)
NO_TITLE = rule(
    "title_missing",
    Severity.HINT,
    "no title: it names the message when it is opened in a browser, and for screen readers",
    "add <title> to the <head>, or <mj-title>",
    "WCAG 2.2, 2.4.2",
)
HEADINGS = rule(
    "heading_order",
    Severity.HINT,
    "a heading skips a level",
    "go from <h1> to <h2> to <h3>; the size is a matter of style",
    "WCAG 2.2, 1.3.1",
)
NO_HEADING = rule(
    "heading_missing",
    Severity.HINT,
    "a long message without headings",
    "use <h1> and <h2> for what looks like headings",
    "WCAG 2.2, 2.4.6",
)
LAYOUT_TABLE = rule(
    "table_without_role",
    Severity.HINT,
    "tables for layout are read out as tables",
    'add role="presentation" to each table that holds no data',
    "WCAG 2.2, 1.3.1",
    written=True,
)
_LONG = 3000


def check_structure(page: Page, *, whole: bool) -> Iterator[Finding]:
    """Structure of a page; `whole`: it is a message, not a block of one."""
    elements = [one for _, one in page.shown()]
    if whole:
        root = next((one for one in elements if one.name == "html"), None)
        told = [one.get("lang").strip().lower() for one in elements[:8]]
        # MJML writes "und" for what it was not told.
        if not any(one and one != "und" for one in told):
            yield NO_LANGUAGE.at(page.tag(root) if root else Place(Part.HTML))
        if not (page.title or "").strip():
            yield NO_TITLE.at(Place(Part.HTML))
    level = 0
    for one in elements:
        if len(one.name) == 2 and one.name[0] == "h" and one.name[1] in "123456":
            now = int(one.name[1])
            if level and now > level + 1:
                yield HEADINGS.at(page.tag(one), f"<h{now}> follows <h{level}>: a level is left out")
            level = now
    if whole and not level and sum(end - start for start, end, _ in page.runs) > _LONG:
        yield NO_HEADING.at(Place(Part.HTML))
    data = set(_tables_of_data(page))
    silent = [
        index
        for index, one in page.shown()
        if one.name == "table" and not one.get("role").strip() and index not in data
    ]
    if silent:
        first = page.elements[silent[0]]
        yield LAYOUT_TABLE.at(page.tag(first), f"{LAYOUT_TABLE.title}: {len(silent)} of them say nothing else")


def _tables_of_data(page: Page) -> Iterator[int]:
    """Those with a heading of a column or of a row, or a caption."""
    for one in page.elements:
        if one.name in {"th", "caption"}:
            index = one.parent
            for _ in range(3):
                if index < 0:
                    break
                if page.elements[index].name == "table":
                    yield index
                    break
                index = page.elements[index].parent

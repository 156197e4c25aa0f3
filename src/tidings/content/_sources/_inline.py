"""CSS inlined without rewriting: css-inline is asked what style each element gets, and only that is written into the source."""

import re

from css_inline import CSSInliner, InlineError

from tidings.content._markup import TOKENS
from tidings.content._sources._held import hold, refused
from tidings.content._sources._tags import Edit, Tag

_INLINER = CSSInliner(keep_style_tags=True, load_remote_stylesheets=False, inline_style_tags=True)
_SKIPPED = frozenset(["html", "head", "style", "script", "title", "meta", "link", "base", "body-less"])
_MARK = "data-tidings-n"
_ANSWER = re.compile(
    rf"<[a-z][^\s<>]*((?:[^<>\"]|\"[^\"]*\")*? {_MARK}=\"(\d+)\"(?:[^<>\"]|\"[^\"]*\")*)>", re.IGNORECASE
)
_STYLE = re.compile(r'\sstyle="([^"]*)"', re.IGNORECASE)
_MOST_NESTED = 400


def inline_css(source: str, *, field: str) -> str:
    """The source with a `style` for each element that rules of its `<style>` match; all else is left byte for byte.

    Classes that only Liquid knows are not matched, and every branch of a condition is there for selectors that count
    siblings; the `<style>` stays for those. Raises TemplateInvalid.
    """
    if "<style" not in source.lower():
        return source
    held = hold(source)
    text, atom = held.masked.text, held.masked.atom
    marked: list[str] = []
    tags: list[Tag] = []
    done = depth = 0
    for token in TOKENS.finditer(text):
        marked.append(text[done : token.start()].replace(atom, ""))
        done = token.end()
        if token["hidden"] is not None:
            # A style whose Liquid is left out may read otherwise; Outlook's comments are its own.
            marked.append(token[0].replace(atom, ""))
            continue
        name = token["name"]
        if token["close"]:
            depth -= 1
            marked.append(token[0].replace(atom, ""))
            continue
        depth += 1
        if depth > _MOST_NESTED * 10:
            raise refused(field, source, held.position(token.start()), "elements are nested too deep")
        if name.lower() in _SKIPPED or not token[0].endswith(">"):
            marked.append(token[0].replace(atom, ""))
            continue
        tag = Tag(held, *token.span("attributes"))
        marked.append(f'<{name} {" ".join(tag.certain())} {_MARK}="{len(tags)}">')
        tags.append(tag)
    marked.append(text[done:].replace(atom, ""))
    try:
        answer = _INLINER.inline("".join(marked))
    except (InlineError, ValueError) as error:
        at = source.lower().find("<style")
        raise refused(field, source, at, f"the CSS cannot be inlined: {error}") from None
    edits: list[Edit] = []
    styled: set[int] = set()
    for attributes, number in _ANSWER.findall(answer):
        style = _STYLE.search(" " + attributes)
        # Where elements are not closed in order, browsers and css-inline repeat them.
        if style is None or int(number) >= len(tags) or int(number) in styled:
            continue
        styled.add(int(number))
        edits += tags[int(number)].styled(style[1])
    out: list[str] = []
    done = 0
    # In the order of the source: what stands in a table and does not belong there was moved before it.
    for start, end, written in sorted(edits, key=lambda edit: edit[:2]):
        out += [text[done:start], written]
        done = end
    out.append(text[done:])
    return held.masked.restore("".join(out), 0)

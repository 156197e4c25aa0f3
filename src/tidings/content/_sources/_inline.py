"""CSS inlined without rewriting: css-inline is asked what style each element gets, and only that is written into the source."""

import re

from css_inline import CSSInliner, InlineError

from tidings.content._markup import TOKENS, tag_attributes
from tidings.content._sources._held import hold, refused

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
    held = hold(source)
    if "<style" not in source.lower():
        return source
    text = held.masked.text
    marked: list[str] = []
    found: list[tuple[int, int, str | None, int]] = []
    done = depth = 0
    for token in TOKENS.finditer(text):
        marked.append(text[done : token.start()].replace(held.masked.atom, ""))
        done = token.end()
        if token["hidden"] is not None:
            # A style whose Liquid is left out may read otherwise; Outlook's comments are its own.
            marked.append(token[0].replace(held.masked.atom, ""))
            continue
        name = token["name"]
        if token["close"]:
            depth -= 1
            marked.append(token[0])
            continue
        depth += 1
        if depth > _MOST_NESTED * 10:
            raise refused(field, source, held.position(token.start()), "elements are nested too deep")
        if name.lower() in _SKIPPED or not token[0].endswith(">"):
            marked.append(token[0].replace(held.masked.atom, ""))
            continue
        # Attributes as they are but for the style: ours goes before it.
        start = token.start("attributes")
        old: tuple[int, int, str] | None = None
        kept: list[str] = []
        for one in tag_attributes(token["attributes"]):
            if one[1].lower() == "style":
                old = (start + one.start(2), start + one.end(2), one[2])
            else:
                kept.append(one[0].replace(held.masked.atom, held.stem))
        number = len(found)
        found.append((token.start("attributes"), old[0] if old else -1, old[2] if old else None, old[1] if old else -1))
        marked.append(f'<{name} {" ".join(kept)} {_MARK}="{number}">')
    marked.append(text[done:].replace(held.masked.atom, ""))
    try:
        answer = _INLINER.inline("".join(marked))
    except (InlineError, ValueError) as error:
        at = source.lower().find("<style")
        raise refused(field, source, at, f"the CSS cannot be inlined: {error}") from None
    out: list[str] = []
    done = 0
    for attributes, number in _ANSWER.findall(answer):
        style = _STYLE.search(" " + attributes)
        if style is None or int(number) >= len(found):
            continue
        at, old_start, old_value, old_end = found[int(number)]
        if at < done:
            continue
        written = _merged(style[1], old_value)
        if old_value is None:
            out += [held.masked.text[done:at], f' style="{written}"']
            done = at
        else:
            out += [held.masked.text[done:old_start], f'"{written}"']
            done = old_end
    out.append(held.masked.text[done:])
    return held.masked.restore("".join(out), 0)


def _merged(rules: str, own: str | None) -> str:
    """Rules first, then the element's own, then what rules call important: the cascade of CSS."""
    if own is None:
        return rules
    own = own[1:-1] if own[:1] in {'"', "'"} else own
    declared = [one.strip() for one in re.split(r";(?![^(]*\))", rules) if one.strip()]
    plain = [one for one in declared if "!important" not in one.lower()]
    strong = [one for one in declared if "!important" in one.lower()]
    return ";".join([*plain, own.strip().rstrip(";").replace('"', "&quot;"), *strong])

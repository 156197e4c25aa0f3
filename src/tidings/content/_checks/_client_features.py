"""The features of HTML and CSS that are looked for, how each is told, and what to write instead."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.content._checks._findings import Rule, Severity, rule


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature; `slug` is its name at Can I email."""

    slug: str
    name: str
    rule: Rule
    value: re.Pattern[str] | None = None
    attribute: str = ""

    @property
    def code(self) -> str:
        """The code of its rule."""
        return self.rule.code


_BREAKS, _PLAINER = Severity.WARNING, Severity.HINT
"""Without it the message falls apart, or is merely plainer."""

_by_property: defaultdict[str, list[Feature]] = defaultdict(list)
_by_element: defaultdict[str, list[Feature]] = defaultdict(list)
_in_values: list[tuple[Feature, re.Pattern[str]]] = []
_in_rules: list[tuple[Feature, re.Pattern[str]]] = []


def _feature(slug: str, name: str, severity: Severity, mend: str, value: str = "", attribute: str = "") -> Feature:
    code = "client_" + re.sub(r"^(?:css|html)-", "", slug).replace("-", "_")
    title = f"{name}: some clients do not support it"
    declared = rule(code, severity, title, mend, f"caniemail.com: {slug}", written=True)
    return Feature(slug, name, declared, re.compile(value, re.IGNORECASE) if value else None, attribute)


def _property(names: str, slug: str, name: str, severity: Severity, mend: str, value: str = "") -> None:
    made = _feature(slug, name, severity, mend, value)
    for one in names.split():
        _by_property[one].append(made)


def _value(pattern: str, slug: str, name: str, severity: Severity, mend: str) -> None:
    _in_values.append((_feature(slug, name, severity, mend), re.compile(pattern, re.IGNORECASE)))


def _in_rule(pattern: str, slug: str, name: str, severity: Severity, mend: str) -> None:
    _in_rules.append((_feature(slug, name, severity, mend), re.compile(pattern, re.IGNORECASE)))


def _element(names: str, slug: str, name: str, severity: Severity, mend: str, attribute: str = "") -> None:
    made = _feature(slug, name, severity, mend, attribute=attribute)
    for one in names.split():
        _by_element[one].append(made)


_TABLES = "lay it out with tables, or with inline-block and a table for Outlook (<!--[if mso]>)"
_STILL = "use it as an extra only: the message must work without it"

_property("position", "css-position", "position", _BREAKS, _TABLES, r"absolute|fixed|sticky|relative")
_property("display", "css-display-flex", "display: flex", _BREAKS, _TABLES, r"\bflex")
_property("display", "css-display-grid", "display: grid", _BREAKS, _TABLES, r"\bgrid")
_property("float", "css-float", "float", _PLAINER, "use align on a table, or columns of a table", r"left|right")
_property("gap column-gap row-gap", "css-gap", "gap", _PLAINER, "use padding on the cells")
_property("columns column-count", "css-column-count", "columns", _PLAINER, _TABLES)
_property("left right top bottom", "css-left-right-top-bottom", "offsets", _BREAKS, _TABLES)
_property("z-index", "css-z-index", "z-index", _PLAINER, "do not lay things over each other")
_property(
    "background-image background",
    "css-background-image",
    "background images",
    _PLAINER,
    "give a background colour as well, and VML for Outlook if the picture matters",
    r"url\(",
)
_property(
    "border-radius", "css-border-radius", "border-radius", _PLAINER, "corners are square there; VML rounds buttons"
)
_property("box-shadow", "css-box-shadow", "box-shadow", _PLAINER, "a border in a soft colour does everywhere")
_property("text-shadow", "css-text-shadow", "text-shadow", _PLAINER, "see to it that the text is legible without it")
_property("opacity", "css-opacity", "opacity", _PLAINER, "use the resulting colour")
_property("object-fit", "css-object-fit", "object-fit", _PLAINER, "crop the image before you upload it")
_property("overflow overflow-x overflow-y", "css-overflow", "overflow", _PLAINER, _STILL, r"hidden|scroll|auto")
_property(
    "max-width", "css-max-width", "max-width", _PLAINER, "for Outlook add a width attribute, or a table of that width"
)
_property("clip-path", "css-clip-path", "clip-path", _PLAINER, "cut the image itself")
_property("filter", "css-filter", "filter", _PLAINER, "edit the image itself")
_property("transform", "css-transform", "transform", _BREAKS, "use an image")
_property("transition", "css-transition", "transition", _PLAINER, _STILL)
_property("animation animation-name", "css-animation", "animation", _PLAINER, "an animated GIF moves everywhere")
_property(
    "margin margin-top margin-right margin-bottom margin-left",
    "css-margin",
    "negative margins",
    _PLAINER,
    "use padding on table cells",
    r"-\d",
)
_property("--", "css-variables", "variables", _BREAKS, "write the values themselves")
_value(r"\bcalc\(", "css-unit-calc", "calc()", _BREAKS, "write the result, or percentages")
_value(r"\bclamp\(", "css-function-clamp", "clamp()", _PLAINER, "write a fixed size before it")
_value(r"linear-gradient\(", "css-linear-gradient", "gradients", _PLAINER, "give a background-color as well")
_value(r"radial-gradient\(", "css-radial-gradient", "radial gradients", _PLAINER, "give a background-color as well")
_value(r"\brgba\(", "css-rgba", "rgba()", _PLAINER, "write the resulting colour as #rrggbb before it")
_value(r"\d\s?rem\b", "css-unit-rem", "the unit rem", _PLAINER, "use px")
_value(r"\d\s?vw\b", "css-unit-vw", "the unit vw", _PLAINER, "use px or percentages")
_in_rule(r"@font-face\b", "css-at-font-face", "web fonts", _PLAINER, "name fonts after it that everybody has")
_in_rule(r"@import\b", "css-at-import", "@import", _BREAKS, "put the rules into the <style> itself")
_in_rule(r"@supports\b", "css-at-supports", "@supports", _PLAINER, _STILL)
_in_rule(
    r"@media\b(?![^{]{0,200}prefers-color-scheme)[^{]{0,200}+",
    "css-at-media",
    "media queries",
    _PLAINER,
    "the layout must hold without them: Gmail's app ignores them for accounts elsewhere, Outlook for Windows always",
)
_in_rule(
    r"@media\b[^{]{0,200}prefers-color-scheme",
    "css-at-media-prefers-color-scheme",
    "dark mode by media query",
    _PLAINER,
    "choose colours that survive being inverted: Gmail and Outlook darken messages in their own way",
)
_in_rule(r":hover\b", "css-pseudo-class-hover", ":hover", _PLAINER, _STILL)
_in_rule(
    r":{1,2}(?:before|after)\b", "css-pseudo-element-before", "::before and ::after", _PLAINER, "write it into the HTML"
)
_element("video", "html-video", "<video>", _BREAKS, "show a picture of it that links to the film")
_element("audio", "html-audio", "<audio>", _BREAKS, "link to the recording")
_element("form", "html-form", "<form>", _BREAKS, "link to a page with the form")
_element("input textarea select", "html-input-text", "form fields", _BREAKS, "link to a page with the form")
_element("dialog", "html-dialog", "<dialog>", _BREAKS, "write it into the message")
_element("object", "html-object", "<object>", _BREAKS, "show an image that links to it")
_element("svg", "html-svg", "<svg>", _BREAKS, "use a PNG image")
_element("picture", "html-picture", "<picture>", _PLAINER, "the <img> in it must do for itself")
_element("img", "html-srcset", "srcset", _PLAINER, "src must do for itself: use an image of twice the width", "srcset")
_element("link", "html-link", "style sheets from elsewhere", _BREAKS, "put the rules into a <style>", "href")
_element("base", "html-base", "<base>", _BREAKS, "write whole addresses")
_element("marquee", "html-marquee", "<marquee>", _PLAINER, "let the text stand still")

BY_PROPERTY: Mapping[str, Sequence[Feature]] = dict(_by_property)
BY_ELEMENT: Mapping[str, Sequence[Feature]] = dict(_by_element)
IN_VALUES: Sequence[tuple[Feature, re.Pattern[str]]] = _in_values
IN_RULES: Sequence[tuple[Feature, re.Pattern[str]]] = _in_rules

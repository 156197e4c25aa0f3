"""A template filled in with sample values, by the same compiled code that fills in real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liquid import FalsyStrictUndefined
from liquid.exceptions import LiquidError

from tidings.content._aside import apart
from tidings.content._compile import compile_liquid
from tidings.content._context import Occasion
from tidings.content._emitter import PLAIN
from tidings.content._footer import with_footer
from tidings.content._missing import Watched, marks_in_html, marks_in_text, watch
from tidings.content._origins import Origins, Written
from tidings.content._own_tags import RecipientUrls
from tidings.content._parse import RenderError, in_words
from tidings.content._parts import unpack
from tidings.content._plaintext import one_line, plain_text, single_spaced
from tidings.content._samples import Sample
from tidings.core.errors import FieldProblem

NOTHING_ELSE = Written()
"""The HTML is what its author wrote."""
_TOKEN = "preview"  # noqa: S105 - in place of a recipient's


@dataclass(frozen=True, slots=True)
class Missing:
    """A variable that was written, or looped over, and is not there or empty; where its author wrote it."""

    field: str
    """`subject`, `html_content`, `text_content`, `preheader`, `source`; in a block document `source.blocks[2].text`."""
    block: str
    """The shared block it stands in, or ''."""
    line: int
    """Of the field's text, from 1, as the column."""
    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What one recipient would read: the footer too, but links lead straight to where they go, and nothing is counted."""

    subject: str
    html: str
    text: str
    preheader: str = ""
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """What another process is told, to make a `_How` of: what that holds cannot be handed over."""

    variables: Mapping[str, Any]
    now: datetime
    campaign_id: int
    workspace_name: str
    postal_address: str
    public_url: str
    token: str
    strict: bool | None
    marked: bool


@dataclass(frozen=True, slots=True)
class _How:
    """What all parts of one preview have in common."""

    sample: Sample
    occasion: Occasion
    token: str
    strict: bool | None
    marked: bool
    origins: Origins


async def preview(
    *,
    subject: str,
    html_content: str,
    text_content: str,
    variables: Mapping[str, Any],
    workspace_name: str,
    postal_address: str,
    public_url: str,
    now: datetime,
    preheader: str = "",
    campaign_id: int = 1,
    token: str = _TOKEN,
    strict: bool | None = None,
    marked: bool = False,
    written: Written = NOTHING_ELSE,
) -> Preview:
    """Render with sample values: `variables` has a contact's fields and attributes by name, or under `contact`.

    `campaign` and `workspace` may be given too. What is left out is empty, as it is for a contact that lacks it.
    The contents may have their blocks packed in, as `freeze` gives them; `preheader` is shown by itself, as the HTML has it
    in it already. `token` stands in links that are the recipient's own. `strict`: in place of what the template says;
    `marked`: what would write nothing, being undefined or empty, writes its name instead, so that it is seen;
    `written`: what the HTML was made of, in which places are told.
    Raises TemplateInvalid, RenderError, and Invalid for samples that no contact could have.
    """
    told = _Told(variables, now, campaign_id, workspace_name, postal_address, public_url, token, strict, marked)
    # In a thread or another process: a template may take up to its time limit, and others are waiting on the loop.
    return await apart(_filled_in, subject, html_content, text_content, preheader, told, written)


def _filled_in(subject: str, html: str, text: str, preheader: str, told: _Told, written: Written) -> Preview:
    sample = Sample(told.variables, told.now)
    occasion = Occasion(
        campaign_id=told.campaign_id,
        campaign_name=sample.text("campaign", "name", "Preview"),
        workspace_name=sample.text("workspace", "name", told.workspace_name),
        postal_address=sample.text("workspace", "postal_address", told.postal_address),
        urls=RecipientUrls(told.public_url, lambda _token, destination: destination),
    )
    origins = Origins(written, subject=subject, html=html, text=text)
    return _render(
        subject, html, text, preheader, _How(sample, occasion, told.token, told.strict, told.marked, origins)
    )


def _render(subject: str, html: str, text: str, preheader: str, how: _How) -> Preview:
    missing: list[Missing] = []
    line = one_line(_part("subject", subject, "", how, missing))
    derived = plain_text(html)
    html_part, text_part, first = [
        _part(field, source, line, how, missing)
        for field, source in (
            ("html_content", with_footer(html, html=True)),
            ("text_content", with_footer(text or derived, html=False)),
            ("preheader", preheader),
        )
    ]
    # As WireMessage tells it: what its author wrote is left as it is.
    shown = single_spaced(text_part) if text in {"", derived} else text_part
    if how.marked:
        line, shown, first = (marks_in_text(one) for one in (line, shown, first))
        html_part = marks_in_html(html_part)
    return Preview(line, html_part, shown, one_line(first), tuple(dict.fromkeys(missing)))


def _part(field: str, source: str, subject: str, how: _How, missing: list[Missing]) -> str:
    is_html = field == "html_content"
    parts = unpack(source)
    undefined = FalsyStrictUndefined if (parts.strict if how.strict is None else how.strict) else Watched
    compiled = compile_liquid(
        parts, html=is_html, encoding=PLAIN, occasion=how.occasion, field=field, undefined=undefined
    )
    seen = watch(marking=how.marked)
    try:
        written = "".join(compiled.render(how.sample.row, how.token, how.token, how.sample.attributes, subject))
    except LiquidError as error:
        place, message = field, in_words(error)
        if at := how.origins.failed(field, error):
            place, message = at.field, f"line {at.line}, column {at.column}: {message}"
    except Exception as error:  # noqa: BLE001 - filters meet values that they were not written for
        place, message = field, str(error)
    else:
        # The HTML begins with the preheader, and is what a text was derived from: what they lack is told once.
        for name, token in seen.values() if field != "preheader" else ():
            at = how.origins.of(field, token)
            missing.append(Missing(at.field, at.block, at.line, at.column, name))
        return written
    raise RenderError(f"{place}: {message}", fields=(FieldProblem(place, message),))

"""Liquid with any data, line by line: for trying the compiler against any suite of examples."""

import json
from collections.abc import Mapping
from typing import Any

from liquid.exceptions import LiquidError

from tidings.content._compile import compile_liquid
from tidings.content._context import ANYWHERE
from tidings.content._parse import RenderError, describe
from tidings.content._parts import Parts
from tidings.core.errors import Invalid


def render_liquid(
    template: str, *, data: Mapping[str, Any], blocks: Mapping[str, str], html: bool = False, strict: bool = False
) -> str:
    """Render a template by the compiled path. `data` are all its variables, `blocks` what `render` and `include` find.

    `html`: values are escaped; `strict`: what is undefined may not be written. Raises TemplateInvalid, RenderError.
    """
    compiled = compile_liquid(Parts(template, blocks, strict), html=html, occasion=ANYWHERE)
    try:
        return "".join(compiled.render((), "", "", dict(data), ""))
    except LiquidError as error:
        raise RenderError(describe(error)) from None
    except Exception as error:  # noqa: BLE001 - filters meet values that they were not written for
        raise RenderError(str(error) or type(error).__name__) from None


def render_line(line: str | bytes, *, html: bool = False, strict: bool = False) -> bytes:
    """One JSON object `{"template", "data", "templates"}` to `{"output"}` or `{"error"}`, never raising."""
    try:
        template, data, blocks = _read(line)
        answer = {"output": render_liquid(template, data=data, blocks=blocks, html=html, strict=strict)}
    except Invalid as error:
        answer = {"error": error.message}
    except Exception as error:  # noqa: BLE001 - the next line is to be answered whatever this one was
        answer = {"error": f"{type(error).__name__}: {error}"}
    # Escaped where it must be: a lone surrogate has no UTF-8.
    return json.dumps(answer, ensure_ascii=not _has_utf8(*answer.values())).encode()


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(line: str | bytes) -> tuple[str, dict[str, Any], dict[str, str]]:
    try:
        # Not orjson: it makes a float of an integer of more than 64 bits.
        told = json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Invalid.at("line", f"must be JSON in UTF-8: {error}") from None
    if not isinstance(told, dict):
        raise Invalid.at("line", "must be an object with template, data and templates")
    template, data, blocks = told.get("template"), told.get("data") or {}, told.get("templates") or {}
    if not isinstance(template, str):
        raise Invalid.at("template", "must be text")
    if not isinstance(data, dict):
        raise Invalid.at("data", "must be an object")
    if not isinstance(blocks, dict) or not all(isinstance(one, str) for one in blocks.values()):
        raise Invalid.at("templates", "must be an object of texts by name")
    return template, data, blocks


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")

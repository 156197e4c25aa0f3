"""`tidings check FILE`: the checks of content for a file, without a database or the network."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidings import content
from tidings.compliance import CheckReport, Matter, run_checks
from tidings.content import Checkable, Finding, SourceType
from tidings.core.errors import Invalid

SOURCES = {
    ".html": SourceType.HTML,
    ".htm": SourceType.HTML,
    ".mjml": SourceType.MJML,
    ".md": SourceType.MARKDOWN,
    ".markdown": SourceType.MARKDOWN,
    ".json": SourceType.BLOCKS,
}
"""What kind of source a file is, by the end of its name."""
_LARGEST = 4_000_000
_COLOURS = {"error": "red", "warning": "yellow", "hint": "cyan"}


async def check_file(file: Path, *, subject: str) -> CheckReport:
    """Everything that can be told of a file. Raises Invalid for one that cannot be read."""
    kind = SOURCES.get(file.suffix.lower())
    if kind is None:
        raise Invalid.at("FILE", f"must end in {', '.join(SOURCES)}")
    text = await asyncio.to_thread(read_text, file)
    already: list[Finding] = []
    try:
        checked = await content.read_unsaved(subject=subject, source_type=kind, source=text, shared={})
    except content.TemplateInvalid as error:
        already = [content.invalid_liquid(one.field, one.message) for one in error.fields]
        checked = Checkable(subject, text if kind is SourceType.HTML else "", "", text_written=False)
    nobody = (1, 1, "contact@example.com", "", "", "", "", "", [], "{}", datetime.now(UTC), None, 0)
    matter = Matter(checked, (nobody,), False, "Your company", "Your postal address", "https://t.example.com")
    return await run_checks(matter, links=None, spam=None, resolver=None, network=False, already=already)


def read_text(file: Path) -> str:
    """A source in UTF-8. Raises Invalid, naming the file."""
    try:
        if file.stat().st_size > _LARGEST:
            raise Invalid.at(str(file), f"may have {_LARGEST:,} bytes")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid.at(str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Invalid.at(str(file), f"is not UTF-8 at byte {error.start}: save it as UTF-8") from None


def show(report: CheckReport, *, json: bool) -> None:
    """Print it: a table for people, or one JSON object."""
    if json:
        sys.stdout.buffer.write(orjson.dumps(_as_dict(report), option=orjson.OPT_INDENT_2) + b"\n")
        return
    console = Console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "Place", "Found", "Mend"):
        table.add_column(title)
    for one in report.findings:
        place = one.place.path or (f"{one.place.line}:{one.place.column}" if one.place.line else str(one.place.part))
        colour = _COLOURS[one.severity]
        table.add_row(
            f"[{colour}]{one.severity}[/]\n{escape(one.code)}", escape(place), escape(one.message), escape(one.mend)
        )
    console.print(table)
    more = sum(report.left_off.values())
    console.print(f"{len(report.findings)} findings{f' and {more} more of the same' if more else ''}")


def _as_dict(report: CheckReport) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "html_bytes": report.html_bytes,
        "findings": [
            {
                "code": one.code,
                "severity": one.severity,
                "place": {
                    "part": one.place.part,
                    "line": one.place.line,
                    "column": one.place.column,
                    "excerpt": one.place.excerpt,
                    "path": one.place.path,
                },
                "message": one.message,
                "mend": one.mend,
            }
            for one in report.findings
        ],
        "left_off": report.left_off,
    }

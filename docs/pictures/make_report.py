"""Draw docs/pictures/report.svg from the JSON of a real demo.

make demo ARGS="--json --exit" | .venv/bin/python docs/pictures/make_report.py
"""
# ruff: noqa: INP001

import json
import re
import sys
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from tidings.demo._report import Known, Report, show

# Nobody who looks at the picture should have to fetch a font from a stranger.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    """Read the last line of standard input, write the picture."""
    result = json.loads(sys.stdin.read().strip().splitlines()[-1])
    report = Report(**{**result, "truth": Known(**result["truth"])})
    console = Console(record=True, width=58, file=StringIO())
    show(report, console)
    svg = console.export_svg(title="make demo", theme=MONOKAI, code_format=_FORMAT, unique_id="report")
    Path(__file__).with_name("report.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()

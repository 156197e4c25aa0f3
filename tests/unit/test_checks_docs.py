"""The reference names every check, and no other; files are checked from the command line."""

import re
from pathlib import Path

import pytest

import tidings.campaigns  # noqa: F401 - declares the rules of every layer
from tidings.cli.checking import check_file
from tidings.content import Severity, rules
from tidings.core.errors import Invalid

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "checks.md"


def test_every_code_is_in_the_reference_under_its_severity() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for severity, title in ((Severity.ERROR, "Errors"), (Severity.WARNING, "Warnings"), (Severity.HINT, "Hints")):
        section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
        named = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
        assert sorted(named) == sorted(one.code for one in rules().values() if one.severity is severity)


def test_rules_say_what_to_do() -> None:
    for one in rules().values():
        assert one.title, one
        assert one.mend, one
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", one.code), one


async def test_files(tmp_path: Path) -> None:
    cases = {
        "a.html": ("<p>\n<a href='http://shop.de/'>Our shop</a>", (2, 10)),
        "a.md": ("Hello\n\n[our shop](http://shop.de/)", (3, 12)),
        "a.json": ('{"blocks":[{"type":"button","text":"Shop","href":"http://shop.de/"}]}', (1, 1)),
    }
    for name, (text, place) in cases.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        report = await check_file(tmp_path / name, subject="News")
        assert report.ok
        assert report.html_bytes > 0
        (one,) = [one for one in report.findings if one.code == "link_insecure"]
        assert (one.place.line, one.place.column) == place
    (tmp_path / "b.html").write_text("<p>{{ x | nofilter }}</p>", encoding="utf-8")
    report = await check_file(tmp_path / "b.html", subject="News")
    assert [one.code for one in report.findings if one.severity is Severity.ERROR] == ["liquid_invalid"]
    for wrong in ("none.html", "a.txt"):
        with pytest.raises(Invalid):
            await check_file(tmp_path / wrong, subject="News")

"""What the documentation says exists: commands, options, settings, links, pages; and it leaves no setting out."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from tidings.cli import app
from tidings.core.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")
# `tidings key create …`, in code spans and in blocks, with or without the folder before it.
COMMAND = re.compile(r"(?:(?<=`)|(?<=\.venv/bin/)|(?<=^)|(?<=\$ ))tidings(?: [^`\n|#]*)?", re.MULTILINE)

TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _commands(text: str) -> Iterator[list[str]]:
    for found in COMMAND.findall(text):
        words = shlex.split(found.replace("'", "").replace("…", "x"))[1:]
        if words and re.fullmatch(r"[a-z]+|--[a-z]+", words[0]):
            yield words


def _unknown(words: list[str]) -> str | None:
    """What is wrong with `tidings` followed by these words; None if nothing is."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"there is no command {' '.join(words[: len(words) - len(rest) + 1])!r}"
        command = command.commands[rest.pop(0)]
    known = {"--help"}.union(*(set(p.opts) | set(p.secondary_opts) for p in command.params))
    for word in rest:
        option = word.split("=", 1)[0]
        if option.startswith("--") and option not in known:
            return f"{' '.join(words[:2])!r} has no option {option}"
    return None


def _environment_variables() -> set[str]:
    """Every TIDINGS_ variable that something reads: settings, and options of the command line."""
    found = {f"TIDINGS_{name.upper()}" for name in Settings.model_fields}
    waiting: list[Any] = [typer.main.get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting.extend(getattr(command, "commands", {}).values())
        for parameter in command.params:
            names = parameter.envvar or []
            found.update([names] if isinstance(names, str) else names)
    return found


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def test_commands_exist() -> None:
    wrong = [
        f"{_name(page)}: {problem}"
        for page, text in TEXTS.items()
        for words in _commands(text)
        if (problem := _unknown(words))
    ]
    assert wrong == []


def test_settings_exist() -> None:
    known = _environment_variables()
    wrong = [
        f"{_name(page)}: {name}"
        for page, text in TEXTS.items()
        for name in re.findall(r"\bTIDINGS_[A-Z][A-Z_]*[A-Z]\b", text)
        if name not in known
    ]
    assert wrong == []


def test_relative_links_lead_somewhere() -> None:
    broken: list[str] = []
    for page, text in TEXTS.items():
        for target in LINK.findall(FENCE.sub("", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
                broken.append(f"{_name(page)}: {target}")
    assert broken == []


def test_every_page_is_named_by_the_start_page_and_every_decision_by_its_index() -> None:
    missing: list[str] = []
    for index, pages in {
        "docs/index.md": [
            page for page in PAGES if page.parent.parent.name == "docs" and page.parent.name != "decisions"
        ],
        "docs/decisions/index.md": [page for page in PAGES if re.match(r"\d{4}-", page.name)],
    }.items():
        there = (ROOT / index).parent
        named = {(there / target).resolve() for target in LINK.findall(TEXTS[ROOT / index])}
        missing.extend(_name(page) for page in pages if page not in named)
    assert missing == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for text in TEXTS.values() for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)}
    assert {"demo", "test"} <= named
    assert named - targets == set()


def test_every_setting_is_described_with_its_default() -> None:
    rows = dict(
        re.findall(
            r"^\| `(TIDINGS_\w+)` \| ([^|]+) \|",
            (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    defaults = {
        f"TIDINGS_{name.upper()}": {None: "unset", "": "empty"}.get(field.default, f"`{field.default}`")
        for name, field in Settings.model_fields.items()
    }
    assert {name: text.strip() for name, text in rows.items()} == defaults


def test_every_command_is_described() -> None:
    text = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    missing: list[str] = []
    waiting: list[tuple[str, Any]] = [("tidings", typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop()
        if hasattr(command, "commands"):
            waiting.extend((f"{path} {name}", below) for name, below in command.commands.items())
            continue
        section = f"`{path}"
        missing.extend([path] if section not in text else [])
        missing.extend(f"{path} {o}" for p in command.params for o in p.opts if o.startswith("--") and o not in text)
    assert missing == []


def test_decisions_have_numbers_of_their_own() -> None:
    records = [path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "index.md"]
    assert len(records) > 5
    numbers = Counter(path.name[:4] for path in records)
    assert [number for number, count in numbers.items() if count > 1] == []
    for path in records:
        assert re.match(r"\d{4}-[a-z0-9-]+\.md$", path.name), path.name
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]} "), (
            f"{path.name}: title begins otherwise"
        )


def test_the_checks_can_fail() -> None:
    assert list(_commands("`tidings up` and\n.venv/bin/tidings key create --nmae x # a key")) == [
        ["up"],
        ["key", "create", "--nmae", "x"],
    ]
    assert _unknown(["key", "creat"]) == "there is no command 'key creat'"
    assert _unknown(["key", "create", "--nmae", "x"]) == "'key create' has no option --nmae"
    assert _unknown(["role", "send", "--writer", "2"]) is None

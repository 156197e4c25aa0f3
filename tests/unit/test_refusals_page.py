"""The page about refusals is the table that decides them."""

from pathlib import Path

from tidings.delivery.providers._refusals import RULES, Rule, Verdict

PAGE = Path(__file__).parents[2] / "docs/reference/refusals.md"
_VERDICTS = {
    Verdict.RECIPIENT: "bounced, suppressed",
    Verdict.MESSAGE: "failed: the message",
    Verdict.SENDER: "failed: us; a route tries another provider",
    Verdict.DEFERRED: "deferred",
    Verdict.THROTTLED: "throttled",
}


def table() -> str:
    """What the page shows, to be pasted into it when the rules change."""
    lines = [
        "| | code | status | at | words | class | then | first wait | why |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_line(number, rule) for number, rule in enumerate(RULES, 1))])


def _line(number: int, rule: Rule) -> str:
    codes = ", ".join(code.ljust(3, "x") for code in rule.codes)
    statuses = ", ".join("none" if one == "-" else one + "*" if one.endswith(".") else one for one in rule.statuses)
    stages = ", ".join(stage.name for stage in rule.stages)
    wait = "" if rule.wait_seconds is None else f"{rule.wait_seconds:g} s"
    words = "some" if rule.words else ""
    columns = (number, codes, statuses, stages, words, f"`{rule.kind}`", _VERDICTS[rule.verdict], wait, rule.why)
    return f"| {' | '.join(map(str, columns))} |"


def test_the_page_is_the_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE.name}:\n{table()}"

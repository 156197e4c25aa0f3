"""What keeps a content from being launched is worked out once for the same content, the same people and the same sender."""

from collections.abc import Sequence
from typing import Any

import pytest

from tidings.content import Checkable, check_mandatory
from tidings.content._checks import _run

_ROW: tuple[Any, ...] = (1, 1, "reader@example.com", "Ada", "", "", "en", "", [], "{}", None)


async def test_once_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    apart = _run.apart

    async def counted(work: Any, content: Checkable, rows: Sequence[Any], told: Any) -> Any:
        asked.append(content.html)
        return await apart(work, content, rows, told)

    monkeypatch.setattr(_run, "apart", counted)
    monkeypatch.setattr(_run, "_KNOWN", {})
    bad = Checkable("News", "<p>{{ contact.first_name | nosuch }}</p>", "Hello", text_written=True)
    good = Checkable(
        "News", "<p>{{ workspace.postal_address }} <a href='{{ unsubscribe_url }}'>Leave</a></p>",
        "{{ workspace.postal_address }} {{ unsubscribe_url }}", text_written=True,
    )  # fmt: skip
    first = await check_mandatory(bad, rows=[_ROW], workspace_name="Shop", postal_address="1 Main Street")
    again = await check_mandatory(bad, rows=[_ROW], workspace_name="Shop", postal_address="1 Main Street")
    assert first == again
    assert [one.code for one in again] == ["liquid_invalid"]
    await check_mandatory(good, rows=[_ROW], workspace_name="Shop", postal_address="1 Main Street")
    assert len(asked) == 2
    other: tuple[Any, ...] = (2, *_ROW[1:])
    await check_mandatory(bad, rows=[other], workspace_name="Shop", postal_address="1 Main Street")
    await check_mandatory(bad, rows=[_ROW], workspace_name="Shop", postal_address="2 Main Street")
    assert len(asked) == 4

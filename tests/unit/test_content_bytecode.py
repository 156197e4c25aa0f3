"""Long generated code is made elsewhere, is the same, and is made here where nobody else can."""

import asyncio
import builtins
import threading
from typing import Any

import pytest

from tidings.content import Compiled, compile_liquid
from tidings.content import _bytecode as bytecode
from tidings.core.errors import Unavailable

LARGE = "".join(f"<p>{{% if first_name %}}{{{{ plan | upcase }}}}{n}{{% endif %}}</p>\n" for n in range(2000))
ROW: Any = (1, 1, "c@example.com", "Ada", "", "", "", "", [], '{"plan": "pro"}', None, None, 0)


def written(compiled: Compiled) -> str:
    return "".join(compiled.render(ROW, "t", "t", {"plan": "pro"}, ""))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long what this process compiled was."""
    seen: list[int] = []

    def compile_(source: str, *rest: Any) -> Any:
        seen.append(len(source))
        return builtins.compile(source, *rest)

    monkeypatch.setattr(bytecode, "compile", compile_, raising=False)
    return seen


async def test_in_a_thread_it_is_made_elsewhere_and_is_the_same(here: list[int]) -> None:
    there = await asyncio.to_thread(compile_liquid, LARGE, html=True)
    assert here == []
    assert len(there.python) > bytecode.LONG
    ours = compile_liquid(LARGE, html=True)
    assert here == [len(there.python)]
    assert written(there) == written(ours)
    assert "<p>PRO1999</p>" in written(there)


async def test_short_ones_are_made_here(here: list[int]) -> None:
    await asyncio.to_thread(compile_liquid, LARGE[:5000].rpartition("<p>")[0], html=True)
    assert len(here) == 1


async def test_where_nobody_answers_it_is_made_here(here: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> bytes:
        raise Unavailable("busy")

    monkeypatch.setattr(bytecode, "aside_from_thread", busy)
    made = await asyncio.to_thread(compile_liquid, LARGE, html=True)
    assert len(here) == 1
    assert "<p>PRO1999</p>" in written(made)


async def test_what_python_does_not_take_is_refused_as_here() -> None:
    assert threading.current_thread() is threading.main_thread()
    source = "x = (" + "(" * 50_000
    with pytest.raises((SyntaxError, MemoryError)):
        bytecode.python_code(source)
    with pytest.raises((SyntaxError, MemoryError)):
        await asyncio.to_thread(bytecode.python_code, source)

"""Large templates are read in another process: whatever becomes of it, others do not wait, and errors say what to do."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tidings.content import Checkable, SourceType, check_content, compile_source, plain_text
from tidings.content import _aside as module
from tidings.content._aside import SMALL, TooSlow, aside
from tidings.content._parse import TemplateInvalid
from tidings.core.errors import Unavailable

LARGE = "x" * (SMALL + 1)
_STYLE = "<style>.a{color:red} p{margin:0} .b td{padding:1px}</style>"
MEGABYTE = (
    _STYLE + "<table><tr><td class='a b'>Hello {% if a %}you{% endif %}, words and words</td></tr></table>" * 12_900
)
MEGABYTE = MEGABYTE.replace("{% if a %}you{% endif %}", "", 8_500)


def own_id(_: str) -> int:
    return os.getpid()


def sleep(_: str, seconds: float) -> None:
    time.sleep(seconds)


def end(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_first(_: str, mark: str) -> str:
    """Die, but for the second time."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "here"
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def fail(_: str) -> None:
    print("this is not an answer")
    raise KeyError("words")


@pytest.fixture(autouse=True)
def children(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of each test its own, which find this file."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    mine = module._Children()
    monkeypatch.setattr(module, "_CHILDREN", mine)
    for work in (own_id, sleep, end, end_first, fail):
        work.__module__ = "test_content_aside"
    yield mine
    mine._threads.shutdown()
    mine.end()


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "test_content_aside", sys.modules[__name__])


async def test_small_texts_are_read_here_and_large_ones_elsewhere() -> None:
    assert await aside(own_id, "x" * SMALL) == os.getpid()
    first = await aside(own_id, LARGE)
    assert first != os.getpid()
    ids = await asyncio.gather(*(aside(own_id, LARGE) for _ in range(12)))
    assert len(set(ids)) <= 2
    assert first in ids


async def test_mistakes_come_back_as_they_are() -> None:
    source = "\n" + "x" * SMALL + "{{ x | nofilter }}"
    with pytest.raises(TemplateInvalid) as here:
        compile_source(SourceType.HTML, source, inline=False)
    with pytest.raises(TemplateInvalid) as there:
        await aside(compile_source, SourceType.HTML, source, inline=False)
    assert (here.value.message, here.value.fields) == (there.value.message, there.value.fields)
    with pytest.raises(RuntimeError, match="KeyError: 'words'"):
        await aside(fail, LARGE)
    assert await aside(own_id, LARGE)


async def test_what_takes_too_long_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    await aside(own_id, LARGE)
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(TooSlow, match="smaller or simpler"):
        await aside(sleep, LARGE, 30)
    assert time.monotonic() - began < 3
    monkeypatch.setattr(module, "_SECONDS", 40)
    assert await aside(own_id, LARGE) != os.getpid()


async def test_a_process_that_dies_is_replaced(tmp_path: Any) -> None:
    first = await aside(own_id, LARGE)
    os.kill(first, signal.SIGKILL)
    assert await aside(own_id, LARGE) not in {first, os.getpid()}
    assert await aside(end_first, LARGE, str(tmp_path / "mark")) == "here"
    with pytest.raises(Unavailable, match="ended twice"):
        await aside(end, LARGE)
    assert await aside(own_id, LARGE)


async def test_only_so_many_wait() -> None:
    waiting = [asyncio.create_task(aside(sleep, LARGE, 0.01)) for _ in range(32)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="too many large templates"):
        await aside(own_id, LARGE)
    await asyncio.gather(*waiting)
    assert await aside(own_id, LARGE)


async def _worst_wait(work: Callable[[], Awaitable[object]]) -> float:
    """How much this process, in all its threads, computed while the loop let somebody wait: others want this machine, too."""
    doing = asyncio.ensure_future(work())
    worst = 0.0
    while not doing.done():
        began = time.process_time()
        await asyncio.sleep(0.001)
        worst = max(worst, time.process_time() - began)
    await doing
    return worst


async def _compile() -> None:
    await aside(compile_source, SourceType.HTML, MEGABYTE, inline=True)


async def _check() -> None:
    row = (1, 1, "a@example.de", "", "", "", "", "", [], "{}", None, None, 0)
    given: Any = {
        "rows": [row],
        "real": True,
        "workspace_name": "",
        "postal_address": "",
        "public_url": "https://t.example",
    }
    await check_content(Checkable("News", MEGABYTE, "x", text_written=True), **given)


async def _text() -> None:
    await aside(plain_text, MEGABYTE)


@pytest.mark.parametrize("work", [_compile, _check, _text])
async def test_nobody_waits_for_a_megabyte(work: Callable[[], Awaitable[object]]) -> None:
    assert 950_000 < len(MEGABYTE) < 1_000_000
    await aside(own_id, LARGE)
    assert min([await _worst_wait(work) for _ in range(2 if work is _compile else 1)]) < 0.05

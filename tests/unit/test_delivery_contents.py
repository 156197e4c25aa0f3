"""What a worker sends is compiled beside its loop: heartbeats, leases and other messages do not wait for a large template."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from loop_heart import watched
from tidings.content import plain_text
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire import SendContent, WireMessage, extract_links
from tidings.delivery.worker._contents import Contents
from tidings.tracking import Tokens

SIZE = 190_000
MOST_SECONDS = 0.05
PIECE = (
    '<p>Hello {{ first_name }}, <a href="https://shop.example/%d">go</a> {%% if city %%}{{ city }}{%% endif %%} '
    '{{ plan | default: "x" }}</p>\n'
)


class OneRow:
    """A database with one content in it."""

    def __init__(self, content: SendContent) -> None:
        self._row = {"campaign_id": 1, "content": content.to_json().decode(), "links": extract_links(content)}

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator["OneRow"]:
        yield self

    async def fetchrow(self, *_: Any) -> dict[str, Any]:
        """The row."""
        return self._row


def contents(size: int) -> Contents:
    html = "".join(PIECE % number for number in range(size // len(PIECE)))
    content = SendContent(
        subject="S",
        html=html,
        text=plain_text(html),
        sender_email="a@example.org",
        sender_name="A",
        reply_to="",
        message_domain="example.org",
        list_id="l.example.org",
        list_name="L",
        feedback_id="c",
        workspace_name="W",
        postal_address="P",
        campaign_id=1,
        campaign_name="C",
        public_url="https://t.example",
        track_opens=True,
        track_clicks=True,
    )
    return Contents(cast("Database", OneRow(content)), Tokens(Keyring("for tests only")))


@pytest.mark.parametrize("size", [1_000, 14_000, SIZE])
async def test_the_loop_goes_on_while_a_template_is_compiled(size: int) -> None:
    # What is loaded and cached at first, and the process that is asked, are there.
    await contents(60_000).get(workspace=WorkspaceId(1), send=SendId(1))
    made = contents(size)
    # Collecting garbage holds everybody up as well, by the size of all that lives: that is not what is asked here.
    gc.disable()
    try:
        wire, heart = await watched(lambda: made.get(workspace=WorkspaceId(1), send=SendId(1)))
    finally:
        gc.enable()
    assert wire is not None
    assert heart.worst < MOST_SECONDS


async def test_on_the_loop_are_compiled_only_the_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[bool] = []
    compile_ = WireMessage.compile

    def compiled(*told: Any, **named: Any) -> WireMessage:
        where.append(threading.current_thread() is threading.main_thread())
        return compile_(*told, **named)

    monkeypatch.setattr(WireMessage, "compile", compiled)
    for size in (1_000, 4_000):
        await contents(size).get(workspace=WorkspaceId(1), send=SendId(1))
    assert where == [True, False]


async def test_chunks_that_ask_at_the_same_time_get_the_same_message() -> None:
    kept = contents(14_000)
    first, second = await asyncio.gather(*(kept.get(workspace=WorkspaceId(1), send=SendId(1)) for _ in range(2)))
    assert isinstance(first, WireMessage)
    assert second is first, "one that is being compiled was taken for a send without content of its own"

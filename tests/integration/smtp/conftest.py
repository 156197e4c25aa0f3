"""Everything that speaks SMTP is tested on both event loops: production runs on uvloop, the other is the reference."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test once on each."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

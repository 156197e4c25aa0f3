"""Where templates are read: small ones at once, large ones in a thread, since a megabyte takes a second."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_SMALL = 10_000
"""Characters of all texts together: reading them takes milliseconds, and a thread costs some of each template's time."""

P = ParamSpec("P")
T = TypeVar("T")


async def aside(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `work` makes of texts, without keeping others on the loop waiting for it."""
    size = sum(len(one) for one in arguments if isinstance(one, str))
    if size <= _SMALL:
        return work(*arguments, **named)
    return await asyncio.to_thread(work, *arguments, **named)

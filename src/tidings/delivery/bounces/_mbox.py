"""Several messages in one file: the mbox format (RFC 4155)."""

import re
from collections.abc import Iterator

_FROM = re.compile(rb"(?:^|(?<=\n\n)|(?<=\n\r\n))From \S{1,320} +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ")


def split_mbox(raw: bytes) -> Iterator[bytes]:
    """The messages of a mailbox, each from its `From ` line on. Without any such line the whole is one message."""
    starts = [match.start() for match in _FROM.finditer(raw)] or [0]
    for start, end in zip(starts, [*starts[1:], len(raw)], strict=True):
        yield raw[start:end]

"""An SMTP server that accepts everything and writes down what it accepted: `python counting_sink.py PORT FILE`.

A process of its own and code of its own, so that it can judge ours. A line `recipient<TAB>message-id` is written with one
system call before the 250, so that no accepted message is missing from the file whatever is killed.
"""

import asyncio
import os
import re
import sys

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: int) -> None:
        self._log = log
        self._buffer = b""
        self._recipient = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = bytearray()
        while True:
            if self._in_data:
                end = self._buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                message, self._buffer = self._buffer[:end], self._buffer[end + 5 :]
                self._in_data = False
                found = _MESSAGE_ID.search(message)
                os.write(self._log, self._recipient + b"\t" + (found[1] if found else b"none") + b"\n")
                answers += b"250 2.0.0 taken\r\n"
            else:
                line, separator, rest = self._buffer.partition(b"\r\n")
                if not separator:
                    break
                self._buffer = rest
                answers += self._command(line)
        if answers:
            self._transport.write(bytes(answers))

    def _command(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
            case b"RCPT":
                self._recipient = line[line.index(b"<") + 1 : line.rindex(b">")]
                return b"250 2.1.5 ok\r\n"
            case b"DATA":
                self._in_data = True
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 2.0.0 bye\r\n"
            case _:
                return b"250 2.0.0 ok\r\n"


async def main(port: int, file: str) -> None:
    """Serve until killed."""
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.get_running_loop().create_server(lambda: Sink(log), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

"""Amazon SES's SendEmail as far as a client can tell: takes everything, checks nothing. `python ses_stub.py PORT`.

As little work as possible, for it shares the machine with what is measured: the request's end is found by its length.
"""

import asyncio
import itertools
import sys

import uvloop

_numbers = itertools.count(1)


class Talk(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport) -> None:
        self.transport, self.buffer = transport, bytearray()

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer
        buffer += data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(buffer[:end]).lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].partition(b"\r\n")[0])
            if len(buffer) < end + 4 + length:
                return
            del buffer[: end + 4 + length]
            body = b'{"MessageId":"0102-%012d"}' % next(_numbers)
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )


async def main(port: str) -> None:
    server = await asyncio.get_running_loop().create_server(Talk, "127.0.0.1", int(port), backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))

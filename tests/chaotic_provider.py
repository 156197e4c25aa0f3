"""A provider that fails, throttles, stalls and lies at random: `python chaotic_provider.py smtp|ses|mailgun FILE SEED`.

A process of its own and code of its own, so that it can judge ours. What it takes responsibility for is a line
`recipient<TAB>message-id<TAB>fate<TAB>seconds` in FILE, written with one system call before anything is answered, or is
not. Addresses that begin with `gone` are unknown to it, always: that is the only refusal for which anybody may be suppressed.
It prints its port. A line of JSON on its standard input, {url, key}, says where to tell what became of messages
(chaotic_notices.py), for all kinds but smtp.
"""

import asyncio
import base64
import json
import os
import random
import re
import sys
import time
from pathlib import Path

from chaotic_notices import Notices

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)


class Chaos:
    """Its moods. An outage begins now and then, and lasts a second or two; it gets too much now and then."""

    def __init__(self, log: int, seed: int, notices: Notices | None) -> None:
        self._log = log
        self._notices = notices
        self.dice = random.Random(seed)
        self.out = False
        self.busy = False

    async def live(self) -> None:
        await asyncio.gather(self._outages(), self._throttles())

    async def _throttles(self) -> None:
        # Rarely: each time halves what it gets, for minutes.
        await asyncio.sleep(self.dice.uniform(4, 8))
        while True:
            self.busy = True
            await asyncio.sleep(0.7)
            self.busy = False
            await asyncio.sleep(self.dice.uniform(30, 60))

    async def _outages(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(4, 8))
            self.out = True
            await asyncio.sleep(self.dice.uniform(0.3, 1.5))
            self.out = False

    def take(self, recipient: str, message: bytes, fate: str) -> None:
        found = _MESSAGE_ID.search(message)
        words = (recipient, found[1].decode() if found else "none", fate, f"{time.time():.3f}")
        os.write(self._log, "\t".join(words).encode() + b"\n")
        if self._notices is not None:
            self._notices.owe(recipient, words[1])

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.out:
            return
        writer.write(b"220 chaos\r\n")
        recipient, begun = "", False
        while line := await reader.readline():
            luck = self.dice.random()
            match line[:4].upper():
                case b"EHLO":
                    writer.write(b"250-chaos\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
                case b"MAIL" if self.out or luck < 0.001:
                    writer.write(b"421 4.7.0 too much of you\r\n")
                    return
                case b"MAIL" if self.busy:
                    recipient, begun = "", False
                    writer.write(b"451 4.7.1 rate limit exceeded, slow down\r\n")
                case b"MAIL":
                    recipient, begun = "", True
                    writer.write(b"250 2.1.0 ok\r\n")
                case b"RCPT" if not begun:
                    writer.write(b"503 5.5.1 no sender\r\n")
                case b"RCPT":
                    wanted = line[line.index(b"<") + 1 : line.rindex(b">")].decode()
                    if wanted.startswith("gone"):
                        writer.write(b"550 5.1.1 no such user here\r\n")
                    elif luck < 0.01:
                        writer.write(b"450 4.2.0 greylisted, come back\r\n")
                    elif luck < 0.013:
                        writer.write(b"550 5.7.1 we do not like your reputation\r\n")
                    else:
                        recipient = wanted
                        writer.write(b"250 2.1.5 ok\r\n")
                case b"DATA" if not recipient:
                    writer.write(b"503 5.5.1 no recipient\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    message = await reader.readuntil(b"\r\n.\r\n")
                    if luck < 0.001:
                        return  # not taken, and not a word
                    if luck < 0.006:
                        writer.write(b"451 4.3.0 later\r\n")
                        continue
                    self.take(recipient, message, "silent" if luck < 0.008 else "late" if luck < 0.012 else "answered")
                    if luck < 0.008:
                        return  # taken, and not a word
                    if luck < 0.012:
                        await asyncio.sleep(1)
                    writer.write(b"250 2.0.0 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 2.0.0 bye\r\n")
                    return
                case _:
                    writer.write(b"250 2.0.0 ok\r\n")

    async def ses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`SendEmail` of the SES API v2, and its errors."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"content-length:\s*(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if self.out:
                return
            if not head.startswith(b"POST"):
                self._answer(writer, 404, {"message": "no"}, "NotFoundException")
                continue
            asked = json.loads(body)
            recipient = asked["Destination"]["ToAddresses"][0]
            luck = self.dice.random()
            if recipient.startswith("gone"):
                self._answer(writer, 400, {"message": "Address is not valid: no such user"}, "BadRequestException")
            elif self.busy:
                self._answer(writer, 429, {"message": "Maximum sending rate exceeded."}, "TooManyRequestsException")
            elif luck < 0.012:
                self._answer(writer, 503, {"message": "busy"}, "ServiceUnavailable")
            else:
                fate = "silent" if luck < 0.014 else "nonsense" if luck < 0.016 else "answered"
                self.take(recipient, base64.b64decode(asked["Content"]["Raw"]["Data"]), fate)
                if luck < 0.014:
                    return  # taken, and not a word
                if luck < 0.016:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{not json")
                    continue
                self._answer(writer, 200, {"MessageId": f"0100-{self.dice.getrandbits(64):x}"}, "")

    async def mailgun(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`messages.mime`, and its errors."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"content-length:\s*(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if self.out:
                self._answer(writer, 500, {"message": "Internal Server Error"}, "")
                continue
            found = re.search(rb'name="to"\r\n\r\n([^\r]+)', body)
            assert found is not None
            recipient, luck = found[1].decode(), self.dice.random()
            if recipient.startswith("gone"):
                # Mailgun knows no mailboxes: it takes the message, and tells later.
                self.take(recipient, body, "answered")
                self._answer(writer, 200, {"id": "<1@mg>", "message": "Queued. Thank you."}, "")
            elif self.busy:
                writer.write(b"HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}")
            elif luck < 0.01:
                self._answer(writer, 503, {"message": "busy"}, "")
            else:
                fate = (
                    "silent" if luck < 0.012 else "nonsense" if luck < 0.014 else "late" if luck < 0.016 else "answered"
                )
                self.take(recipient, body, fate)
                if fate == "silent":
                    return  # taken, and not a word
                if fate == "late":
                    await asyncio.sleep(1)
                if fate == "nonsense":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{not json")
                    continue
                self._answer(writer, 200, {"id": f"<{self.dice.getrandbits(64):x}@mg>", "message": "Queued."}, "")

    @staticmethod
    def _answer(writer: asyncio.StreamWriter, status: int, body: dict[str, str], error: str) -> None:
        data = json.dumps(body).encode()
        kind = f"x-amzn-ErrorType: {error}\r\n" if error else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{kind}Content-Length: {len(data)}\r\n\r\n".encode() + data)


async def main(kind: str, file: str, seed: str) -> None:
    """Serve until killed."""
    notices = None if kind == "smtp" else Notices(kind, file, random.Random(int(seed) + 1000))
    chaos = Chaos(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), int(seed), notices)
    talk = {"smtp": chaos.smtp, "ses": chaos.ses, "mailgun": chaos.mailgun}[kind]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    living = asyncio.ensure_future(chaos.live())
    if notices is not None:
        where = json.loads(await asyncio.to_thread(sys.stdin.readline))
        await notices.tell(**where)
    await living


if __name__ == "__main__":
    assert Path(sys.argv[2]).parent.is_dir()
    asyncio.run(main(*sys.argv[1:4]))

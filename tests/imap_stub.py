"""An IMAP server over a real socket, with as much of RFC 3501, UIDPLUS and MOVE as a poller speaks; it keeps what is done to it."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class ImapStub:
    """One account; `folders` are UIDs to messages, `flags` of INBOX. `fail_on` hangs up at this command."""

    features: str = "UIDPLUS MOVE"
    uid_validity: int = 7
    folders: dict[str, dict[int, bytes]] = field(default_factory=lambda: {"INBOX": {}, "Done": {}})
    flags: dict[int, set[str]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    fail_on: str = ""
    selected: str = "INBOX"
    before: dict[str, Callable[[], Awaitable[Any]]] = field(default_factory=dict)
    """Done once, before this command is answered."""
    port: int = 0
    _server: Any = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK stub ready\r\n")
        try:
            while line := (await reader.readline()).decode().strip():
                tag, _, rest = line.partition(" ")
                name = " ".join(rest.upper().split()[: 2 if rest.upper().startswith("UID") else 1])
                self.commands.append(name)
                if self.fail_on and name == self.fail_on:
                    self.fail_on = ""
                    break
                if meanwhile := self.before.pop(name, None):
                    await meanwhile()
                if name == "AUTHENTICATE":
                    writer.write(f"{tag} {await self._bearer(reader, writer)}\r\n".encode())
                    continue
                lines, answer = self._answer(name, rest)
                for one in lines:
                    writer.write(one + b"\r\n")
                writer.write(f"{tag} {answer}\r\n".encode())
                if name == "LOGOUT":
                    break
        finally:
            writer.close()

    async def _bearer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """XOAUTH2 as Google describes it: a refusal is a challenge first, which the client answers with nothing."""
        writer.write(b"+ \r\n")
        said = base64.b64decode(await reader.readline())
        if said == b"user=bounces@example.org\x01auth=Bearer ya29.token\x01\x01":
            return "OK in"
        writer.write(b"+ " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
        assert (await reader.readline()).strip() == b""
        return "NO [AUTHENTICATIONFAILED] Invalid credentials"

    def _answer(self, name: str, rest: str) -> tuple[list[bytes], str]:
        inbox = self.folders[self.selected]
        match name:
            case "CAPABILITY":
                return [f"* CAPABILITY IMAP4rev1 {self.features}".encode()], "OK done"
            case "LOGIN":
                good = '"bounces@example.org" "se\\"cret"' in rest
                return [], "OK in" if good else "NO [AUTHENTICATIONFAILED] wrong password"
            case "SELECT":
                folder = rest.split('"')[1]
                if folder not in self.folders:
                    return [], "NO no such folder"
                self.selected = folder
                inbox = self.folders[folder]
                return [
                    b"* %d EXISTS" % len(inbox),
                    b"* OK [UIDVALIDITY %d] ok" % self.uid_validity,
                ], "OK [READ-WRITE] in"
            case "UID SEARCH":
                if "DELETED" in rest:
                    found = [uid for uid in inbox if "\\Deleted" in self.flags.get(uid, ())]
                else:
                    first = int(re.search(r"UID (\d+):\*", rest)[1])  # pyright: ignore[reportOptionalSubscript]
                    # RFC 3501 §6.4.8: `*` is the last one, and a range may be written backwards.
                    found = [uid for uid in inbox if uid >= min(first, max(inbox, default=0))]
                return [b"* SEARCH" + b"".join(b" %d" % uid for uid in found)], "OK done"
            case "UID FETCH":
                most = int(re.search(r"<0\.(\d+)>", rest)[1])  # pyright: ignore[reportOptionalSubscript]
                lines = []
                for at, uid in enumerate(uid for uid in self._uids(rest) if uid in inbox):
                    text = inbox[uid][:most]
                    lines.append(b"* %d FETCH (BODY[]<0> {%d}\r\n%b UID %d)" % (at + 1, len(text), text, uid))
                return lines, "OK done"
            case "UID STORE":
                for uid in self._uids(rest):
                    self.flags.setdefault(uid, set()).add("\\Deleted")
                return [], "OK done"
            case "UID MOVE" | "UID COPY":
                for uid in self._uids(rest):
                    if uid in inbox:
                        self.folders["Done"][uid] = inbox.pop(uid) if name == "UID MOVE" else inbox[uid]
                return [], "OK done"
            case "UID EXPUNGE" | "EXPUNGE":
                some = self._uids(rest) if name == "UID EXPUNGE" else list(inbox)
                for uid in some:
                    if "\\Deleted" in self.flags.get(uid, ()):
                        inbox.pop(uid, None)
                return [], "OK done"
            case _:
                return [], "OK done"

    def _uids(self, rest: str) -> list[int]:
        return [int(one) for one in rest.split()[2].split(",")]

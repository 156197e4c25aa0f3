"""A mailbox over IMAP (RFC 3501, RFC 9051), by the library's imaplib. All of it blocks: call it aside of the event loop."""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable, Sequence

_SECONDS = 30.0
_AT_ONCE = 20
_UID = re.compile(rb"\bUID (\d+)")


class MailboxFault(Exception):
    """The server does not answer, or says no; in words for people."""


class ImapBox:
    """One folder, selected. Nothing is ever marked as read, and nothing touched that `clear` does not name."""

    def __init__(
        self, *, host: str, port: int, tls: str, username: str, password: str, folder: str, auth: str = "password"
    ) -> None:
        """Connect, log in (`auth` xoauth2: `password` is an access token) and select. Raises MailboxFault."""
        context = ssl.create_default_context()
        self._box: imaplib.IMAP4 | None = None
        with self._faults():
            if tls == "implicit":
                self._box = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=_SECONDS)
            else:
                self._box = imaplib.IMAP4(host, port, timeout=_SECONDS)
            if tls == "starttls":
                self._box.starttls(context)
            if auth == "xoauth2":
                self._box.authenticate("XOAUTH2", _bearer(username, password))
            else:
                self._box.login(_quoted(username), password)
            self._features = self._capabilities()
            self._ok(self._box.select(_quoted(folder)), f"the folder {folder!r}")
            validity = self._box.response("UIDVALIDITY")[1]
            self.uid_validity = int(validity[0]) if validity and validity[0] else 0

    def after(self, uid: int, *, most: int) -> list[int]:
        """UIDs above this one, the lowest first. Raises MailboxFault."""
        with self._faults() as box:
            found = self._ok(box.uid("SEARCH", f"UID {uid + 1}:*"), "searching")
        uids = sorted(int(one) for one in b" ".join(part for part in found if part).split())
        return [one for one in uids if one > uid][:most]  # `n:*` names the last message even if it is below n

    def fetch(self, uids: Sequence[int], *, most: int) -> dict[int, bytes]:
        """The first `most` octets of each message that is still there. Raises MailboxFault."""
        found: dict[int, bytes] = {}
        for start in range(0, len(uids), _AT_ONCE):
            some = ",".join(map(str, uids[start : start + _AT_ONCE]))
            with self._faults() as box:
                parts = self._ok(box.uid("FETCH", some, f"(UID BODY.PEEK[]<0.{most}>)"), "fetching")
            for at, part in enumerate(parts):
                if isinstance(part, tuple):
                    behind = parts[at + 1] if at + 1 < len(parts) and isinstance(parts[at + 1], bytes) else b""
                    uid = _UID.search(part[0]) or _UID.search(behind)
                    if uid is not None:
                        found[int(uid[1])] = part[1]
        return found

    def clear(self, uids: Sequence[int], *, move_to: str) -> None:
        """Move these messages, or ('') delete them, and no others; some may be gone already. Raises MailboxFault."""
        for start in range(0, len(uids), 200):
            some = uids[start : start + 200]
            names = ",".join(map(str, some))
            with self._faults() as box:
                if move_to and "MOVE" in self._features:
                    self._ok(box.uid("MOVE", names, _quoted(move_to)), f"moving to {move_to!r}")
                    continue
                if move_to:
                    self._ok(box.uid("COPY", names, _quoted(move_to)), f"copying to {move_to!r}")
                self._ok(box.uid("STORE", names, "+FLAGS.SILENT", r"(\Deleted)"), "deleting")
                if "UIDPLUS" in self._features:
                    self._ok(box.uid("EXPUNGE", names), "expunging")
                    continue
                # A bare EXPUNGE takes all that is marked, also what people marked and may want back.
                marked = self._ok(box.uid("SEARCH", "DELETED"), "searching")
                if {int(one) for one in b" ".join(part for part in marked if part).split()} <= set(some):
                    self._ok(box.expunge(), "expunging")

    def close(self) -> None:
        """Log out."""
        if self._box is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                self._box.logout()
            with contextlib.suppress(OSError):
                self._box.shutdown()

    @contextlib.contextmanager
    def _faults(self):
        try:
            yield self._box or _NONE
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            self.close()
            said = str(
                error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else error
            )
            raise MailboxFault(said[:400] or type(error).__name__) from error

    def _capabilities(self) -> frozenset[str]:
        assert self._box is not None
        answer = self._ok(self._box.capability(), "capabilities")
        return frozenset(b" ".join(part for part in answer if part).decode("ascii", "replace").upper().split())

    @staticmethod
    def _ok(answer: tuple[str, list], what: str) -> list:
        if answer[0] != "OK":
            said = answer[1][0] if answer[1] else b""
            raise imaplib.IMAP4.error(f"{what}: {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}")
        return answer[1]


_NONE: imaplib.IMAP4 = None  # pyright: ignore[reportAssignmentType] - only while connecting, when nobody asks for it


def _bearer(username: str, token: str) -> Callable[[bytes], bytes]:
    """What Google and Microsoft ask for. Told no by a challenge, the client says nothing more and gets the real answer."""
    answers = iter((f"user={username}\x01auth=Bearer {token}\x01\x01".encode(),))
    return lambda _: next(answers, b"")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

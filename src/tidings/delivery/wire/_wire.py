"""The wire message: compiled once a send, filled in once a recipient.

    SendContent → wrapped Liquid (_links) → compiled (_texts) → pieces of quoted-printable (_mime)
                → headers round them (_headers) → one join of bytes

Nothing here is done per recipient that could be done per send: a message costs its slots and one copy of its bytes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tidings.content import Compiled, LimitExceeded, RenderError, Row, one_line, read_attributes
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire import _headers as headers
from tidings.delivery.wire._content import SendContent
from tidings.delivery.wire._message_parts import NO_FILES, Enclosure, attached_parts
from tidings.delivery.wire._mime import SOFT, part, single_spaced
from tidings.delivery.wire._texts import Texts, compile_texts

# Positions in a row of _fetch.sql: by number, because a name costs a look-up for each recipient.
_N, _CONTACT, _EMAIL, _ATTRIBUTES = 0, 1, 2, 9

_MAC = hashlib.blake2b(digest_size=8)
_PATIENCE = 10
"""Recipients in a row for whom a template may go over its limits."""


class TemplateTooDear(RenderError):
    """A template goes over its limits for everyone: no more recipients should be spent on it."""

    code = "template_too_dear"


class TokenMaker(Protocol):
    """What is needed of tracking.Tokens."""

    def for_send(self, workspace: WorkspaceId, send: SendId) -> Callable[[int, int], str]:
        """(n, contact) to that recipient's token."""
        ...

    def dynamic(self, token: str, url: str) -> str:
        """The tail of a link to a destination that was not known at launch."""
        ...


LeaveAt = Callable[[bytes], bytes]
"""An envelope's sender to what follows the https address in List-Unsubscribe: `>, <mailto:…?subject=`; empty for nothing."""


def no_mailbox(_: bytes) -> bytes:
    """Nobody reads what people write to leave: the https address is the only one."""
    return b""


class Wire(Protocol):
    """What a lane fills in: the message of a campaign's send, or those of a rolling one."""

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a recipient. Raises RenderError."""
        ...

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8. Raises RenderError."""
        ...


class WireMessage:
    """The message of one send, waiting for recipients."""

    weight: int
    """Bytes that are the same in each of its messages, and kept."""
    sender: bytes
    """The envelope's sender: its path, without angle brackets."""

    def __init__(
        self,
        content: SendContent,
        *,
        token_of: Callable[[int, int], str],
        parts: tuple[Compiled, Compiled, Compiled],
        frame: "_Frame",
        derived: bool,
    ) -> None:
        self.sender = headers.address(headers.ascii_domain(content.sender_email))
        self._always_utf8 = not (self.sender + content.reply_to.rpartition("@")[0].encode()).isascii()
        self._token_of = token_of
        self._subject, self._html, self._text = (one.render for one in parts)
        self._needs_attributes = any(one.needs_attributes for one in parts)
        self._frame = frame
        self.weight = len(frame.end)
        self._derived = derived
        self._too_dear = 0
        self._fixed_subject: str | None = None
        self._fixed_subject_bytes = b""
        if parts[0].constant:
            self._fixed_subject = one_line("".join(parts[0].render((), b"", "", {}, "")))
            self._fixed_subject_bytes = headers.subject(self._fixed_subject)

    @classmethod
    def compile(
        cls,
        content: SendContent,
        *,
        links: Sequence[str],
        workspace: WorkspaceId,
        send: SendId,
        tokens: TokenMaker,
        files: Mapping[str, bytes] = NO_FILES,
        texts: Texts | None = None,
    ) -> "WireMessage":
        """Compile a send's content; `links` as extract_links gave them at launch, `files` by the hashes in `content.attached`.

        `texts`, of the same `tokens`: where what other sends say is found compiled. Raises TemplateInvalid, RenderError.
        """
        said = compile_texts(content, links, tokens.dynamic) if texts is None else texts.get(content, links)
        return cls(
            content,
            token_of=tokens.for_send(workspace, send),
            parts=said.parts,
            frame=_Frame(content, workspace, send, attached_parts(content.attached, files)),
            derived=said.derived,
        )

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a recipient: CRLF, dot-stuffed, a CRLF at the end, without the line with the dot.

        `row` as _fetch.sql has it; `date` as RFC 5322 wants it. Raises RenderError when this recipient's values cannot
        be put into the template; TemplateTooDear for the last of ten in a row for whom it went over its limits. The
        next one is tried again: whoever catches it is to stop the send.
        """
        try:
            n = row[_N]
            token = self._token_of(n, row[_CONTACT])
            token_bytes = token.encode()
            piece = token_bytes + SOFT
            attributes = read_attributes(row[_ATTRIBUTES]) if self._needs_attributes else {}
            subject, subject_bytes = self._fixed_subject, self._fixed_subject_bytes
            if subject is None:
                subject = one_line("".join(self._subject(row, b"", token, attributes, "")))
                subject_bytes = headers.subject(subject)
            text = self._text(row, piece, token, attributes, subject)
            if self._derived:
                text = [single_spaced(b"".join(text))]
            frame = self._frame
            by_mail = leave_at(self.sender)
            message = b"".join(
                [
                    frame.sender,
                    headers.address(row[_EMAIL]),
                    b"\r\n",
                    subject_bytes,
                    b"Date: ",
                    date,
                    frame.message_id(n, self._token_of(n, 0)),
                    token_bytes,
                    by_mail,
                    token_bytes if by_mail else b"",
                    frame.to_text,
                    *text,
                    frame.to_html,
                    *self._html(row, piece, token, attributes, subject),
                    frame.end,
                ]
            )
            self._too_dear = 0
            return message
        except RenderError:
            raise
        except LimitExceeded as error:
            # Each takes a good part of a second in which nothing else is sent: that may not go on for a million.
            self._too_dear += 1
            if self._too_dear == _PATIENCE:
                self._too_dear = 0
                raise TemplateTooDear(
                    f"the template went over its limits for ten recipients in a row: {error}"[:500]
                ) from error
            raise RenderError(f"the template cannot be rendered for this contact: {error}"[:500]) from error
        except Exception as error:  # a template meets values that nobody foresaw; one recipient must not stop a send
            raise RenderError(f"the template cannot be rendered for this contact: {error}"[:500]) from error

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8 (RFC 6531). Raises RenderError."""
        address = headers.address(row[_EMAIL])
        return self.sender, address, self._always_utf8 or not address.isascii()


class _Frame:
    """All bytes of a message that do not depend on the recipient, apart from its texts."""

    def __init__(self, content: SendContent, workspace: WorkspaceId, send: SendId, parts: bytes) -> None:
        # "=_" cannot occur in quoted-printable, so that no text can contain the boundary (RFC 2045 §6.7).
        boundary = b"=_tidings_%d_%d" % (workspace, send)
        sender = headers.mailbox(content.sender_name, headers.ascii_domain(content.sender_email))
        reply_to = b""
        if content.reply_to:
            reply_to = b"Reply-To: %b\r\n" % headers.address(headers.ascii_domain(content.reply_to))
        self._id_head = b"\r\nMessage-ID: <%d." % send
        self._id_tail = (
            b"@%b>\r\n" % headers.token_text(headers.a_labels(content.message_domain))
            + reply_to
            + b"MIME-Version: 1.0\r\n"
            + headers.list_id(content.list_name, content.list_id)
            + b"Feedback-ID: %b\r\n" % headers.token_text(content.feedback_id)
            + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            + b"List-Unsubscribe: <%b/u/" % headers.token_text(content.public_url)
        )
        self._workspace = workspace
        # Encoded here, once a send: to a message they are a few more bytes that do not depend on its recipient.
        enclosure = Enclosure(parts, root=b"multipart/alternative")
        self.sender = b"From: %b\r\nTo: " % sender
        self.to_text = b'>\r\n%bContent-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n' % (
            enclosure.opening,
            boundary,
            boundary,
        ) + part("plain")
        self.to_html = b"\r\n--%b\r\n" % boundary + part("html")
        self.end = b"\r\n--%b--%b\r\n" % (boundary, enclosure.closing)

    def message_id(self, n: int, secret: str) -> bytes:
        """From the end of Date to the token in List-Unsubscribe.

        `{send}.{n}.{workspace}.{mac}`: the same on every attempt; the keyed part tells ours from made-up ones when a
        bounce quotes it. `secret` is the token of (n, no contact), which never leaves this process.
        """
        return b"%b%d.%d.%b%b" % (self._id_head, n, self._workspace, id_mac(secret), self._id_tail)


def id_mac(secret: str) -> bytes:
    """The keyed part of a Message-ID."""
    mac = _MAC.copy()
    mac.update(secret.encode())
    return mac.hexdigest().encode()

"""Messages to single recipients on the wire: each content compiled once, each message filled in from its row.

    MessageContent → Liquid compiled (content) → pieces of quoted-printable (_mime) → headers and attachments round them

A campaign's send has one WireMessage (see _wire.py), whose frame is the same for all; here nearly every part may be missing, and
headers and attachments are the message's own.
"""

from collections.abc import Mapping

import orjson

from tidings.content import (
    PLAIN,
    Occasion,
    RecipientUrls,
    RenderError,
    Row,
    compile_liquid,
    one_line,
    read_attributes,
    uses_variable,
)
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire import _headers as headers
from tidings.delivery.wire._links import message_html, message_text
from tidings.delivery.wire._message_content import MessageContent, MessageKind
from tidings.delivery.wire._message_parts import NO_FILES, Enclosure, attached_parts, header_lines, joined
from tidings.delivery.wire._mime import QUOTED_PRINTABLE, SOFT, part, single_spaced
from tidings.delivery.wire._wire import LeaveAt, TokenMaker, Wire, id_mac, no_mailbox

# Positions in a row of _fetch_messages.sql.
_N, _CONTACT, _EMAIL, _ATTRIBUTES = 0, 1, 2, 9
_TO_NAME, _HEADERS, _ATTACHMENTS, _CONTENT = 14, 15, 16, 17

_ALTERNATIVE = b"=_tidings_alternative"


class MessageWire:
    """One content, waiting for recipients; `files` by the hashes in `content.attached`, or nothing of them goes along.

    Raises TemplateInvalid and RenderError for content that cannot be sent.
    """

    def __init__(
        self,
        content: MessageContent,
        *,
        workspace: WorkspaceId,
        send: SendId,
        tokens: TokenMaker,
        files: Mapping[str, bytes] = NO_FILES,
    ) -> None:
        occasion = Occasion(
            campaign_id=0,
            campaign_name="",
            workspace_name=content.workspace_name,
            postal_address=content.postal_address,
            urls=RecipientUrls(content.public_url, tokens.dynamic),
        )
        marketing = content.kind == MessageKind.MARKETING
        html = text = ""
        self.says_how_to_leave = any(
            uses_variable(source, "unsubscribe_url", html=is_html, field=field)
            for source, is_html, field in ((content.html, True, "html_content"), (content.text, False, "text_content"))
        )
        """Its author put `unsubscribe_url` in."""
        if content.html:
            html = message_html(
                content.html, track_opens=content.track_opens, track_clicks=content.track_clicks, footer=marketing
            )
        if content.text:
            text = message_text(content.text, track_clicks=content.track_clicks, footer=marketing)
        self._subject = compile_liquid(content.subject, html=False, encoding=PLAIN, occasion=occasion, field="subject")
        self._html, self._text = (
            compile_liquid(source, html=is_html, encoding=QUOTED_PRINTABLE, occasion=occasion, wire=True, field=field)
            for source, is_html, field in ((html, True, "html_content"), (text, False, "text_content"))
        )
        self._root = b"multipart/alternative" if content.html else b"text/plain"
        self._parts = attached_parts(content.attached, files) if files else b""
        self._enclosure = Enclosure(self._parts, root=self._root)
        self.weight = len(self._parts)
        self._has_html, self._derived = bool(content.html), content.derived
        self._needs_attributes = any(one.needs_attributes for one in (self._subject, self._html, self._text))
        self._token_of = tokens.for_send(workspace, send)
        sender = headers.ascii_domain(content.sender_email)
        self.sender = headers.address(sender)
        self._always_utf8 = not (self.sender + content.reply_to.rpartition("@")[0].encode()).isascii()
        self._from = b"From: %b\r\nTo: " % headers.mailbox(content.sender_name, sender)
        self._id = b"Message-ID: <%d.%%d.%d.%%b@%b>\r\n" % (
            send,
            workspace,
            headers.token_text(sender.rpartition("@")[2]).replace(b"%", b"%%"),
        )
        fixed: list[bytes] = []
        if content.reply_to:
            fixed.append(b"Reply-To: %b\r\n" % headers.address(headers.ascii_domain(content.reply_to)))
        feedback_id = f"w{workspace}:{content.label}:{content.kind}:tidings-w{workspace}"
        url = headers.token_text(content.public_url)
        self._leave_url = url if marketing or content.as_campaign else b""
        self._leave_token = b""
        if campaign := content.as_campaign:
            feedback_id = campaign.feedback_id
            fixed.append(headers.list_id(campaign.list_name, campaign.list_id))
            self._leave_token = campaign.token.encode()
        fixed += [b"MIME-Version: 1.0\r\n", b"Feedback-ID: %b\r\n" % headers.token_text(feedback_id)]
        self._fixed = b"".join(fixed)
        # RFC 3834 §5: so that nobody's holiday answers a receipt. What people are to read and answer says nothing.
        self._automatic = b"" if marketing or campaign else b"Auto-Submitted: auto-generated\r\n"

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a row of _fetch_messages.sql, like WireMessage.build. Raises RenderError."""
        try:
            return self._build(row, date, leave_at(self.sender))
        except RenderError:
            raise
        except Exception as error:  # a template meets values that nobody foresaw; one message must not stop the others
            raise RenderError(f"the template cannot be rendered with these variables: {error}"[:500]) from error

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8 (RFC 6531). Raises RenderError."""
        address = headers.address(row[_EMAIL])
        return self.sender, address, self._always_utf8 or not address.isascii()

    def subject(self, row: Row) -> str:
        """The subject as its recipient reads it."""
        token = self._token_of(row[_N], row[_CONTACT])
        return one_line("".join(self._subject.render(row, b"", token, self._attributes(row), "")))

    def _build(self, row: Row, date: bytes, by_mail: bytes) -> bytes:
        n = row[_N]
        token = self._token_of(n, row[_CONTACT])
        attributes = self._attributes(row)
        subject = one_line("".join(self._subject.render(row, b"", token, attributes, "")))
        own: list[tuple[str, str]] = orjson.loads(row[_HEADERS])
        automatic = b"" if any(name.lower() == "auto-submitted" for name, _ in own) else self._automatic
        enclosure = self._enclosure
        if row[_ATTACHMENTS]:
            enclosure = Enclosure(joined(self._parts, row[_ATTACHMENTS]), root=self._root)
        return b"".join(
            [
                self._from,
                headers.mailbox(row[_TO_NAME], row[_EMAIL]),
                b"\r\n",
                headers.subject(subject),
                b"Date: ",
                date,
                b"\r\n",
                self._id % (n, id_mac(self._token_of(n, 0))),
                self._fixed,
                automatic,
                _leaving(self._leave_url, self._leave_token or token.encode(), by_mail) if self._leave_url else b"",
                header_lines(own),
                enclosure.opening,
                *self._body(row, token, attributes, subject),
                enclosure.closing,
                b"\r\n",
            ]
        )

    def _body(self, row: Row, token: str, attributes: dict[str, object], subject: str) -> list[bytes]:
        """The texts, with the headers of their part, without a line break at the end."""
        piece = token.encode() + SOFT
        text = self._text.render(row, piece, token, attributes, subject)
        if not self._has_html:
            return [part("plain"), *text]
        if self._derived:
            text = [single_spaced(b"".join(text))]
        return [
            b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n' % (_ALTERNATIVE, _ALTERNATIVE),
            part("plain"),
            *text,
            b"\r\n--%b\r\n" % _ALTERNATIVE,
            part("html"),
            *self._html.render(row, piece, token, attributes, subject),
            b"\r\n--%b--" % _ALTERNATIVE,
        ]

    def _attributes(self, row: Row) -> dict[str, object]:
        return read_attributes(row[_ATTRIBUTES]) if self._needs_attributes else {}


def _leaving(public_url: bytes, token: bytes, by_mail: bytes) -> bytes:
    """RFC 2369 and RFC 8058."""
    return b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Unsubscribe: <%b/u/%b%b%b>\r\n" % (
        public_url,
        token,
        by_mail,
        token if by_mail else b"",
    )


class MessageWires:
    """The messages of one chunk of a rolling send: each row says which content is its own."""

    def __init__(self, wires: Mapping[bytes, MessageWire | str]) -> None:
        self._wires = wires

    def build(self, row: Row, *, date: bytes, leave_at: LeaveAt = no_mailbox) -> bytes:
        """The whole message for a row. Raises RenderError."""
        return self._of(row).build(row, date=date, leave_at=leave_at)

    def envelope(self, row: Row) -> tuple[bytes, bytes, bool]:
        """Sender, recipient, and whether the message needs SMTPUTF8. Raises RenderError."""
        return self._of(row).envelope(row)

    def _of(self, row: Row) -> MessageWire:
        wire = self._wires[row[_CONTENT]]
        if isinstance(wire, str):
            raise RenderError(wire)
        return wire


_: type[Wire] = MessageWire

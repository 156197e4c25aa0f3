"""A message as a web page: what its recipient got, or what anybody may read, in the words that were frozen at launch."""

import html as markup
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidings.content import (
    Compiled,
    LimitExceeded,
    Occasion,
    Parts,
    RecipientUrls,
    RenderError,
    Row,
    compile_liquid,
    one_line,
    read_attributes,
)
from tidings.core.db import Tx, sql
from tidings.core.errors import NotFound
from tidings.core.ids import SendId, TemplateId, WorkspaceId
from tidings.delivery.wire import MessageContent, MessageKind, SendContent, TokenMaker, message_html, wire_html

_CAMPAIGN = """
SELECT s.campaign_id, c.content::text AS content, c.links FROM sends AS s
JOIN send_contents AS c ON c.workspace_id = s.workspace_id AND c.send_id = s.id AND c.variant = 0
WHERE s.workspace_id = $1 AND s.id = $2 AND c.content <> '{}'
"""
_ATTRIBUTES = 9
_NOBODY: tuple[Any, ...] = (0, 0, "", "", "", "", "", "", [], "{}", None, None, 0)
"""The row of a recipient of whom nothing is known."""
_NO_TOKEN = "0nobody0"  # noqa: S105 - stands where a recipient's would
_HEAD = re.compile(r"<head\b[^<>]{0,1000}>", re.IGNORECASE)
_PLAIN = "<!doctype html><html><head></head><body><pre style='white-space:pre-wrap'>{}</pre></body></html>"
_TITLE = re.compile(r"<title\b", re.IGNORECASE)


class PageNotFound(NotFound):
    """There is no such message any more, or it has no page."""

    code = "page_not_found"


@dataclass(frozen=True, slots=True)
class WebPage:
    """A message to be looked at in a browser. `html` is its author's: it is to be shown without scripts."""

    title: str
    html: str


@dataclass(frozen=True, slots=True)
class WebContent:
    """What a page is made of, before anything is compiled."""

    workspace: WorkspaceId
    send: SendId
    content: SendContent | MessageContent
    links: Sequence[str]
    row: Row | None
    """The recipient; None once they are erased, or where the page is for nobody."""
    template: tuple[TemplateId, int] | None = None
    """Which version of which template it was made of, where that was asked for."""


async def web_content(tx: Tx, *, workspace: WorkspaceId, send: SendId, n: int, contact: int) -> WebContent:
    """What the recipient with this token got. Raises PageNotFound."""
    known = workspace, send, n, contact
    if (found := await tx.fetchrow(_CAMPAIGN, workspace, send)) is not None:
        row = await tx.fetchrow(sql(__package__, "_web_recipient"), *known)
        return WebContent(workspace, send, SendContent.from_json(found["content"].encode()), found["links"], row)
    if (message := await tx.fetchrow(sql(__package__, "_web_message"), *known)) is not None:
        return WebContent(workspace, send, MessageContent.from_json(message["content"].encode()), (), message)
    raise PageNotFound("there is no such message any more")


async def web_recipient(tx: Tx, *, workspace: WorkspaceId, send: SendId, n: int, contact: int) -> Row | None:
    """The row alone, for whoever has the content of this campaign's send already. None once they are erased."""
    return await tx.fetchrow(sql(__package__, "_web_recipient"), workspace, send, n, contact)


async def public_content(tx: Tx, *, workspace: WorkspaceId, sends: Sequence[SendId]) -> list[WebContent]:
    """What these sends of campaigns said, for nobody, in this order; without those that are gone."""
    rows = await tx.fetch(
        """
        SELECT send_id, template_id, template_version, content::text AS content FROM send_contents
        WHERE workspace_id = $1 AND send_id = ANY ($2::bigint[]) AND variant = 0 AND content <> '{}'
        """,
        workspace,
        sends,
    )
    found = {row["send_id"]: row for row in rows}
    return [
        WebContent(
            workspace,
            send,
            SendContent.from_json(row["content"].encode()),
            (),
            None,
            (TemplateId(row["template_id"]), row["template_version"]) if row["template_id"] else None,
        )
        for send in sends
        if (row := found.get(send))
    ]


class WebMessage:
    """One content as pages, compiled once. Raises TemplateInvalid.

    With a recipient, its links are those of the message, which are followed up; there is no open pixel. For nobody, links
    lead straight to where they go, those that are a recipient's own lead nowhere, and no template is strict.
    """

    def __init__(self, source: WebContent, *, tokens: TokenMaker, nobody: bool) -> None:
        content = source.content
        campaign = content if isinstance(content, SendContent) else None
        self._base = content.public_url
        self._nobody = nobody
        self._token_of = tokens.for_send(source.workspace, source.send)
        self._occasion = Occasion(
            campaign_id=campaign.campaign_id if campaign else 0,
            campaign_name=campaign.campaign_name if campaign else "",
            workspace_name=content.workspace_name,
            postal_address=content.postal_address,
            urls=RecipientUrls(content.public_url, tokens.dynamic),
        )
        self._subject = self._compiled(content.subject, html=False)
        self._preheader = self._compiled(campaign.preheader if campaign else "", html=False)
        self._plain = not content.html
        self._body = self._compiled(
            content.text if self._plain else self._html(content, source.links), html=not self._plain
        )

    def page(self, row: Row | None) -> WebPage:
        """The page for a row as _fetch.sql has it; None for nobody. Raises RenderError."""
        who = _NOBODY if row is None else row
        token = _NO_TOKEN if self._nobody or row is None else self._token_of(row[0], row[1])
        try:
            subject = self._line(self._subject, row)
            body = "".join(self._body.render(who, token, token, read_attributes(who[_ATTRIBUTES]), subject))
        except RenderError:
            raise
        except LimitExceeded as error:
            raise PageTooDear(f"the template cannot be rendered: {error}"[:500]) from error
        except Exception as error:  # a template meets values that nobody foresaw
            raise RenderError(f"the template cannot be rendered: {error}"[:500]) from error
        if self._plain:
            body = _PLAIN.format(markup.escape(body))
        if token == _NO_TOKEN:
            body = re.sub(rf"{re.escape(self._base)}/[upv]/{_NO_TOKEN}", "#", body)
        return WebPage(subject, _titled(body, subject))

    def headline(self) -> tuple[str, str]:
        """Subject and preheader, for nobody. Raises RenderError."""
        return self._line(self._subject, None), self._line(self._preheader, None)

    def _line(self, compiled: Compiled, row: Row | None) -> str:
        who = _NOBODY if row is None else row
        try:
            return one_line("".join(compiled.render(who, "", _NO_TOKEN, read_attributes(who[_ATTRIBUTES]), "")))
        except Exception as error:
            raise RenderError(f"the subject cannot be rendered: {error}"[:500]) from error

    def _compiled(self, source: str, *, html: bool) -> Compiled:
        parts = Parts.of(source)
        if self._nobody:
            parts = replace(parts, strict=False)
        return compile_liquid(parts, html=html, occasion=self._occasion, wire=True)

    def _html(self, content: SendContent | MessageContent, links: Sequence[str]) -> str:
        if self._nobody:
            return content.html
        if isinstance(content, SendContent):
            return wire_html(replace(content, track_opens=False), links)
        footer = content.kind == MessageKind.MARKETING
        return message_html(content.html, track_opens=False, track_clicks=content.track_clicks, footer=footer)


class PageTooDear(RenderError):
    """The template goes over its limits: it is not worth trying again soon."""

    code = "page_too_dear"


def _titled(body: str, title: str) -> str:
    """With a title for the browser's tab, if its author gave it none."""
    if _TITLE.search(body) or not (found := _HEAD.search(body)):
        return body
    return f"{body[: found.end()]}<title>{markup.escape(title)}</title>{body[found.end() :]}"

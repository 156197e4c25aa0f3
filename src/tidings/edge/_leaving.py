"""`/u/{token}`: leaving everything. GET and HEAD never change consent; a POST does, whatever else is in it."""

import time
from collections import OrderedDict
from functools import partial
from typing import Any

from tidings import compliance
from tidings.core.clock import utc_now
from tidings.core.ids import WorkspaceId
from tidings.edge import _pages
from tidings.edge._answers import HTML, not_allowed, not_found, read_body, too_large
from tidings.edge._forms import read_form
from tidings.edge._group_commit import AWAY
from tidings.edge._patience import within
from tidings.edge._site import Site, language, remember

LEAVING_SECONDS = 20.0  # the workers may take half of it to answer
_KNOWN_SECONDS = 60.0


class Leaving:
    """The unsubscribe page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._choosers: OrderedDict[int, tuple[float, bool]] = OrderedDict()

    async def answer(self, scope: Any, proto: Any, token: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD", "POST"}:
            not_allowed(proto, "GET, HEAD, POST")
            return
        site, spoken = self._site, language(scope)
        subject = site.tokens.read(token)
        if subject is None:
            not_found(proto, spoken)
            return
        sender = await site.sender(subject.workspace)
        if method != "POST":
            # Relative, so that it holds behind a proxy that gives us a path of its own.
            fewer = f"../p/{token}" if await self._lists_to_choose(subject.workspace) else ""
            proto.response_bytes(200, HTML, _pages.ask(sender, spoken, fewer=fewer))
            return
        body = await read_body(scope, proto)
        if body is None:
            too_large(proto, spoken)
            return
        form = read_form(scope.headers.get("content-type") or "", body)
        left = compliance.leave(
            site.app.db,
            site.app.withdrawals,
            workspace=subject.workspace,
            contact=subject.contact,
            reason=form.get("reason", ""),
            # RFC 8058 §3.1: the mailbox provider posts exactly this.
            source="one_click" if form.get("List-Unsubscribe") == "One-Click" else "page",
            send=subject.send,
            n=subject.n,
            now=utc_now(),
        )
        await within(LEAVING_SECONDS, left)
        proto.response_bytes(200, HTML, _pages.gone(sender, spoken))

    async def _lists_to_choose(self, workspace: WorkspaceId) -> bool:
        at, some = self._choosers.get(workspace, (float("-inf"), False))
        if time.monotonic() - at > _KNOWN_SECONDS:
            try:
                some = await self._site.lookup(partial(compliance.any_public_list, workspace=workspace))
            except AWAY:
                return some  # the page is worth more than this link
            remember(self._choosers, workspace, (time.monotonic(), some))
        return some

"""`/v/{token}`: a message in the browser, as its recipient got it. Looking changes nothing and counts nothing."""

import logging
from typing import Any

from tidings.content import RenderError, TemplateInvalid
from tidings.edge import _pages
from tidings.edge._answers import HTML, MESSAGE, not_allowed, not_found
from tidings.edge._kitchen import Kitchen
from tidings.edge._site import Site, language

_log = logging.getLogger(__name__)


class Reading:
    """The page that `view_in_browser_url` leads to."""

    def __init__(self, site: Site, kitchen: Kitchen) -> None:
        self._site = site
        self._kitchen = kitchen

    async def answer(self, scope: Any, proto: Any, token: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD"}:
            not_allowed(proto, "GET, HEAD")
            return
        spoken = language(scope)
        subject = self._site.tokens.read(token)
        if subject is None:
            not_found(proto, spoken)
            return
        try:
            page = await self._kitchen.of_recipient(subject)
        except (RenderError, TemplateInvalid) as error:
            _log.warning("send %d cannot be shown: %s", subject.send, error)
            proto.response_bytes(404, HTML, _pages.message("not_shown", spoken))
            return
        proto.response_bytes(200, MESSAGE, page.html.encode("utf-8", "replace"))

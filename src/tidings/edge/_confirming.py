"""`/s/{token}`: the owner of an address confirms. Looking changes nothing: scanners follow every link in a message."""

import logging
from functools import partial
from typing import Any

from tidings import compliance
from tidings.audience import consents, forms
from tidings.audience.consents import Consent, ConsentState, Verdict
from tidings.audience.forms import Form
from tidings.audience.lists import some_lists
from tidings.compliance import TooManySignups
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import ConsentId, WorkspaceId
from tidings.edge import _pages
from tidings.edge._answers import HTML, PRIVATE, location, not_allowed, not_found, read_body, too_large
from tidings.edge._forms import read_form
from tidings.edge._site import Site, language, user_agent

_log = logging.getLogger(__name__)


class Confirming:
    """The page that a confirmation's link leads to."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, scope: Any, proto: Any, token: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD", "POST"}:
            not_allowed(proto, "GET, HEAD, POST")
            return
        known = self._site.signup_tokens.read_consent(token)
        if known is None:
            not_found(proto, language(scope))
            return
        workspace, number = known
        body = b"" if method != "POST" else await read_body(scope, proto)
        if body is None:
            too_large(proto, language(scope))
            return
        consent = await self._site.lookup(partial(consents.get_consent, workspace=workspace, consent=number))
        act = read_form(scope.headers.get("content-type") or "", body).get("act", "") if method == "POST" else ""
        if act == "confirm":
            await self._confirm(scope, proto, workspace, consent)
        elif act == "decline":
            await self._decline(scope, proto, workspace, consent)
        elif act == "again":
            await self._ask_again(scope, proto, workspace, consent)
        else:
            proto.response_bytes(200, HTML, await self._page(scope, workspace, consent))

    async def _page(self, scope: Any, workspace: WorkspaceId, consent: Consent) -> bytes:
        sender, spoken = await self._site.sender(workspace), language(scope, consent.language)
        match consent.state(utc_now()):
            case ConsentState.PENDING:
                lists = await self._site.lookup(partial(some_lists, workspace=workspace, lists=consent.list_ids))
                return _pages.confirm(sender, consent.email, [one.shown_name for one in lists], spoken)
            case ConsentState.GIVEN:
                return _pages.message("already", spoken, form=await self._way_back(workspace, consent))
            case ConsentState.DECLINED:
                return _pages.message("declined", spoken)
            case ConsentState.EXPIRED:
                form = await self._way_back(workspace, consent)
                return _pages.expired(sender, consent.email, spoken, form=form)

    async def _confirm(self, scope: Any, proto: Any, workspace: WorkspaceId, consent: Consent) -> None:
        app = self._site.app
        address, _ = self._site.client(scope)
        done = await self._site.change(
            partial(
                compliance.confirm,
                workspace=workspace,
                consent=consent.id,
                ip=address,
                user_agent=user_agent(scope),
                keys=app.keys,
                now=utc_now(),
            )
        )
        spoken = language(scope, consent.language)
        if done.verdict is Verdict.REFUSED:
            page = _pages.message("refused", spoken, sender=await self._site.sender(workspace))
            proto.response_bytes(200, HTML, page)
            return
        form = await self._form(workspace, consent)
        if done.verdict is not Verdict.CONFIRMED:
            proto.response_bytes(200, HTML, await self._page(scope, workspace, done.consent))
        elif form is not None and form.confirmed_url:
            proto.response_bytes(303, [location(form.confirmed_url), *PRIVATE], b"")
        else:
            lists = await self._site.lookup(partial(some_lists, workspace=workspace, lists=consent.list_ids))
            page = _pages.message(
                "confirmed",
                spoken,
                form.confirmed_text if form is not None else "",
                sender=await self._site.sender(workspace),
                email=consent.email,
                lists=", ".join(one.shown_name for one in lists),
            )
            proto.response_bytes(200, HTML, page)

    async def _decline(self, scope: Any, proto: Any, workspace: WorkspaceId, consent: Consent) -> None:
        if consent.state(utc_now()) is ConsentState.GIVEN:
            proto.response_bytes(200, HTML, await self._page(scope, workspace, consent))
            return
        await self._site.change(
            partial(consents.decline_consent, workspace=workspace, consent=consent.id, now=utc_now())
        )
        proto.response_bytes(200, HTML, _pages.message("declined", language(scope, consent.language)))

    async def _ask_again(self, scope: Any, proto: Any, workspace: WorkspaceId, consent: Consent) -> None:
        app = self._site.app
        address, network = self._site.client(scope)
        spoken = language(scope, consent.language)

        async def ask(tx: Tx) -> object:
            return await compliance.ask_again(
                tx,
                workspace=workspace,
                consent=ConsentId(consent.id),
                ip=address,
                network=network,
                user_agent=user_agent(scope),
                keys=app.keys,
                public_url=app.public_url,
                now=utc_now(),
            )

        try:
            await self._site.change(ask)
        except TooManySignups as error:
            headers = [("retry-after", str(int(error.retry_after_seconds))), *HTML]
            proto.response_bytes(429, headers, _pages.message("slow", spoken))
        except (Conflict, NotFound, Invalid) as error:
            _log.warning("workspace %d cannot send confirmations: %s", workspace, error)
            page = _pages.message("not_ready", spoken, sender=await self._site.sender(workspace))
            proto.response_bytes(503, HTML, page)
        else:
            proto.response_bytes(200, HTML, _pages.message("sent_new", spoken))

    async def _form(self, workspace: WorkspaceId, consent: Consent) -> Form | None:
        if consent.form_id is None:
            return None
        try:
            return await self._site.lookup(partial(forms.get_form, workspace=workspace, form=consent.form_id))
        except NotFound:
            return None

    async def _way_back(self, workspace: WorkspaceId, consent: Consent) -> str:
        """Where they can sign up anew; '' if that form is no more."""
        form = await self._form(workspace, consent)
        if form is None or not form.active:
            return ""
        return f"../f/{self._site.signup_tokens.form(workspace, form.id)}"

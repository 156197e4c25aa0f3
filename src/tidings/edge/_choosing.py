"""`/p/{token}`: which lists somebody wants to be on. Looking changes nothing; what a POST switches off is off at its answer."""

from functools import partial
from typing import Any

from tidings import compliance
from tidings.audience.consents import Proof
from tidings.compliance import Preferences
from tidings.core.clock import utc_now
from tidings.core.ids import ListId
from tidings.edge import _pages
from tidings.edge._answers import HTML, not_allowed, not_found, read_body, too_large
from tidings.edge._forms import read_fields
from tidings.edge._leaving import LEAVING_SECONDS
from tidings.edge._patience import within
from tidings.edge._site import Site, language, user_agent
from tidings.edge._texts import TEXTS
from tidings.tracking import Subject


class Choosing:
    """The preference page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, scope: Any, proto: Any, token: str, method: str) -> None:
        """One request."""
        if method not in {"GET", "HEAD", "POST"}:
            not_allowed(proto, "GET, HEAD, POST")
            return
        spoken = language(scope)
        subject = self._site.tokens.read(token)
        if subject is None:
            not_found(proto, spoken)
            return
        sender = await self._site.sender(subject.workspace)
        if method != "POST":
            proto.response_bytes(200, HTML, _pages.choices(await self._stands(subject), sender, spoken))
            return
        body = await read_body(scope, proto)
        if body is None:
            too_large(proto, spoken)
            return
        fields = read_fields(scope.headers.get("content-type") or "", body)
        act = fields.get("act", [""])[0]
        if act == "leave":
            await self._leave(subject)
        elif act == "save":
            await self._save(subject, scope, fields, sender, spoken)
        saved = act in {"leave", "save"}
        proto.response_bytes(200, HTML, _pages.choices(await self._stands(subject), sender, spoken, saved=saved))

    async def _stands(self, subject: Subject) -> Preferences | None:
        return await self._site.change(
            partial(
                compliance.preferences,
                workspace=subject.workspace,
                contact=subject.contact,
                keys=self._site.app.keys,
            )
        )

    async def _leave(self, subject: Subject) -> None:
        app = self._site.app
        left = compliance.leave(
            app.db,
            app.withdrawals,
            workspace=subject.workspace,
            contact=subject.contact,
            reason="",
            source="preferences",
            send=subject.send,
            n=subject.n,
            now=utc_now(),
        )
        await within(LEAVING_SECONDS, left)

    async def _save(self, subject: Subject, scope: Any, fields: dict[str, list[str]], sender: str, spoken: str) -> None:
        app = self._site.app
        stands = await self._stands(subject)
        if stands is None:
            return
        shown, on = _numbers(fields.get("shown", [])), _numbers(fields.get("list", []))
        texts = TEXTS[spoken]
        address, network = self._site.client(scope)
        read = [
            texts["preferences"],
            texts["preferences_what"].format(sender=sender, email=stands.email),
            *(f"[{'x' if choice.id in on else ' '}] {choice.name}" for choice in stands.choices if choice.id in shown),
            f"[{texts['save']}]",
        ]
        proof = Proof(
            source="preferences",
            wording="\n".join(read),
            language=spoken,
            ip=address,
            network=network,
            user_agent=user_agent(scope),
        )
        chosen = compliance.choose(
            app.db,
            app.withdrawals,
            workspace=subject.workspace,
            contact=subject.contact,
            shown=shown,
            on=on,
            proof=proof,
            send=subject.send,
            n=subject.n,
            keys=app.keys,
            now=utc_now(),
        )
        await within(LEAVING_SECONDS, chosen)


def _numbers(texts: list[str]) -> set[ListId]:
    return {ListId(int(text)) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19}

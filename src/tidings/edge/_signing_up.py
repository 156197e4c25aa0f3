"""`/f/{form}`: signup forms, hosted here or embedded elsewhere.

The answer never tells whether an address is known. What keeps programs out, without asking people to solve puzzles: an input
that only programs fill in, a signed ticket that says when the form was shown (whoever posts without one, or within a moment,
is shown the form again with all they typed, and presses once more), and limits by network, form and address.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tidings import compliance
from tidings.audience import forms
from tidings.audience.consents import Proof
from tidings.audience.forms import AnswerProblem, Answers, read_answers
from tidings.compliance import LANGUAGES, Filled, ShownForm, TooManySignups
from tidings.core.clock import utc_now
from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import FormId, ListId, WorkspaceId, public_id
from tidings.edge import _pages
from tidings.edge._answers import (
    HTML,
    JSON,
    PRIVATE,
    Headers,
    html_headers,
    location,
    not_allowed,
    not_found,
    read_body,
    too_large,
)
from tidings.edge._forms import read_fields
from tidings.edge._site import Site, language, user_agent
from tidings.edge._texts import TEXTS

_log = logging.getLogger(__name__)

_SOONEST_SECONDS = 1.5
_LATEST_SECONDS = 24 * 3600.0
_ANSWER_SECONDS = 0.1
"""What signing up takes at least, for everybody: whoever was shut out would be answered in half the time of others."""
_A_MINUTE = 60.0
"""Posts a network may make here, in one process: before anything is looked up."""
_NETWORKS = 10_000


class SigningUp:
    """Signup forms."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def answer(self, scope: Any, proto: Any, rest: str, method: str) -> None:
        """One request."""
        token, _, tail = rest.partition("/")
        known = self._site.signup_tokens.read_form(token)
        if known is None or tail not in {"", "ticket"}:
            not_found(proto, language(scope))
            return
        allowed = "GET, HEAD, OPTIONS" if tail else "GET, HEAD, POST, OPTIONS"
        if method not in allowed.split(", "):
            not_allowed(proto, allowed)
            return
        if method == "POST" and not self._allowed(self._site.client(scope)[1]):
            _slow(proto, scope, language(scope), 30, [])
            return
        shown = await self._shown(scope, *known)
        cors = _cors(scope, shown)
        if method == "OPTIONS":
            proto.response_empty(204, [("allow", allowed), *cors])
        elif tail:
            body = {
                "ticket": self._ticket(token),
                "wording": shown.version,
                "text": shown.wording,
                "lang": shown.language,
                "lists": [{"id": public_id("list", one.id), "name": one.shown_name} for one in shown.terms],
            }
            proto.response_bytes(200, [*JSON, *cors], orjson.dumps(body))
        elif not shown.form.active or not shown.lists:
            _say(proto, scope, 410, shown, "form_closed", "closed", cors)
        elif method == "POST":
            await self._post(scope, proto, shown, *known, cors)
        else:
            proto.response_bytes(
                200, _headers(shown), _pages.signup(shown, compliance.EMPTY, ticket=self._ticket(token))
            )

    async def _post(
        self, scope: Any, proto: Any, shown: ShownForm, workspace: WorkspaceId, form: FormId, cors: Headers
    ) -> None:
        body = await read_body(scope, proto)
        if body is None:
            too_large(proto, shown.language)
            return
        fields = read_fields(scope.headers.get("content-type") or "", body, json=True)
        typed = {name: values[0] for name, values in fields.items()}
        if typed.get("lang") in LANGUAGES and not shown.form.language:
            shown = shown.in_language(typed["lang"])
        answers = read_answers(shown.questions, typed)
        lists = shown.chosen(fields.get("list", []))
        problems = answers.problems if lists else {**answers.problems, "list": AnswerProblem.REQUIRED}
        if typed.get("your_homepage"):
            self._thank(scope, proto, shown, answers.email, lists, cors)
            return
        agreed = bool(typed.get("consent"))
        disagreed = shown.form.consent_box and not agreed
        filled = Filled(typed, problems, agreed, disagreed, lists if shown.chooses else ())
        if problems or disagreed:
            self._mend(scope, proto, shown, filled, cors)
            return
        age = self._site.signup_tokens.ticket_age(typed.get("ticket", ""), shown.token, utc_now())
        fresh = age is not None and _SOONEST_SECONDS <= age <= _LATEST_SECONDS
        if not fresh or typed.get("wording") != shown.version:
            self._again(scope, proto, shown, filled, cors)
            return
        started = time.monotonic()
        try:
            try:
                await self._sign_up(scope, shown, answers, lists, workspace, form)
            finally:
                await asyncio.sleep(started + _ANSWER_SECONDS - time.monotonic())
        except TooManySignups as error:
            _slow(proto, scope, shown.language, int(error.retry_after_seconds), cors)
        except (Conflict, NotFound, Invalid) as error:
            _log.warning("form %d of workspace %d cannot sign anybody up: %s", form, workspace, error)
            _say(proto, scope, 503, shown, "not_ready", "not_ready", cors)
        else:
            self._thank(scope, proto, shown, answers.email, lists, cors)

    async def _sign_up(
        self,
        scope: Any,
        shown: ShownForm,
        answers: Answers,
        lists: Sequence[ListId],
        workspace: WorkspaceId,
        form: FormId,
    ) -> None:
        app = self._site.app
        address, network = self._site.client(scope)
        proof = Proof(
            source="form",
            wording=shown.agreed_to(lists),
            form=form,
            language=shown.language,
            ip=address,
            network=network,
            user_agent=user_agent(scope),
        )

        async def do(tx: Tx) -> object:
            return await compliance.sign_up(
                tx,
                workspace=workspace,
                email=answers.email,
                lists=lists,
                opt_in=shown.form.opt_in,
                answers=answers.fields,
                proof=proof,
                hourly_limit=shown.form.hourly_limit,
                keys=app.keys,
                public_url=app.public_url,
                now=utc_now(),
            )

        await self._site.change(do)

    def _thank(
        self, scope: Any, proto: Any, shown: ShownForm, email: str, lists: Sequence[ListId], cors: Headers
    ) -> None:
        """The same for everybody who asks for these lists."""
        key = "check_mail" if shown.confirms(lists) else "thanks"
        if _wants_json(scope):
            text = shown.form.success_text or TEXTS[shown.language][f"{key}_what"].format(email=email)
            told = {"status": "ok", "message": text, "redirect_url": shown.form.redirect_url or None}
            proto.response_bytes(200, [*JSON, *cors], orjson.dumps(told))
        elif shown.form.redirect_url:
            proto.response_bytes(303, [location(shown.form.redirect_url), *PRIVATE], b"")
        else:
            page = _pages.message(key, shown.language, shown.form.success_text, email=email)
            proto.response_bytes(200, _headers(shown), page)

    def _mend(self, scope: Any, proto: Any, shown: ShownForm, filled: Filled, cors: Headers) -> None:
        if _wants_json(scope):
            problems = {
                name: shown.words["choose_list" if name == "list" else problem]
                for name, problem in filled.problems.items()
            }
            if filled.disagreed:
                problems["consent"] = shown.words["agree_first"]
            told = {"status": "invalid", "message": " ".join(problems.values()), "problems": problems}
            proto.response_bytes(422, [*JSON, *cors], orjson.dumps(told))
            return
        page = _pages.signup(shown, filled, ticket=self._ticket(shown.token), note="mend")
        proto.response_bytes(422, _headers(shown), page)

    def _again(self, scope: Any, proto: Any, shown: ShownForm, filled: Filled, cors: Headers) -> None:
        """Show what they are asked, with all they typed: they press the button once more."""
        ticket = self._ticket(shown.token)
        if _wants_json(scope):
            told = {
                "status": "again",
                "message": TEXTS[shown.language]["one_more"],
                "ticket": ticket,
                "wording": shown.version,
                "text": shown.wording,
            }
            proto.response_bytes(409, [*JSON, *cors], orjson.dumps(told))
            return
        proto.response_bytes(200, _headers(shown), _pages.signup(shown, filled, ticket=ticket, note="one_more"))

    async def _shown(self, scope: Any, workspace: WorkspaceId, number: FormId) -> ShownForm:
        accept = scope.headers.get("accept-language") or ""

        async def find(tx: Tx) -> ShownForm:
            form = await forms.get_form(tx, workspace=workspace, form=number)
            return await compliance.shown_form(
                tx, workspace=workspace, form=form, keys=self._site.app.keys, accept_language=accept
            )

        return await self._site.lookup(find)

    def _ticket(self, token: str) -> str:
        return self._site.signup_tokens.ticket(token, utc_now())

    def _allowed(self, network: str) -> bool:
        """A token bucket each."""
        left, at = self._left.get(network, (_A_MINUTE, 0.0))
        now = time.monotonic()
        left = min(_A_MINUTE, left + (now - at) * _A_MINUTE / 60.0)
        if left < 1.0:
            return False
        self._left[network] = (left - 1.0, now)
        self._left.move_to_end(network)
        if len(self._left) > _NETWORKS:
            self._left.popitem(last=False)
        return True


def _wants_json(scope: Any) -> bool:
    kinds = f"{scope.headers.get('accept') or ''} {scope.headers.get('content-type') or ''}"
    return "application/json" in kinds


def _headers(shown: ShownForm) -> Headers:
    """The form may lead to where it redirects: browsers ask form-action about that too."""
    action = [forms.origin_of(shown.form.redirect_url)] if shown.form.redirect_url else []
    return html_headers(form_action=action, frame_ancestors=shown.form.origins)


def _cors(scope: Any, shown: ShownForm) -> Headers:
    """For pages that may post with fetch: no credentials are involved."""
    origin = scope.headers.get("origin") or ""
    vary = [("vary", "Origin")]
    if origin.lower() not in shown.form.origins:
        return vary
    return [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "GET, POST"),
        ("access-control-allow-headers", "Content-Type, Accept"),
        ("access-control-max-age", "3600"),
        *vary,
    ]


def _say(proto: Any, scope: Any, status: int, shown: ShownForm, key: str, word: str, cors: Headers) -> None:
    known: Mapping[str, str] = {"sender": shown.sender}
    if _wants_json(scope):
        text = TEXTS[shown.language][f"{key}_what"].format(**known)
        proto.response_bytes(status, [*JSON, *cors], orjson.dumps({"status": word, "message": text}))
    else:
        proto.response_bytes(status, _headers(shown), _pages.message(key, shown.language, **known))


def _slow(proto: Any, scope: Any, spoken: str, seconds: int, cors: Headers) -> None:
    wait = [("retry-after", str(seconds))]
    if _wants_json(scope):
        told = {"status": "slow", "message": TEXTS[spoken]["slow_what"]}
        proto.response_bytes(429, [*wait, *JSON, *cors], orjson.dumps(told))
    else:
        proto.response_bytes(429, [*wait, *HTML], _pages.message("slow", spoken))

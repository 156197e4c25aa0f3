"""Signing up: who is put on a list at once, who is asked to confirm, and who hears nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidings import accounts
from tidings.audience import consents, forms
from tidings.audience.consents import Confirmation, ConsentState, Proof, Standing
from tidings.audience.fields import ContactFields
from tidings.audience.forms import Form
from tidings.audience.lists import ListNotFound, ListTerms, OptIn, some_lists
from tidings.compliance._confirm_mail import default_mail
from tidings.compliance._post import Letter, post
from tidings.compliance._signup_form import ShownForm, wants_confirmation
from tidings.compliance._tokens import SignupTokens
from tidings.compliance._words import pick_language
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.errors import Conflict, RateLimited
from tidings.core.ids import ConsentId, FormId, ListId, WorkspaceId, public_id
from tidings.delivery import find_way

A_DAY = 3
"""Confirmations that are sent to one address in 24 hours, whoever asks for them: nobody's mailbox is flooded through us."""

APART = timedelta(minutes=1)
"""Between two of them."""

A_NETWORK_AN_HOUR = 60
"""Sign-ups through a workspace's forms from one address (or /64 of IPv6)."""


class NoSender(Conflict):
    """A confirmation has to come from somebody: the list, or the workspace, needs a sender."""

    code = "no_sender"


class NoProvider(Conflict):
    """Nothing carries confirmations: the workspace needs a provider."""

    code = "no_provider"


class TooManySignups(RateLimited):
    """Too many from this address, or through this form, in the last hour."""


class Outcome(StrEnum):
    """What came of signing up."""

    PENDING = "pending"
    """The owner of the address is asked to confirm."""
    SUBSCRIBED = "subscribed"
    """On the lists."""
    REFUSED = "refused"
    """They complained, or were shut out: nothing was done. A form answers as if all were well."""
    TOO_OFTEN = "too_often"
    """They have been asked often enough for now: nothing was done."""


@dataclass(frozen=True, slots=True)
class SignedUp:
    """What came of it; `consent` is None where nothing was done."""

    outcome: Outcome
    consent: ConsentId | None = None


@dataclass(frozen=True, slots=True)
class _Sender:
    email: str
    name: str
    company: str


async def sign_up(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    email: str,
    lists: Sequence[ListId],
    opt_in: OptIn | None = None,
    answers: ContactFields,
    proof: Proof,
    hourly_limit: int = 10_000,
    keys: Keyring,
    public_url: str,
    now: datetime,
) -> SignedUp:
    """Somebody typed this (normalised) address and asked for these lists.

    `opt_in` None: double if one of the lists wants it. Whoever is out of anything is asked to confirm, even where others are
    not; whoever complained or was shut out is left alone. Raises ListNotFound, NoSender, NoProvider, TooManySignups: all of
    them whoever it is that asks, so that no error tells of an address.
    """
    found = await some_lists(tx, workspace=workspace, lists=lists)
    if not found:
        raise ListNotFound("none of these lists exists")
    double = wants_confirmation(found, opt_in)
    sender = await _sender(tx, workspace, found, wanted=double)
    provided = await _provider(tx, workspace, wanted=double)
    known = await consents.standing(tx, workspace=workspace, email=email, lists=lists, keys=keys)
    recent = await consents.recent_consents(
        tx,
        workspace=workspace,
        email=email,
        network=proof.network,
        form=proof.form,
        most=max(hourly_limit, A_NETWORK_AN_HOUR),
        now=now,
    )
    if recent.network >= A_NETWORK_AN_HOUR or (proof.form is not None and recent.form >= hourly_limit):
        raise TooManySignups("there were too many sign-ups in the last hour", retry_after_seconds=600)
    if known.forbidden:
        return SignedUp(Outcome.REFUSED)
    if recent.address >= A_DAY or (recent.last_at is not None and now - recent.last_at < APART):
        return SignedUp(Outcome.TOO_OFTEN)
    there = [one.id for one in found]
    if not double and not known.out:
        contact = await consents.admit(
            tx,
            workspace=workspace,
            email=email,
            lists=there,
            answers=answers,
            language=proof.language,
            known=known,
            source=proof.source,
            keys=keys,
            now=now,
        )
        known = Standing(contact, None, {})
        consent = await _ask(tx, workspace, email, there, answers, proof, None, known, now)
        return SignedUp(Outcome.SUBSCRIBED, consent)
    if sender is None or not provided:  # a form that needs no confirmation, and somebody who does
        return SignedUp(Outcome.REFUSED)
    primary = _primary(found)
    expires_at = now + timedelta(days=primary.confirm_days)
    consent = await _ask(tx, workspace, email, there, answers, proof, expires_at, known, now)
    letter = _letter(
        found, sender, email, answers, proof, SignupTokens(keys).consent(workspace, consent), public_url=public_url
    )
    await post(tx, workspace=workspace, letter=letter, contact=known.contact, keys=keys, public_url=public_url, now=now)
    return SignedUp(Outcome.PENDING, consent)


async def ask_again(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    consent: ConsentId,
    ip: str,
    network: str,
    user_agent: str,
    keys: Keyring,
    public_url: str,
    now: datetime,
) -> SignedUp:
    """Send the confirmation once more, to whoever still holds the old one: it came too late, or was lost.

    Raises ConsentNotFound, ListNotFound, NoSender, TooManySignups.
    """
    old = await consents.get_consent(tx, workspace=workspace, consent=consent)
    if old.state(now) is ConsentState.DECLINED:
        return SignedUp(Outcome.REFUSED)
    proof = Proof(
        source=old.source,
        wording=old.wording,
        form=old.form_id,
        language=old.language,
        ip=ip,
        network=network,
        user_agent=user_agent,
    )
    return await sign_up(
        tx,
        workspace=workspace,
        email=old.email,
        lists=old.list_ids,
        opt_in=OptIn.DOUBLE,
        answers=ContactFields(**old.answers),
        proof=proof,
        keys=keys,
        public_url=public_url,
        now=now,
    )


async def confirm(
    tx: Tx, *, workspace: WorkspaceId, consent: ConsentId, ip: str, user_agent: str, keys: Keyring, now: datetime
) -> Confirmation:
    """The owner of the address pressed the button. Raises ConsentNotFound. See `consents.confirm_consent`."""
    return await consents.confirm_consent(
        tx, workspace=workspace, consent=consent, ip=ip, user_agent=user_agent, keys=keys, now=now
    )


async def shown_form(
    tx: Tx, *, workspace: WorkspaceId, form: Form, keys: Keyring, accept_language: str = ""
) -> ShownForm:
    """The form with everything that its page shows."""
    owner = await accounts.get_workspace(tx, workspace=workspace)
    lists = await some_lists(tx, workspace=workspace, lists=form.list_ids)
    return ShownForm(
        form,
        SignupTokens(keys).form(workspace, form.id),
        owner.sender_name or owner.name,
        lists,
        await forms.questions(tx, workspace=workspace, fields=form.fields),
        pick_language(form.language, accept_language),
    )


async def require_sender(
    tx: Tx, *, workspace: WorkspaceId, lists: Sequence[ListId], opt_in: OptIn | None = None
) -> None:
    """Raises NoSender if confirmations would have to be sent for these lists, which exist, and there is nobody to send them."""
    found = await some_lists(tx, workspace=workspace, lists=lists)
    await _sender(tx, workspace, found, wanted=wants_confirmation(found, opt_in))


@dataclass(frozen=True, slots=True)
class FormProblem:
    """Why a form does not work, or not as its owner thinks: a stable `code`, and in words how to mend it."""

    code: str
    message: str


async def form_problems(tx: Tx, *, workspace: WorkspaceId, form: Form) -> list[FormProblem]:
    """What keeps a form from signing people up. Its visitors are told nothing of it but that it is not ready, or closed."""
    found = await some_lists(tx, workspace=workspace, lists=form.list_ids)
    problems: list[FormProblem] = []
    gone = [public_id("list", one) for one in form.list_ids if one not in {known.id for known in found}]
    if gone:
        left = "it leads to the others alone" if found else "it leads nowhere, and its page says that it is closed"
        problems.append(FormProblem("list_missing", f"list_ids: {', '.join(gone)} was deleted: {left}"))
    asked = {one.name for one in await forms.questions(tx, workspace=workspace, fields=form.fields)}
    if unasked := [one.name for one in form.fields if one.name not in asked]:
        message = (
            f"fields: {', '.join(unasked)} is no contact field any more, and not asked for: declare it, or leave it out"
        )
        problems.append(FormProblem("field_missing", message))
    if not found:
        problems.append(FormProblem("no_lists", "list_ids: name a list that people are to be put on"))
        return problems
    double = wants_confirmation(found, form.opt_in)
    for check in (_sender(tx, workspace, found, wanted=double), _provider(tx, workspace, wanted=double)):
        try:
            await check
        except Conflict as error:
            problems.append(FormProblem(error.code, error.message))
    return problems


def _primary(lists: Sequence[ListTerms]) -> ListTerms:
    """The list whose texts, sender and time a confirmation of several takes: the first that wants one."""
    return next((one for one in lists if one.opt_in is OptIn.DOUBLE), lists[0])


async def _sender(tx: Tx, workspace: WorkspaceId, lists: Sequence[ListTerms], *, wanted: bool) -> _Sender | None:
    owner = await accounts.get_workspace(tx, workspace=workspace)
    known_as = owner.sender_name or owner.name  # as on the form, whose words are kept as proof
    for one in [_primary(lists), *lists]:
        if one.sender_email:
            return _Sender(one.sender_email, one.sender_name or known_as, known_as)
    if owner.sender_email:
        return _Sender(owner.sender_email, _primary(lists).sender_name or known_as, known_as)
    if wanted:
        raise NoSender(
            "a confirmation has to come from somebody: set sender_email of the workspace, or of "
            + public_id("list", _primary(lists).id)
        )
    return None


async def _provider(tx: Tx, workspace: WorkspaceId, *, wanted: bool) -> bool:
    found = await find_way(tx, workspace=workspace, provider=None, route=None) is not None
    if wanted and not found:
        raise NoProvider(
            "nothing carries confirmations: add a provider (POST /api/v1/providers, `tidings provider add`)"
        )
    return found


async def _ask(
    tx: Tx,
    workspace: WorkspaceId,
    email: str,
    lists: Sequence[ListId],
    answers: ContactFields,
    proof: Proof,
    expires_at: datetime | None,
    known: Standing,
    now: datetime,
) -> ConsentId:
    return await consents.ask_consent(
        tx,
        workspace=workspace,
        email=email,
        lists=lists,
        answers=answers,
        proof=proof,
        expires_at=expires_at,
        contact=known.contact,
        now=now,
    )


def _letter(
    lists: Sequence[ListTerms],
    sender: _Sender,
    email: str,
    answers: ContactFields,
    proof: Proof,
    token: str,
    *,
    public_url: str,
) -> Letter:
    primary = _primary(lists)
    ours = default_mail(pick_language(proof.language))
    names = [one.shown_name for one in lists]
    return Letter(
        email=email,
        # Texts of their own with our subject, or the other way round, would be strange, but are possible.
        subject=primary.confirm_subject or ours.subject,
        html=primary.confirm_html or (ours.html if not primary.confirm_text else ""),
        text=primary.confirm_text or (ours.text if not primary.confirm_html else ""),
        sender_email=sender.email,
        sender_name=sender.name,
        variables={
            "confirm_url": f"{public_url}/s/{token}",
            "list_names": ", ".join(names),
            "lists": names,
            "sender": sender.company,
            "days": primary.confirm_days,
            "first_name": harmless(answers.first_name or ""),
            "last_name": harmless(answers.last_name or ""),
        },
    )


_LINKLIKE = re.compile(r"[/:@<>\[\]]|www|\w\.\w", re.IGNORECASE)


def harmless(name: str) -> str:
    """A name that a stranger typed, for a message to somebody else: nothing that is long or looks like a link."""
    return "" if len(name) > 60 or _LINKLIKE.search(name) else name


def form_token(keys: Keyring, *, workspace: WorkspaceId, form: FormId) -> str:
    """The public id of a form."""
    return SignupTokens(keys).form(workspace, form)

"""Everything that can be told of a message before it is sent: content, size, links, spam filter, domain.

    what is to be checked (loaded in a transaction) → content's checks, in a thread → the web, the filter, the DNS, at once

Nothing here touches the database.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tidings import content, delivery
from tidings.compliance._checks._reach import LinkProbe, Reached
from tidings.compliance._checks._spam import SpamFilter, SpamFilterUnavailable, SpamScore
from tidings.compliance._checks._trial import MEASURED, trial, trial_content
from tidings.content import Checkable, Finding, Part, Place, Row, Severity, rule

UNREACHABLE = rule(
    "link_unreachable", Severity.WARNING, "a link leads to nothing", "correct the address, or bring the page back"
)
TURNED_AWAY = rule(
    "link_turned_away",
    Severity.HINT,
    "a page turned our question away: it may do so to programs only",
    "open it in a browser",
)
TO_INSECURE = rule(
    "link_redirects_to_http", Severity.HINT, "a link leads on to a page without TLS", "link to the page with https://"
)
NO_IMAGE = rule(
    "image_unreachable", Severity.WARNING, "an image cannot be loaded", "correct its address, or upload it again"
)
OTHER_TYPE = rule(
    "image_wrong_type", Severity.WARNING, "what is at an image's address is no image", "correct its address"
)
HEAVY_IMAGE = rule(
    "image_heavy",
    Severity.HINT,
    "a large image: on a phone it comes late or not at all",
    "scale it to twice the width that it is shown in, and compress it",
)
HEAVY_IMAGES = rule(
    "images_heavy",
    Severity.WARNING,
    "the images of this message weigh more than 2 MB together",
    "scale them to twice the width that they are shown in, and compress them",
)
SPAM = rule(
    "spam_score", Severity.WARNING, "the spam filter takes this message for spam", "look at what counted against it"
)
NEARLY_SPAM = rule(
    "spam_score_high",
    Severity.HINT,
    "the spam filter is close to taking this for spam",
    "look at what counted against it",
)
DOMAIN = rule(
    "sender_domain",
    Severity.WARNING,
    "receivers will not take the sender's domain for authenticated",
    "see GET /domains/{id}/check, or `tidings doctor domain`",
    "Gmail, Yahoo and Microsoft refuse bulk mail that neither DKIM nor SPF aligns with From (DMARC, RFC 9989)",
)
_LARGE_IMAGE, _LARGE_IMAGES = 500_000, 2_000_000
_TELLING = frozenset({"spf", "dmarc", "alignment"})


@dataclass(frozen=True, slots=True)
class Matter:
    """What is to be checked; all of it was read before."""

    content: Checkable
    rows: Sequence[Row]
    real: bool
    """The rows are contacts."""
    workspace_name: str
    postal_address: str
    public_url: str
    sender_email: str = ""
    sender_name: str = ""
    reply_to: str = ""
    campaign: tuple[int, str] = (0, "")
    keys: Sequence[delivery.DkimKey] = ()
    """Of the sender's domain."""
    findings: Sequence[Finding] = ()
    """What was found while it was read."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found. `ok`: nothing keeps it from being sent."""

    findings: list[Finding]
    left_off: dict[str, int]
    """Findings beyond the first 20 of a code, by code."""
    contacts: int
    """For how many contacts it was filled in."""
    html_bytes: int
    """Of the largest HTML part, as it is sent; 0 if it could not be made."""
    not_run: list[tuple[str, str]] = field(default_factory=list)
    """(what was not checked, why)."""
    spam: SpamScore | None = None

    @property
    def ok(self) -> bool:
        """There is no error."""
        return not any(one.severity is Severity.ERROR for one in self.findings)


async def run_checks(
    matter: Matter,
    *,
    links: LinkProbe | None,
    spam: SpamFilter | None,
    resolver: delivery.Resolver | None,
    network: bool,
    already: Sequence[Finding] = (),
    budget_seconds: float = 15.0,
) -> CheckReport:
    """Look a message over. `network`: links are tried, the filter and the DNS asked, within the budget; else neither.
    `already`: what was found before, to be told with the rest."""
    said = await content.check_content(
        matter.content,
        rows=matter.rows,
        real=matter.real,
        workspace_name=matter.workspace_name,
        postal_address=matter.postal_address,
        campaign=matter.campaign,
        public_url=matter.public_url,
    )
    before = [*already, *matter.findings]
    told = {one.code for one in before} & {"liquid_invalid"}
    findings = [*before, *(one for one in said.findings if one.code not in told)]
    not_run = list(said.not_run)
    sent = trial_content(
        matter.content,
        sender_email=matter.sender_email or "sender@example.com",
        sender_name=matter.sender_name,
        reply_to=matter.reply_to,
        workspace_name=matter.workspace_name,
        postal_address=matter.postal_address,
        public_url=matter.public_url,
        campaign=matter.campaign,
    )
    # Rows of the database cannot be handed to another process.
    message, size, found = await content.apart(trial, sent, [tuple(cast("Any", row)) for row in matter.rows[:MEASURED]])
    findings += found
    score: SpamScore | None = None
    if not network:
        not_run += [(what, "it asks the network: POST does, GET does not") for what in ("links", "spam", "domain")]
    else:
        tried, score, domain = await asyncio.gather(
            _links(said.links, links, budget_seconds, not_run),
            _spam(message, matter, spam, budget_seconds, not_run),
            _domain(matter, resolver, budget_seconds, not_run),
        )
        findings += [*tried, *_scored(score), *domain]
    kept, left_off = content.in_order(findings)
    return CheckReport(kept, left_off, len(matter.rows) if matter.real else 0, size, not_run, score)


async def _links(
    links: Sequence[tuple[str, bool, Place]], probe: LinkProbe | None, budget: float, not_run: list[tuple[str, str]]
) -> list[Finding]:
    if probe is None:
        not_run.append(("links", "it was not asked for"))
        return []
    reached = await probe.reach([url for url, _, _ in links], budget_seconds=budget)
    findings: list[Finding] = []
    total = 0
    for url, image, place in links:
        answer = reached[url]
        if not answer.tried:
            not_run.append((f"link {url[:200]}", answer.why))
        elif image:
            findings += _image(url, answer, place)
            total += answer.size or 0
        else:
            findings += _link(url, answer, place)
    if total > _LARGE_IMAGES:
        findings.append(HEAVY_IMAGES.at(Place(Part.MESSAGE), f"the images weigh {total / 1e6:.1f} MB together"))
    return findings


def _link(url: str, answer: Reached, place: Place) -> list[Finding]:
    if answer.status == 0:
        return [UNREACHABLE.at(place, f"{url[:200]} cannot be reached: {answer.why}")]
    if answer.status in {401, 403, 405, 406, 429, 503, 999}:
        return [TURNED_AWAY.at(place, f"{url[:200]} answers {answer.status}: it may do so to programs only")]
    if answer.status >= 400:
        return [UNREACHABLE.at(place, f"{url[:200]} answers {answer.status}")]
    if url.lower().startswith("https:") and answer.final.lower().startswith("http:"):
        return [TO_INSECURE.at(place, f"{url[:200]} leads on to {answer.final[:200]}")]
    return []


def _image(url: str, answer: Reached, place: Place) -> list[Finding]:
    if answer.status == 0 or answer.status >= 400:
        why = answer.why or f"its server answers {answer.status}"
        return [NO_IMAGE.at(place, f"{url[:200]} cannot be loaded: {why}")]
    kind = answer.media_type
    if kind and not kind.startswith("image/") and kind != "application/octet-stream":
        return [OTHER_TYPE.at(place, f"{url[:200]} is {kind}, no image")]
    if answer.size is not None and answer.size > _LARGE_IMAGE:
        return [HEAVY_IMAGE.at(place, f"an image of {answer.size / 1000:.0f} KB")]
    return []


async def _spam(
    message: bytes, matter: Matter, spam: SpamFilter | None, budget: float, not_run: list[tuple[str, str]]
) -> SpamScore | None:
    if spam is None:
        not_run.append(("spam", "no spam filter is set up: see TIDINGS_SPAM_CHECK_URL"))
        return None
    if not message:
        not_run.append(("spam", "the message cannot be made"))
        return None
    try:
        async with asyncio.timeout(budget):
            return await spam.judge(message, sender=matter.sender_email, recipient=matter.rows[0][2])
    except (SpamFilterUnavailable, TimeoutError) as error:
        not_run.append(("spam", str(error) or "the filter took too long"))
        return None


def _scored(score: SpamScore | None) -> list[Finding]:
    if score is None:
        return []
    against = ", ".join(f"{one.name} {one.score:g}" for one in score.symbols[:5] if one.score > 0)
    said = f"{score.engine}: {score.score:g} of {score.threshold:g} ({score.action}){f'; {against}' if against else ''}"
    if score.is_spam:
        return [SPAM.at(Place(Part.MESSAGE), said)]
    return [NEARLY_SPAM.at(Place(Part.MESSAGE), said)] if score.score > 0.6 * score.threshold > 0 else []


async def _domain(
    matter: Matter, resolver: delivery.Resolver | None, budget: float, not_run: list[tuple[str, str]]
) -> list[Finding]:
    if not matter.sender_email:
        not_run.append(("domain", "there is no sender yet"))
        return []
    if resolver is None:
        not_run.append(("domain", "it was not asked for"))
        return []
    domain = matter.sender_email.rpartition("@")[2]
    try:
        async with asyncio.timeout(budget):
            checks = await delivery.check_domain(resolver, domain=domain, keys=matter.keys)
    except TimeoutError:
        not_run.append(("domain", "the DNS took too long"))
        return []
    unanswered = [one for one in checks if "did not answer" in one.found and one.name in _TELLING]
    if unanswered:
        not_run.append(("domain", unanswered[0].found))
    return [
        DOMAIN.at(Place(Part.SENDER, excerpt=domain, path="sender_email"), f"{one.name}: {one.found}", mend=one.advice)
        for one in checks
        if one.state is delivery.CheckState.FAIL and (one.name in _TELLING or one.name.startswith("dkim"))
    ]

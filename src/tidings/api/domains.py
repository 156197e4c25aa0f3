"""Sending domains over HTTP: their DKIM keys, the records to publish, and what receivers find."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, DomainRef, Name
from tidings.api._route import Route
from tidings.core.ids import DomainId, public_id
from tidings.delivery import DkimAlgorithm, PrivateKey, SendingDomain

router = APIRouter(prefix="/domains", tags=["domains"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
Looking = Annotated[Call, needs("providers:read", tx=False)]
Writing = Annotated[Call, needs("providers:write")]
Algorithms = Annotated[
    list[DkimAlgorithm],
    Field(min_length=1, max_length=2, description="A key of each. Keep rsa: not everybody verifies ed25519 yet."),
]
_BOTH = [DkimAlgorithm.RSA, DkimAlgorithm.ED25519]


class NewDomain(Body):
    """A domain that messages come from."""

    domain: Annotated[Name, Field(description="What stands after the @ of your senders, or the domain above it.")]
    algorithms: Algorithms = Field(default_factory=lambda: list(_BOTH))


class DomainChange(Body):
    """What may change of a domain."""

    return_path: Annotated[
        str,
        Field(
            max_length=253,
            description="Where reports of failed messages come back to: a domain of yours whose MX leads to Tidings, such as"
            " bounces.example.com, or the address of a mailbox, such as bounces@example.com, if its server takes"
            " bounces+anything@example.com, too. Empty: to the From address.",
        ),
    ]


class Rotation(Body):
    """Which new keys to make."""

    algorithms: Algorithms = Field(default_factory=lambda: list(_BOTH))


class DkimKeyOut(BaseModel):
    """A key, and the TXT record to publish for it. Only active keys sign."""

    selector: str
    algorithm: str
    state: Annotated[str, Field(description="pending (publish it, then activate), active or retired")]
    name: Annotated[str, Field(description="Where the TXT record belongs.")]
    record: Annotated[str, Field(description="Its text, as panels of DNS providers take it.")]
    zone_line: Annotated[str, Field(description="Both as a line of a zone file, in strings of at most 255 characters.")]
    created_at: datetime


class DomainOut(BaseModel):
    """A domain and its keys, the oldest first."""

    id: str
    domain: str
    return_path: Annotated[str, Field(description="Where reports come back to; empty: to the From address.")]
    keys: list[DkimKeyOut]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, domain: SendingDomain) -> "DomainOut":
        """As JSON shows it."""
        return cls(
            id=public_id("domain", domain.id),
            domain=domain.domain,
            return_path=domain.return_path,
            keys=[
                DkimKeyOut(
                    selector=key.selector,
                    algorithm=key.algorithm,
                    state=key.state,
                    name=key.name,
                    record=key.record,
                    zone_line=key.zone_line,
                    created_at=key.created_at,
                )
                for key in domain.keys
            ],
            created_at=domain.created_at,
            updated_at=domain.updated_at,
        )


class Domains(BaseModel):
    """All of a workspace's domains."""

    items: list[DomainOut]


class CheckOut(BaseModel):
    """One thing that receivers look at."""

    name: Annotated[str, Field(description="spf, dkim and the selector, dmarc, alignment, mx, ptr, mta-sts …")]
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: Annotated[str, Field(description="How to mend it; empty when nothing is to be done.")]


class DomainReport(BaseModel):
    """What the DNS says of a domain now."""

    domain: str
    ok: Annotated[bool, Field(description="Nothing failed.")]
    checks: list[CheckOut]


async def _keys_of_new(body: NewDomain) -> list[PrivateKey]:
    return await delivery.new_keys(body.algorithms)


async def _keys_of_rotation(body: Rotation | None = None) -> list[PrivateKey]:
    return await delivery.new_keys((body or Rotation()).algorithms)


# Dependencies come before the frame opens the request's transaction, and after `call`, so for nobody without a key of ours.
KeysOfNew = Annotated[list[PrivateKey], Depends(_keys_of_new)]
KeysOfRotation = Annotated[list[PrivateKey], Depends(_keys_of_rotation)]


@router.post("", status_code=201)
async def add_domain(body: NewDomain, call: Writing, made: KeysOfNew) -> DomainOut:
    """Add a domain. Its keys are pending: publish their records, then activate them."""
    domain = await delivery.add_domain(
        call.tx,
        workspace=call.workspace,
        domain=body.domain,
        made=made,
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return DomainOut.of(domain)


@router.get("")
async def list_domains(call: Reading) -> Domains:
    """All of them, by name."""
    found = await delivery.list_domains(call.tx, workspace=call.workspace)
    return Domains(items=[DomainOut.of(domain) for domain in found])


@router.get("/{domain_id}")
async def get_domain(domain_id: DomainRef, call: Reading) -> DomainOut:
    """One of them, with the records to publish."""
    return DomainOut.of(await delivery.get_domain(call.tx, workspace=call.workspace, domain=DomainId(domain_id)))


@router.patch("/{domain_id}")
async def update_domain(domain_id: DomainRef, body: DomainChange, call: Writing) -> DomainOut:
    """Say where reports of its messages come back to. Messages that go out from now on carry it, in ten seconds at the latest."""
    domain = await delivery.set_return_path(
        call.tx,
        workspace=call.workspace,
        domain=DomainId(domain_id),
        return_path=body.return_path,
        by=call.principal,
        now=call.now,
    )
    return DomainOut.of(domain)


@router.get("/{domain_id}/check")
async def check_domain(
    domain_id: DomainRef,
    call: Looking,
    ip: Annotated[str | None, Query(max_length=45, description="an address that mail leaves from")] = None,
    return_path: Annotated[str | None, Query(max_length=253, description="the envelope sender's domain")] = None,
) -> DomainReport:
    """Ask the DNS what receivers will: SPF, the keys, DMARC, alignment, MX, PTR, MTA-STS, TLS-RPT, BIMI."""
    async with call.app.db.connection() as tx:
        domain = await delivery.get_domain(tx, workspace=call.workspace, domain=DomainId(domain_id))
    own = domain.return_path.partition("@")[2] or None
    checks = await delivery.check_domain(
        delivery.SystemResolver(),
        domain=domain.domain,
        keys=domain.keys,
        ip=ip,
        return_path=own if return_path is None else delivery.clean_domain(return_path, at="return_path"),
    )
    return DomainReport(
        domain=domain.domain,
        ok=all(one.state != "fail" for one in checks),
        checks=[CheckOut(name=c.name, state=c.state.value, found=c.found, advice=c.advice) for c in checks],
    )


@router.post("/{domain_id}/rotate")
async def rotate_domain_keys(domain_id: DomainRef, call: Writing, made: KeysOfRotation) -> DomainOut:
    """New pending keys with new selectors. Those that sign go on signing until these are activated."""
    domain = await delivery.rotate_keys(
        call.tx,
        workspace=call.workspace,
        domain=DomainId(domain_id),
        made=made,
        keys=call.app.keys,
        by=call.principal,
        now=call.now,
    )
    return DomainOut.of(domain)


@router.post("/{domain_id}/activate")
async def activate_domain_keys(domain_id: DomainRef, call: Writing) -> DomainOut:
    """Sign with the pending keys, whose records are published by now. Leave those of the retired up for a week."""
    domain = await delivery.activate_keys(
        call.tx, workspace=call.workspace, domain=DomainId(domain_id), by=call.principal, now=call.now
    )
    return DomainOut.of(domain)


@router.delete("/{domain_id}", status_code=204)
async def delete_domain(domain_id: DomainRef, call: Writing) -> None:
    """Remove a domain and its keys. Messages from it go out without a signature of ours."""
    await delivery.delete_domain(
        call.tx, workspace=call.workspace, domain=DomainId(domain_id), by=call.principal, now=call.now
    )

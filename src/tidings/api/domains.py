"""Sending domains over HTTP: their DKIM keys and the records to publish."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidings import delivery
from tidings.api._deps import Call, needs
from tidings.api._fields import Body, DomainRef, Name
from tidings.api._route import Route
from tidings.core.ids import DomainId, public_id
from tidings.delivery import DkimAlgorithm, SendingDomain

router = APIRouter(prefix="/domains", tags=["domains"], route_class=Route)

Reading = Annotated[Call, needs("providers:read")]
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


class Rotation(Body):
    """Which new keys to make."""

    algorithms: Algorithms = Field(default_factory=lambda: list(_BOTH))


class DkimKeyOut(BaseModel):
    """A key, and the TXT record to publish for it. Only active keys sign."""

    selector: str
    algorithm: str
    state: Annotated[str, Field(description="pending (publish it, then activate), active or retired")]
    name: Annotated[str, Field(description="Where the TXT record belongs.")]
    record: Annotated[str, Field(description="Its text. Zone files want it in strings of at most 255 characters.")]
    created_at: datetime


class DomainOut(BaseModel):
    """A domain and its keys, the oldest first."""

    id: str
    domain: str
    keys: list[DkimKeyOut]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, domain: SendingDomain) -> "DomainOut":
        """As JSON shows it."""
        return cls(
            id=public_id("domain", domain.id),
            domain=domain.domain,
            keys=[
                DkimKeyOut(
                    selector=key.selector,
                    algorithm=key.algorithm,
                    state=key.state,
                    name=key.name,
                    record=key.record,
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


@router.post("", status_code=201)
async def add_domain(body: NewDomain, call: Writing) -> DomainOut:
    """Add a domain. Its keys are pending: publish their records, then activate them."""
    domain = await delivery.add_domain(
        call.tx,
        workspace=call.workspace,
        domain=body.domain,
        made=await delivery.new_keys(body.algorithms),
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


@router.post("/{domain_id}/rotate")
async def rotate_domain_keys(domain_id: DomainRef, body: Rotation, call: Writing) -> DomainOut:
    """New pending keys with new selectors. Those that sign go on signing until these are activated."""
    await delivery.get_domain(call.tx, workspace=call.workspace, domain=DomainId(domain_id))
    domain = await delivery.rotate_keys(
        call.tx,
        workspace=call.workspace,
        domain=DomainId(domain_id),
        made=await delivery.new_keys(body.algorithms),
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

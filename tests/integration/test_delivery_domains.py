"""Sending domains: their keys, and what workers sign with them."""

from typing import Any

import asyncpg
import dkim
import pytest

from tidings import accounts, delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid, Unavailable
from tidings.core.ids import WorkspaceId
from tidings.delivery import DkimAlgorithm, DomainConflict, SendingDomain
from tidings.delivery.signing import _signing as signing

KEYS = Keyring("for tests")
BOTH = list(DkimAlgorithm)
MESSAGE = b"From: A <news@mail.acme.example>\r\nTo: b@c.example\r\nSubject: S\r\n\r\nHi\r\n"


class _Wire:
    def build(self, row: Any, *, date: bytes, leave_at: Any = None) -> bytes:
        return MESSAGE

    def envelope(self, row: Any) -> tuple[bytes, bytes, bool]:
        return b"news@mail.acme.example", b"b@c.example", False


async def _workspace(db: Database, name: str = "W") -> WorkspaceId:
    async with db.transaction() as tx:
        return await accounts.create_workspace(tx, name=name, postal_address="1 Road", now=utc_now())


async def _added(db: Database, workspace: WorkspaceId, domain: str = "Acme.example.") -> SendingDomain:
    made = await delivery.new_keys(BOTH)
    async with db.transaction() as tx:
        return await delivery.add_domain(
            tx, workspace=workspace, domain=domain, made=made, keys=KEYS, by=SYSTEM(workspace), now=utc_now()
        )


async def _activated(db: Database, workspace: WorkspaceId, domain: SendingDomain) -> SendingDomain:
    async with db.transaction() as tx:
        return await delivery.activate_keys(
            tx, workspace=workspace, domain=domain.id, by=SYSTEM(workspace), now=utc_now()
        )


async def _signed(db: Database, workspace: WorkspaceId, keys: Keyring = KEYS) -> bytes:
    return (await signing.Signing(db, keys).sign(_Wire(), workspace=workspace)).build((), date=b"")


def _verifies(message: bytes, domain: SendingDomain) -> bool:
    records = {f"{key.name}.": key.record.encode() for key in domain.keys}
    verifier = dkim.DKIM(message)
    count = message.count(b"DKIM-Signature: ")
    return count > 0 and all(
        verifier.verify(i, dnsfunc=lambda n, timeout=5: records.get(n.decode())) for i in range(count)
    )


async def test_only_active_keys_sign_and_rotation_changes_them(db: Database) -> None:
    workspace = await _workspace(db)
    domain = await _added(db, workspace)
    assert domain.domain == "acme.example"
    assert await _signed(db, workspace) == MESSAGE
    domain = await _activated(db, workspace, domain)
    first = await _signed(db, workspace)
    assert _verifies(first, domain)
    assert first.count(b"DKIM-Signature: ") == 2
    made = await delivery.new_keys([DkimAlgorithm.ED25519])
    async with db.transaction() as tx:
        domain = await delivery.rotate_keys(
            tx, workspace=workspace, domain=domain.id, made=made, keys=KEYS, by=SYSTEM(workspace), now=utc_now()
        )
    assert (await _signed(db, workspace)).count(b"DKIM-Signature: ") == 2
    domain = await _activated(db, workspace, domain)
    second = await _signed(db, workspace)
    assert second.count(b"DKIM-Signature: ") == 1
    assert _verifies(second, domain)
    assert _verifies(first, domain), "the retired keys' records are still shown"
    assert sorted(key.state for key in domain.keys) == ["active", "retired", "retired"]
    assert len({key.selector for key in domain.keys}) == 3
    with pytest.raises(DomainConflict):
        await _activated(db, workspace, domain)


async def test_domains_belong_to_their_workspace(db: Database) -> None:
    mine, other = await _workspace(db), await _workspace(db, "Other")
    domain = await _activated(db, mine, await _added(db, mine))
    assert await _signed(db, other) == MESSAGE
    await _added(db, other)
    with pytest.raises(DomainConflict):
        await _added(db, mine)
    async with db.transaction() as tx:
        await delivery.delete_domain(tx, workspace=mine, domain=domain.id, by=SYSTEM(mine), now=utc_now())
    assert await _signed(db, mine) == MESSAGE


async def test_private_keys_are_sealed(db: Database) -> None:
    workspace = await _workspace(db)
    await _activated(db, workspace, await _added(db, workspace))
    async with db.connection() as connection:
        rows: list[asyncpg.Record] = await connection.fetch("SELECT algorithm, sealed_key FROM dkim_keys")
    plain = {row["algorithm"]: KEYS.unseal(signing.PURPOSE, row["sealed_key"]) for row in rows}
    assert plain.keys() == {"rsa", "ed25519"}
    assert all(plain[row["algorithm"]] not in row["sealed_key"] for row in rows)
    with pytest.raises(Unavailable):
        await _signed(db, workspace, Keyring("another secret"))


@pytest.mark.parametrize(
    "domain", ["", "localhost", "a b.example", "-a.example", "exa\r\nmple.com", "a..b", "x" * 64 + ".de"]
)
async def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(Invalid):
        delivery.clean_domain(domain)

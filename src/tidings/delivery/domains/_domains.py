"""Sending domains of a workspace and their DKIM keys: made, rotated, put to use."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg
import idna

from tidings.accounts import Principal, audit
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.errors import Conflict, Invalid, NotFound
from tidings.core.ids import DomainId, WorkspaceId, public_id
from tidings.delivery.bounces import ReturnPathInvalid, check_base
from tidings.delivery.signing import (
    PURPOSE,
    DkimAlgorithm,
    PrivateKey,
    generate,
    public_record,
    quoted_strings,
    write_key,
)

_LOCAL = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_COLUMNS = "id, domain, return_path, created_at, updated_at"


class DomainNotFound(NotFound):
    """No such sending domain in this workspace."""

    code = "domain_not_found"


class DomainConflict(Conflict):
    """It exists already, or it has no keys for what is asked."""

    code = "domain_conflict"


class KeyState(StrEnum):
    """Pending keys are to be published; active ones sign; retired ones signed, and may stay published for a week."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key as people see it: never its private half. `name` and `record` are the TXT record to publish."""

    selector: str
    algorithm: DkimAlgorithm
    state: KeyState
    name: str
    record: str
    created_at: datetime

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file."""
        return f"{self.name}. IN TXT ( {quoted_strings(self.record)} )"


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """A domain that messages come from, with its keys, the oldest first."""

    id: DomainId
    domain: str
    return_path: str
    """Where reports of its messages come back to, without the token; '' for the From address."""
    keys: tuple[DkimKey, ...]
    created_at: datetime
    updated_at: datetime


def clean_domain(text: str, *, at: str = "domain") -> str:
    """As A-labels in lower case (RFC 5890). Raises Invalid, naming the field `at`."""
    domain = text.strip().rstrip(".").lower()
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        domain = ""
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid.at(at, f"must be a domain such as example.com, not {text[:80]!r}")
    return domain


async def new_keys(algorithms: Sequence[DkimAlgorithm]) -> list[PrivateKey]:
    """One of each, made aside of the event loop: RSA takes a good part of a second. Call it outside a transaction."""
    return [await asyncio.to_thread(generate, algorithm) for algorithm in dict.fromkeys(algorithms)]


async def add_domain(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    domain: str,
    made: Sequence[PrivateKey],
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> SendingDomain:
    """Add a domain with pending keys. Raises Invalid, and DomainConflict when it is there."""
    cleaned = clean_domain(domain)
    try:
        id_ = DomainId(
            await tx.fetchval(
                """
                INSERT INTO sending_domains (workspace_id, domain, created_at, updated_at)
                VALUES ($1, $2, $3, $3) RETURNING id
                """,
                workspace,
                cleaned,
                now,
            )
        )
    except asyncpg.UniqueViolationError:
        raise DomainConflict(f"domain: {cleaned} is there already; rotate its keys instead") from None
    await _store(tx, workspace, id_, made, keys, now)
    await audit(tx, by=by, action="domain.added", subject=public_id("domain", id_), now=now)
    return await get_domain(tx, workspace=workspace, domain=id_)


async def rotate_keys(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    domain: DomainId,
    made: Sequence[PrivateKey],
    keys: Keyring,
    by: Principal,
    now: datetime,
) -> SendingDomain:
    """New pending keys with new selectors, instead of those pending. What signs goes on signing. Raises DomainNotFound."""
    await _touch(tx, workspace, domain, now)
    await tx.execute(
        "DELETE FROM dkim_keys WHERE workspace_id = $1 AND domain_id = $2 AND state = 'pending'", workspace, domain
    )
    await _store(tx, workspace, domain, made, keys, now)
    await audit(tx, by=by, action="domain.keys_rotated", subject=public_id("domain", domain), now=now)
    return await get_domain(tx, workspace=workspace, domain=domain)


async def activate_keys(
    tx: Tx, *, workspace: WorkspaceId, domain: DomainId, by: Principal, now: datetime
) -> SendingDomain:
    """Sign with the pending keys from now on, and no more with those before them.

    Their records have to be published: `check_domain` tells. Workers follow within ten seconds and the chunks they
    have at hand. Raises DomainNotFound, and DomainConflict when none is pending.
    """
    await _touch(tx, workspace, domain, now)
    status = await tx.execute(
        """
        UPDATE dkim_keys AS k SET state = CASE k.state WHEN 'pending' THEN 'active' ELSE 'retired' END
        WHERE k.workspace_id = $1 AND k.domain_id = $2 AND k.state IN ('pending', 'active') AND EXISTS (
            SELECT FROM dkim_keys AS p WHERE p.workspace_id = $1 AND p.domain_id = $2 AND p.state = 'pending'
        )
        """,
        workspace,
        domain,
    )
    if status == "UPDATE 0":
        raise DomainConflict("no key is pending: rotate the keys first")
    await audit(tx, by=by, action="domain.keys_activated", subject=public_id("domain", domain), now=now)
    return await get_domain(tx, workspace=workspace, domain=domain)


async def set_return_path(
    tx: Tx, *, workspace: WorkspaceId, domain: DomainId, return_path: str, by: Principal, now: datetime
) -> SendingDomain:
    """Let reports of a domain's messages come back elsewhere: to a domain, an address, or ('') to the From address.

    Workers follow within ten seconds and the chunks they have at hand. Raises DomainNotFound, ReturnPathInvalid, and
    DomainConflict when another workspace has it.
    """
    cleaned = clean_return_path(return_path)
    await _touch(tx, workspace, domain, now)
    if cleaned:
        where = cleaned.partition("@")[2]
        # What comes back to a domain is shown to the workspace that it is of: there may be one only.
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings return path'), hashtext($1))", where)
        if await tx.fetchval(
            "SELECT EXISTS (SELECT FROM sending_domains"
            " WHERE return_path <> '' AND split_part(return_path, '@', 2) = $1 AND workspace_id <> $2)",
            where,
            workspace,
        ):
            raise DomainConflict(f"return_path: {where} takes the reports of another workspace")
    await tx.execute(
        "UPDATE sending_domains SET return_path = $3 WHERE workspace_id = $1 AND id = $2", workspace, domain, cleaned
    )
    await audit(tx, by=by, action="domain.return_path_set", subject=public_id("domain", domain), now=now)
    return await get_domain(tx, workspace=workspace, domain=domain)


def clean_return_path(text: str) -> str:
    """`bounces.example.com` is `b@bounces.example.com`; an address stays one. Raises ReturnPathInvalid, Invalid."""
    local, at, domain = text.strip().rpartition("@")
    if not domain and not at:
        return ""
    if not (at or local):
        local = "b"
    if not _LOCAL.fullmatch(local):
        raise ReturnPathInvalid.at("return_path", "its local part may have letters, digits, dots and hyphens")
    base = f"{local}@{clean_domain(domain, at='return_path')}"
    check_base(base)
    return base


async def list_domains(tx: Tx, *, workspace: WorkspaceId) -> list[SendingDomain]:
    """All of a workspace's, by name."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM sending_domains WHERE workspace_id = $1 ORDER BY domain",  # noqa: S608 - our columns
        workspace,
    )
    return await _with_keys(tx, workspace, rows)


async def get_domain(tx: Tx, *, workspace: WorkspaceId, domain: DomainId) -> SendingDomain:
    """One of them. Raises DomainNotFound."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM sending_domains WHERE workspace_id = $1 AND id = $2",  # noqa: S608
        workspace,
        domain,
    )
    if not rows:
        raise DomainNotFound(f"there is no domain {public_id('domain', domain)}")
    return (await _with_keys(tx, workspace, rows))[0]


async def delete_domain(tx: Tx, *, workspace: WorkspaceId, domain: DomainId, by: Principal, now: datetime) -> None:
    """Remove a domain and its keys: messages from it are no longer signed by us. Raises DomainNotFound."""
    await get_domain(tx, workspace=workspace, domain=domain)
    await tx.execute("DELETE FROM sending_domains WHERE workspace_id = $1 AND id = $2", workspace, domain)
    await audit(tx, by=by, action="domain.deleted", subject=public_id("domain", domain), now=now)


async def _touch(tx: Tx, workspace: WorkspaceId, domain: DomainId, now: datetime) -> None:
    """Locks the domain, so that two rotations come one after the other."""
    status = await tx.execute(
        "UPDATE sending_domains SET updated_at = $3 WHERE workspace_id = $1 AND id = $2", workspace, domain, now
    )
    if status == "UPDATE 0":
        raise DomainNotFound(f"there is no domain {public_id('domain', domain)}")


async def _store(
    tx: Tx, workspace: WorkspaceId, domain: DomainId, made: Sequence[PrivateKey], keys: Keyring, now: datetime
) -> None:
    # A selector is never used twice, not even for another key of the same day: resolvers remember the record.
    taken = {
        row["selector"]
        for row in await tx.fetch(
            "SELECT selector FROM dkim_keys WHERE workspace_id = $1 AND domain_id = $2", workspace, domain
        )
    }
    records = [public_record(key) for key in made]
    algorithms = [DkimAlgorithm.RSA if "k=rsa" in record else DkimAlgorithm.ED25519 for record in records]
    stamp = now.strftime("%Y%m%d%H%M%S")
    selectors: list[str] = []
    for algorithm in algorithms:
        selector, number = f"t{stamp}{algorithm[0]}", 2
        while selector in taken:
            selector, number = f"t{stamp}{algorithm[0]}{number}", number + 1
        selectors.append(selector)
    await tx.execute(
        """
        INSERT INTO dkim_keys (workspace_id, domain_id, selector, algorithm, state, record, sealed_key, created_at)
        SELECT $1, $2, t.selector, t.algorithm, 'pending', t.record, t.sealed, $7
        FROM unnest($3::text[], $4::text[], $5::text[], $6::bytea[]) AS t (selector, algorithm, record, sealed)
        """,
        workspace,
        domain,
        selectors,
        [str(one) for one in algorithms],
        records,
        [keys.seal(PURPOSE, write_key(key)) for key in made],
        now,
    )


async def _with_keys(tx: Tx, workspace: WorkspaceId, rows: Sequence[asyncpg.Record]) -> list[SendingDomain]:
    found: dict[int, list[DkimKey]] = {row["id"]: [] for row in rows}
    names = {row["id"]: row["domain"] for row in rows}
    for key in await tx.fetch(
        """
        SELECT domain_id, selector, algorithm, state, record, created_at FROM dkim_keys
        WHERE workspace_id = $1 AND domain_id = ANY ($2::bigint[]) ORDER BY created_at, selector
        """,
        workspace,
        list(found),
    ):
        found[key["domain_id"]].append(
            DkimKey(
                key["selector"],
                DkimAlgorithm(key["algorithm"]),
                KeyState(key["state"]),
                f"{key['selector']}._domainkey.{names[key['domain_id']]}",
                key["record"],
                key["created_at"],
            )
        )
    return [
        SendingDomain(
            DomainId(row["id"]),
            row["domain"],
            row["return_path"],
            tuple(found[row["id"]]),
            row["created_at"],
            row["updated_at"],
        )
        for row in rows
    ]

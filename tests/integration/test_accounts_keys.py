"""Keys open what they should, are kept as hashes, and stop working when revoked."""

from datetime import UTC, datetime, timedelta

import pytest

from tidings import accounts
from tidings.accounts import SYSTEM, MissingScope, Principal
from tidings.core.db import Database
from tidings.core.errors import Invalid, NotFound, Unauthenticated
from tidings.core.ids import WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_key_opens_its_workspace_with_its_scopes(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        key = await accounts.create_api_key(
            tx, workspace=workspace, name="Shop", scopes=["lists:read", "contacts:read"], now=NOW
        )
        principal = await accounts.authenticate(tx, key=key)
        known = await accounts.find_api_key(tx, key=key)
        assert await accounts.list_api_keys(tx, workspace=workspace) == [known]
    assert key.startswith("tk_")
    assert len(key) == 46
    assert principal == Principal(workspace, f"key_{known.id}", frozenset({"contacts:read", "lists:read"}))


async def test_the_key_itself_is_nowhere_in_the_database(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        key = await accounts.create_api_key(tx, workspace=workspace, name="Shop", scopes=["*"], now=NOW, by=None)
        stored = await tx.fetchval("SELECT api_keys::text FROM api_keys")
        assert key not in stored
        assert key.encode().hex() not in stored


@pytest.mark.parametrize("key", ["", "tk_", "tk_unknown", "Bearer", "tk_" + "x" * 10_000, "tk_\ud800", "tk_\x00"])
async def test_what_is_no_key_opens_nothing(db: Database, workspace: WorkspaceId, key: str) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Unauthenticated):
            await accounts.authenticate(tx, key=key)


async def test_a_revoked_key_opens_nothing_and_revoking_again_is_harmless(db: Database, workspace: WorkspaceId) -> None:
    by = SYSTEM(workspace)
    async with db.transaction() as tx:
        key = await accounts.create_api_key(tx, workspace=workspace, name="Shop", scopes=["*"], now=NOW)
        number = f"key_{(await accounts.find_api_key(tx, key=key)).id}"
        await accounts.revoke_api_key(tx, workspace=workspace, key=number, by=by, now=NOW)
        await accounts.revoke_api_key(tx, workspace=workspace, key=number, by=by, now=NOW + timedelta(days=1))
        with pytest.raises(Unauthenticated):
            await accounts.authenticate(tx, key=key)
        assert [k.revoked_at for k in await accounts.list_api_keys(tx, workspace=workspace)] == [NOW]


async def test_another_workspace_cannot_revoke_it(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        key = await accounts.create_api_key(tx, workspace=workspace, name="Shop", scopes=["*"], now=NOW)
        other = await accounts.create_workspace(tx, name="Other", postal_address="", now=NOW)
        number = f"key_{(await accounts.find_api_key(tx, key=key)).id}"
        with pytest.raises(NotFound):
            await accounts.revoke_api_key(tx, workspace=other, key=number, by=SYSTEM(other), now=NOW)
        assert await accounts.authenticate(tx, key=key)


async def test_nobody_grants_what_they_do_not_hold(db: Database, workspace: WorkspaceId) -> None:
    clerk = Principal(workspace, "key_1", frozenset({"workspace:write", "lists:read"}))
    async with db.transaction() as tx:
        for scope in ("lists:write", "*", "operator"):
            with pytest.raises(MissingScope):
                await accounts.create_api_key(tx, workspace=workspace, name="x", scopes=[scope], now=NOW, by=clerk)
        await accounts.create_api_key(tx, workspace=workspace, name="x", scopes=["lists:read"], now=NOW, by=clerk)
        assert await tx.fetchval("SELECT action || ' ' || actor FROM audit_entries") == "api_key.created key_1"


async def test_everything_in_a_workspace_is_not_the_installation() -> None:
    owner = Principal(WorkspaceId(1), "key_1", frozenset({"*"}))
    owner.require("campaigns:send")
    with pytest.raises(MissingScope, match="operator"):
        owner.require("operator")


@pytest.mark.parametrize("scopes", [[], ["lists:fly"], ["*", ""]])
async def test_unknown_scopes_are_refused(db: Database, workspace: WorkspaceId, scopes: list[str]) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Invalid) as caught:
            await accounts.create_api_key(tx, workspace=workspace, name="x", scopes=scopes, now=NOW)
    assert caught.value.fields[0].field == "scopes"


async def test_a_workspace_changes_what_is_given_and_notes_who(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        before = await accounts.get_workspace(tx, workspace=workspace)
        after = await accounts.update_workspace(
            tx, workspace=workspace, name="  New name ", by=SYSTEM(workspace), now=NOW
        )
        assert (after.name, after.postal_address) == ("New name", before.postal_address)
        assert await tx.fetchval("SELECT subject FROM audit_entries") == f"workspace_{workspace}"
        with pytest.raises(Invalid):
            await accounts.create_workspace(tx, name=" ", postal_address="", now=NOW)
        with pytest.raises(NotFound):
            await accounts.get_workspace(tx, workspace=WorkspaceId(workspace + 1))

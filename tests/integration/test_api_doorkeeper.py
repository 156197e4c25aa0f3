"""A key is looked up once in a while, not once a request, and a revoked one is out within seconds everywhere."""

from datetime import UTC, datetime

import pytest

from tidings import accounts
from tidings.accounts import SYSTEM
from tidings.api import _auth
from tidings.api._auth import REMEMBERED_SECONDS, Doorkeeper
from tidings.core.db import Database, Tx
from tidings.core.errors import RateLimited, Unauthenticated
from tidings.core.ids import WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_revoked_key_is_out_within_seconds(
    db: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(_auth.time, "monotonic", lambda: clock)
    async with db.transaction() as tx:
        key = await accounts.create_api_key(tx, workspace=workspace, name="x", scopes=["*"], now=NOW)
        number = f"key_{(await accounts.find_api_key(tx, key=key)).id}"
    here, elsewhere = Doorkeeper(db), Doorkeeper(db)
    known = await here.admit(key)
    assert await elsewhere.admit(key) == known
    async with db.transaction() as tx:
        await accounts.revoke_api_key(tx, workspace=workspace, key=number, by=SYSTEM(workspace), now=NOW)
    here.forget()
    with pytest.raises(Unauthenticated):
        await here.admit(key)
    clock += REMEMBERED_SECONDS - 0.01
    assert await elsewhere.admit(key) is not None  # remembered: no question to the database
    clock += 0.02
    with pytest.raises(Unauthenticated):
        await elsewhere.admit(key)
    assert REMEMBERED_SECONDS <= 5


async def test_bad_keys_are_not_remembered_and_good_ones_not_without_end(
    db: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_auth, "_CAPACITY", 2)
    keeper = Doorkeeper(db)
    for bad in (None, "", "tk_wrong"):
        with pytest.raises(Unauthenticated):
            await keeper.admit(bad)
    keys: list[str] = []
    for _ in range(3):
        async with db.transaction() as tx:
            keys.append(await accounts.create_api_key(tx, workspace=workspace, name="x", scopes=["*"], now=NOW))
        await keeper.admit(keys[-1])
    assert list(keeper._known) == keys[1:]


async def test_who_guesses_without_end_is_refused_without_asking_the_database(
    db: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(_auth.time, "monotonic", lambda: clock)
    async with db.transaction() as tx:
        keys = [
            await accounts.create_api_key(tx, workspace=workspace, name=name, scopes=["*"], now=NOW) for name in "ab"
        ]
    keeper, asked = Doorkeeper(db), 0
    authenticate = accounts.authenticate

    async def counted(tx: Tx, *, key: str) -> accounts.Principal:
        nonlocal asked
        asked += 1
        return await authenticate(tx, key=key)

    monkeypatch.setattr(accounts, "authenticate", counted)
    await keeper.admit(keys[0], address="192.0.2.1")
    for _ in range(60):
        with pytest.raises(Unauthenticated):
            await keeper.admit("tk_guess", address="192.0.2.1")
    assert asked == 61
    for key in ("tk_guess", keys[1]):
        with pytest.raises(RateLimited):
            await keeper.admit(key, address="192.0.2.1")
    assert asked == 61
    # A key that was good here before is asked for, whatever its neighbours do, when it is due and after any was revoked.
    keeper.forget()
    await keeper.admit(keys[0], address="192.0.2.1")
    clock += REMEMBERED_SECONDS
    for _ in range(2):
        await keeper.admit(keys[0], address="192.0.2.1")
    assert asked == 63
    await keeper.admit(keys[1], address="192.0.2.2")

"""A repeated request is answered once, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest

from tidings.accounts import Answer, claim_key, forget_answers, remember_answer
from tidings.core.db import Database
from tidings.core.errors import Conflict, Invalid
from tidings.core.ids import WorkspaceId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWER = Answer(201, b'{"id":"list_1"}')


async def test_the_same_request_gets_the_stored_answer(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        assert await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW) is None
        await remember_answer(tx, workspace=workspace, key="a", answer=ANSWER)
    async with db.transaction() as tx:
        assert await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW) == ANSWER


async def test_another_request_is_refused(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW)
        await remember_answer(tx, workspace=workspace, key="a", answer=ANSWER)
    async with db.transaction() as tx:
        with pytest.raises(Invalid) as caught:
            await claim_key(tx, workspace=workspace, key="a", request_hash=b"2", now=NOW)
    assert caught.value.code == "idempotency_key_reused"


async def test_while_the_first_runs_the_second_is_told_at_once(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as first:
        await claim_key(first, workspace=workspace, key="a", request_hash=b"1", now=NOW)
        async with db.transaction() as second:
            with pytest.raises(Conflict) as caught:
                await claim_key(second, workspace=workspace, key="a", request_hash=b"1", now=NOW)
        async with db.transaction() as third:
            assert await claim_key(third, workspace=workspace, key="b", request_hash=b"1", now=NOW) is None
    assert caught.value.code == "idempotency_still_running"


async def test_a_request_that_died_leaves_the_key_free(db: Database, workspace: WorkspaceId) -> None:
    dying = await db.connect()
    await dying.execute("BEGIN")
    await claim_key(dying, workspace=workspace, key="a", request_hash=b"1", now=NOW)
    pid = await dying.fetchval("SELECT pg_backend_pid()")
    async with db.connection() as connection:
        await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    async with db.transaction() as tx:
        assert await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW) is None


async def test_workspaces_do_not_share_keys(db: Database, workspace: WorkspaceId) -> None:
    async with db.transaction() as tx:
        other = await tx.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('B', now()) RETURNING id")
        assert await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW) is None
        assert await claim_key(tx, workspace=other, key="a", request_hash=b"2", now=NOW) is None


async def test_after_a_day_the_key_is_as_good_as_new(db: Database, workspace: WorkspaceId) -> None:
    later = NOW + timedelta(hours=24, seconds=1)
    async with db.transaction() as tx:
        await claim_key(tx, workspace=workspace, key="a", request_hash=b"1", now=NOW)
        await remember_answer(tx, workspace=workspace, key="a", answer=ANSWER)
        assert await claim_key(tx, workspace=workspace, key="a", request_hash=b"2", now=later) is None
        await remember_answer(tx, workspace=workspace, key="a", answer=ANSWER)
        await claim_key(tx, workspace=workspace, key="b", request_hash=b"1", now=NOW)
        assert await forget_answers(tx, now=later) == 1
        assert [r["key"] for r in await tx.fetch("SELECT key FROM idempotency_keys")] == ["a"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\x00b"])
async def test_keys_have_a_decent_form(db: Database, workspace: WorkspaceId, key: str) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Invalid) as caught:
            await claim_key(tx, workspace=workspace, key=key, request_hash=b"1", now=NOW)
    assert caught.value.fields[0].field == "Idempotency-Key"

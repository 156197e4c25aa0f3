"""What an account at a provider may send, as the provider itself says: read now and then, and held like a limit of ours."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidings.core.clock import steady
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import TidingsError
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.limits import Cap, set_caps
from tidings.delivery.providers import HealthState, SesAccount, read_ses_account
from tidings.delivery.ways import open_settings, split, tell_warnings

_log = logging.getLogger(__name__)
_SOURCE = "account"
_EVERY_SECONDS = 600.0
_PATIENCE_SECONDS = 20.0

_USED = """
SELECT coalesce(sum(taken), 0)::bigint FROM budget_uses
WHERE workspace_id = $1 AND provider_id = $2 AND scope = '' AND seconds = 86400
  AND part > extract(epoch FROM $3::timestamptz - interval '1 day') / 1200 - 1
"""


class Accounts:
    """Reads the accounts of all providers that tell theirs (Amazon SES). One for each conductor."""

    def __init__(self, db: Database, keys: Keyring) -> None:
        self._db = db
        self._keys = keys
        self._read: dict[tuple[int, int], tuple[datetime, float]] = {}
        """Of which settings an account was last asked for, and when."""
        self._warnings: dict[tuple[int, int], tuple[str, datetime]] = {}

    async def refresh(self, *, now: datetime) -> None:
        """Ask for those that are due, and say again what is wrong with the others. To be called every 20 seconds."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                "SELECT workspace_id, id, updated_at FROM providers WHERE kind = 'ses' AND deleted_at IS NULL"
            )
        found = {(row["workspace_id"], row["id"]): row["updated_at"] for row in rows}
        self._read = {pair: read for pair, read in self._read.items() if found.get(pair) == read[0]}
        due = [pair for pair in found if pair not in self._read or steady() - self._read[pair][1] > _EVERY_SECONDS]
        for pair in due:
            self._read[pair] = found[pair], steady()
            await self._ask(WorkspaceId(pair[0]), ProviderId(pair[1]), now)
        self._warnings = {pair: warning for pair, warning in self._warnings.items() if pair in found}
        async with self._db.transaction() as tx:
            await tell_warnings(tx, worker=_SOURCE, warnings=self._warnings, state=HealthState.LIMITED, now=now)

    async def _ask(self, workspace: WorkspaceId, provider: ProviderId, now: datetime) -> None:
        try:
            async with self._db.connection() as connection:
                opened = await open_settings(connection, workspace=workspace, provider=provider, keys=self._keys)
            _, config = split(opened.config)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                account = await read_ses_account(config, opened.secret)
        except (TidingsError, TimeoutError) as error:
            # What was known before still holds; a key need not be allowed to ask (ses:GetAccount).
            _log.warning("provider %s of workspace %s: its quota could not be read: %s", provider, workspace, error)
            return
        pair = (int(workspace), int(provider))
        warning = _wrong_with(account)
        if not warning:
            self._warnings.pop(pair, None)
        elif pair not in self._warnings or self._warnings[pair][0] != warning:
            _log.warning("provider %s of workspace %s: %s", provider, workspace, warning)
            self._warnings[pair] = warning, now
        async with self._db.transaction() as tx:
            ours = await tx.fetchval(_USED, workspace, provider, now)
            await set_caps(tx, workspace=workspace, provider=provider, source=_SOURCE, caps=caps_of(account, ours=ours))


def caps_of(account: SesAccount, *, ours: int) -> Mapping[str, Cap]:
    """The account as caps. `ours` is what we sent in the last 24 hours: the rest of it others sent, who share the quota."""
    values: dict[str, Any] = {}
    if account.most_per_second > 0:
        values["per_second"] = account.most_per_second
    if account.most_per_day >= 0:
        others = max(0, int(account.sent_last_day) - ours)
        values["per_day"] = max(1, int(account.most_per_day) - others)
    return {"": Cap(**values, why="the account's quota")} if values else {}


def _wrong_with(account: SesAccount) -> str:
    if not account.enabled:
        return "Amazon SES has stopped this account's sending"
    if not account.production:
        return "the Amazon SES account is in the sandbox: only verified addresses are reached"
    return ""

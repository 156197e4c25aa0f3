"""The web archive: campaigns that anybody may read, of a workspace or of one of its lists."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidings.core.crypto import Keyring, keyed_hash, same
from tidings.core.db import Tx
from tidings.core.ids import CampaignId, ListId, SendId, WorkspaceId

_BODY, _MAC = 9, 9  # workspace 4, list 5

_PUBLIC = """
SELECT id, send_id, started_at FROM campaigns
WHERE workspace_id = $1 AND archive AND status IN ('sending', 'sent') AND send_id IS NOT NULL
  AND ($2::bigint = 0 OR $2 = ANY (list_ids))
"""
_LISTED = f"{_PUBLIC} ORDER BY started_at DESC, id DESC OFFSET $3 LIMIT $4"


@dataclass(frozen=True, slots=True)
class Archive:
    """Whose campaigns: the workspace's, or, with a list, those that went to it."""

    workspace: WorkspaceId
    list_id: ListId | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """A campaign that anybody may read."""

    campaign: CampaignId
    send: SendId
    at: datetime


class ArchiveTokens:
    """Addresses of archives: made with the installation's key, so that nobody finds one by counting."""

    def __init__(self, keys: Keyring) -> None:
        self._key = keys.key("web archives")

    def token(self, archive: Archive) -> str:
        """24 characters."""
        body = archive.workspace.to_bytes(4) + (archive.list_id or 0).to_bytes(5)
        return base64.urlsafe_b64encode(body + keyed_hash(self._key, body, size=_MAC)).decode("ascii")

    def read(self, token: str) -> Archive | None:
        """Whose it is; None if we did not make it."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        body, mac = raw[:_BODY], raw[_BODY:]
        if len(raw) != _BODY + _MAC or not same(mac, keyed_hash(self._key, body, size=_MAC)):
            return None
        list_id = int.from_bytes(body[4:])
        return Archive(WorkspaceId(int.from_bytes(body[:4])), ListId(list_id) if list_id else None)


async def list_archived(tx: Tx, *, archive: Archive, offset: int = 0, limit: int = 20) -> Sequence[Archived]:
    """Newest first: of campaigns with `archive`, those that were sent or are being sent."""
    rows = await tx.fetch(
        _LISTED,
        archive.workspace,
        archive.list_id or 0,
        offset,
        limit,
    )
    return [Archived(CampaignId(row["id"]), SendId(row["send_id"]), row["started_at"]) for row in rows]


async def get_archived(tx: Tx, *, archive: Archive, campaign: CampaignId) -> Archived | None:
    """One campaign of an archive; None if it is not in it."""
    row = await tx.fetchrow(f"{_PUBLIC} AND id = $3", archive.workspace, archive.list_id or 0, campaign)
    return None if row is None else Archived(CampaignId(row["id"]), SendId(row["send_id"]), row["started_at"])

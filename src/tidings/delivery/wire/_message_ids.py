"""Reading our Message-IDs back: which delivery is `{send}.{n}.{workspace}.{mac}@example.com` (see _wire.py)?"""

import re
from functools import lru_cache
from typing import NamedTuple

from tidings.core.crypto import Keyring, same
from tidings.core.ids import SendId, WorkspaceId
from tidings.delivery.wire._wire import id_mac
from tidings.tracking import Tokens

_OURS = re.compile(r"<?([1-9]\d{0,12})\.([1-9]\d{0,9})\.([1-9]\d{0,9})\.([0-9a-f]{16})@[^@<>\s]+>?\Z", re.ASCII)


class MessageRef(NamedTuple):
    """The delivery that a message belongs to."""

    workspace: WorkspaceId
    send: SendId
    n: int


class MessageIds:
    """Reads Message-IDs with the installation's key, so that nobody can make up one that belongs to a delivery."""

    def __init__(self, keys: Keyring) -> None:
        self._token_of = lru_cache(maxsize=1024)(Tokens(keys).for_send)

    def read(self, message_id: str) -> MessageRef | None:
        """Whose it is, with or without angle brackets; None if we did not make it."""
        found = _OURS.match(message_id.strip())
        if found is None:
            return None
        send, n, workspace = SendId(int(found[1])), int(found[2]), WorkspaceId(int(found[3]))
        if send >= 1 << 40 or n >= 1 << 31 or workspace >= 1 << 31:
            return None
        if not same(id_mac(self._token_of(workspace, send)(n, 0)), found[4].encode()):
            return None
        return MessageRef(workspace, send, n)

"""Who is acting, and what they may do."""

from dataclasses import dataclass
from typing import ClassVar

from tidings.core.errors import Forbidden
from tidings.core.ids import WorkspaceId

OPERATOR = "operator"
"""May create workspaces: a power over the installation, which `*` (everything in one workspace) does not include."""

ALL = "*"

SCOPES: dict[str, str] = {
    "contacts:read": "read contacts, their engagement and imports",
    "contacts:write": "create, change, unsubscribe, import and delete contacts",
    "lists:read": "read lists and who is on them",
    "lists:write": "create, change and delete lists, add and remove contacts",
    "segments:read": "read segments and who is in them",
    "segments:write": "create, change and delete segments",
    "events:write": "tell what contacts did",
    "suppressions:read": "read the suppression list",
    "suppressions:write": "suppress addresses, and lift suppressions",
    "forms:read": "read signup forms",
    "forms:write": "create, change and delete signup forms",
    "messages:read": "read transactional messages and what became of them",
    "messages:send": "send transactional messages",
    "templates:read": "read and preview templates",
    "templates:write": "create, change and delete templates",
    "media:read": "list images",
    "media:write": "upload, describe and delete images",
    "campaigns:read": "read campaigns and their reports",
    "campaigns:write": "create, change and delete campaigns",
    "campaigns:send": "send, pause, resume and cancel campaigns",
    "providers:read": "read providers, never their credentials",
    "providers:write": "create, change and delete providers",
    "workspace:read": "read the workspace and the names of its API keys",
    "workspace:write": "change the workspace, create and revoke API keys",
    ALL: "everything in this workspace",
    OPERATOR: "create workspaces",
}
"""Every scope with what it allows."""


class MissingScope(Forbidden):
    """The key is good, but not for this."""

    code = "missing_scope"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: in which workspace, under which name in the audit trail, with which scopes."""

    workspace: WorkspaceId
    actor: str
    scopes: frozenset[str]

    SYSTEM_ACTOR: ClassVar[str] = "system"

    def may(self, scope: str) -> bool:
        """Whether the scope is held, by itself or through `*`."""
        return scope in self.scopes or (scope != OPERATOR and ALL in self.scopes)

    def require(self, scope: str) -> None:
        """Raises MissingScope unless the scope is held."""
        if not self.may(scope):
            raise MissingScope(f"this needs an API key with the scope {scope!r}")


def SYSTEM(workspace: WorkspaceId) -> Principal:  # noqa: N802 - reads as the constant it is, but for the workspace
    """Tidings itself at work in the background for a workspace."""
    return Principal(workspace, Principal.SYSTEM_ACTOR, frozenset({ALL}))

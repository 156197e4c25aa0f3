"""Forms, lists and people for tests of signing up, and what they get by mail."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from edge_world import SECRET, Answer, ask
from tidings import accounts, compliance
from tidings.accounts import SYSTEM
from tidings.audience import forms
from tidings.audience.forms import Form, FormDraft
from tidings.audience.lists import ListSettings, Visibility, create_list
from tidings.compliance import SignupTokens
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import ListId, WorkspaceId

KEYS = Keyring(SECRET)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Signup:
    """A form of a workspace, and its lists."""

    workspace: WorkspaceId
    form: Form
    lists: list[ListId]
    token: str

    @property
    def path(self) -> str:
        return f"/f/{self.token}"


async def make_signup(db: Database, workspace: int, *, names: tuple[str, ...] = ("News",), **more: Any) -> Signup:
    """A form that leads to lists of these names; `settings` are the lists', the rest is the form's."""
    owner = WorkspaceId(workspace)
    settings = more.pop("settings", ListSettings(visibility=Visibility.PUBLIC))
    async with db.transaction() as tx:
        await accounts.update_workspace(
            tx, workspace=owner, sender_email="hello@acme.example", by=SYSTEM(owner), now=utc_now()
        )
        await tx.execute(
            """INSERT INTO providers (workspace_id, name, kind, config, is_default, created_at, updated_at)
               SELECT $1, 'p', 'sandbox', '{}', true, now(), now()
               WHERE NOT EXISTS (SELECT FROM providers WHERE workspace_id = $1)""",
            owner,
        )
        lists = [
            (await create_list(tx, workspace=owner, name=name, settings=settings, by=SYSTEM(owner), now=utc_now())).id
            for name in names
        ]
        options: dict[str, Any] = {"name": "Website", "list_ids": lists, **more}
        draft = FormDraft(**options)
        form = await forms.create_form(tx, workspace=owner, draft=draft, by=SYSTEM(owner), now=utc_now())
    return Signup(owner, form, lists, SignupTokens(KEYS).form(owner, form.id))


def hidden(page: bytes) -> dict[str, str]:
    """The hidden inputs of a page."""
    return {
        unescape(name): unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.decode())
    }


async def press(base: str, signup: Signup, **typed: Any) -> Answer:
    """Open the page, fill it in, and press the button: as a person does, but at once (see `no_waiting`)."""
    headers = typed.pop("headers", {})
    page = await ask(base, signup.path, headers=headers)
    return await ask(base, signup.path, "POST", data=hidden(page.body) | typed, headers=headers)


async def people(db: Database) -> dict[str, tuple[str, dict[int, str]]]:
    """Every contact by address: status, and status by list."""
    async with db.connection() as connection:
        contacts = await connection.fetch("SELECT id, email, status::text FROM contacts")
        rows = await connection.fetch("SELECT contact_id, list_id, status::text FROM subscriptions")
    return {
        c["email"]: (c["status"], {r["list_id"]: r["status"] for r in rows if r["contact_id"] == c["id"]})
        for c in contacts
    }


__all__ = ["FORM", "KEYS", "Signup", "compliance", "hidden", "make_signup", "people", "press"]

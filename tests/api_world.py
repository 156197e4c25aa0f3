"""One of everything in a workspace, and a good body for every operation: what the walks over the whole API start from."""

from dataclasses import dataclass, field
from typing import Any

from api_client import Client
from tidings.bootstrap import App

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63680000008200"
    "8177cd72b60000000049454e44ae426082"
)
"""A PNG of one pixel."""

Operation = tuple[str, str, str, dict[str, Any]]
"""Method, path below /api/v1, operation id, and the operation in the OpenAPI document."""


@dataclass(slots=True)
class World:
    """The ids of one thing of each kind, by path parameter."""

    ids: dict[str, str] = field(default_factory=dict)

    def path(self, path: str) -> str:
        for name, id_ in self.ids.items():
            path = path.replace(f"{{{name}}}", id_)
        assert "{" not in path, f"{path}: api_world.py must make one of these"
        return path

    def bodies(self) -> dict[str, Any]:
        """A good body for each operation that takes one, referring to this world's things."""
        ids = self.ids
        contact = {
            "email": "new@example.com",
            "first_name": "N",
            "last_name": "M",
            "phone": "1",
            "language": "en",
            "time_zone": "UTC",
            "tags": ["t"],
            "attributes": {"a": 1},
        }
        some = {"contact_ids": [ids["contact_id"]]}
        list_ = {
            "name": "Other",
            "description": "d",
            "opt_in": "double",
            "visibility": "public",
            "public_name": "O",
            "public_description": "d",
            "sender_email": "news@example.com",
            "sender_name": "N",
            "confirm_subject": "S {{ sender }}",
            "confirm_html": "<a href='{{ confirm_url }}'>Yes</a>",
            "confirm_text": "{{ confirm_url }}",
            "confirm_days": 3,
        }
        form = {
            "name": "Other form",
            "list_ids": [ids["list_id"]],
            "fields": [{"name": "first_name", "label": "L", "required": True}],
            "title": "T",
            "intro": "I",
            "consent": "C",
            "consent_box": True,
            "choose_lists": True,
            "button": "B",
            "opt_in": "single",
            "success_text": "S",
            "redirect_url": "https://example.com/a",
            "confirmed_text": "C",
            "confirmed_url": "https://example.com/b",
            "origins": ["https://example.com"],
            "language": "de",
            "hourly_limit": 5,
            "active": True,
        }
        segment = {
            "name": "Adults",
            "description": "d",
            "conditions": {"and": [{"field": "lists", "operator": "contains", "value": ids["list_id"]}]},
        }
        template = {
            "name": "T",
            "subject": "S",
            "html_content": "<p>{{ first_name }}</p>",
            "text_content": "t",
            "variables": [],
            "strict": False,
            "source_type": "html",
            "inline_css": False,
            "attachment_ids": [ids["attachment_id"]],
            "preheader": "P",
        }
        quiet = {"links": False, "spam": False, "domain": False, "sample": 5}
        block = {"name": "header", "html_content": "<p>{{ first_name }}</p>", "text_content": "t"}
        campaign = {
            "name": "C",
            "subject": "S",
            "template_id": ids["template_id"],
            "sender_email": "news@example.com",
            "sender_name": "News",
            "reply_to": "re@example.com",
            "contact_list_ids": [ids["list_id"]],
            "exclude_list_ids": [ids["list_id"]],
            "segment_ids": [ids["segment_id"]],
            "exclude_segment_ids": [ids["segment_id"]],
            "provider_id": ids["provider_id"],
            "attachment_ids": [ids["attachment_id"]],
            "schedule_time": "2046-01-01T00:00:00Z",
            "preheader": "P",
            "archive": True,
        }
        choices = {
            "list_ids": [ids["list_id"]],
            "tags": ["t"],
            "policy": "update",
            "mapping": {"Email": "email", "Notes": "ignore"},
            "status": "active",
        }
        return {
            "import_contacts": {
                "list_id": ids["list_id"],
                "list_ids": [ids["list_id"]],
                "tags": ["fair"],
                "policy": "skip",
                "contacts": [{"email": "row@example.com"}],
            },
            "start_import": choices,
            "dry_run_import": choices,
            "create_contact": contact | {"list_ids": [ids["list_id"]]},
            "update_contact": contact,
            "put_contact": contact,
            "upsert_contact": contact | {"list_ids": [ids["list_id"]]},
            "tag_contacts": some | {"add": ["t"], "remove": ["u"]},
            "tag_list": {"add": ["t"], "remove": ["u"]},
            "tag_segment": {"add": ["t"], "remove": ["u"]},
            "update_contacts": some | {"changes": {"language": "de"}},
            "delete_contacts": some,
            "create_contact_field": {"name": "n", "label": "N", "type": "choice", "choices": ["a"]},
            "update_contact_field": {"label": "N", "type": "choice", "choices": ["a"]},
            "create_tag": {"name": "blue", "colour": "#0000ff"},
            "update_tag": {"name": "red", "colour": "#ff0000", "merge": True},
            "merge_contacts": {"from": ids["contact_id"], "prefer": "into", "address": "into"},
            "unsubscribe_contact": {"reason": "r"},
            "create_form": form,
            "update_form": form,
            "put_form": form,
            "start_subscription": {
                "email": "asked@example.com",
                "wording": "Yes",
                "ip": "192.0.2.1",
                "user_agent": "UA",
                "language": "en",
                "first_name": "A",
                "last_name": "B",
                "phone": "1",
                "attributes": {"a": 1},
                "opt_in": "single",
            },
            "tell_events": {"events": [{"contact_id": ids["contact_id"], "name": "order"}]},
            "suppress_addresses": {
                "emails": ["sup@example.com"],
                "list_id": ids["list_id"],
                "reason": "manual",
                "detail": "d",
                "source": "crm",
            },
            "lift_suppressions": {"suppression_ids": [ids["suppression_id"]], "reason": "r", "consent": "c"},
            "forget_suppressed_addresses": {"emails": ["sup@example.com"]},
            "create_list": list_,
            "update_list": list_,
            "put_list": list_,
            "add_to_list": some,
            "remove_from_list": some,
            "create_segment": segment,
            "update_segment": segment,
            "put_segment": segment,
            "preview_conditions": {"conditions": segment["conditions"], "exact": True, "sample_size": 2},
            "create_template": template,
            "update_template": template,
            "put_template": template,
            "preview_template": {
                "variables": {"first_name": "Ann"},
                "version": 1,
                "marked": True,
                "strict": False,
                "contact_id": self.ids["contact_id"],
            },
            "send_template_test": {
                "to": ["me@example.com"],
                "contact_id": self.ids["contact_id"],
                "variables": {"first_name": "Ann"},
                "version": 1,
                "subject_prefix": "Test: ",
                "sender_email": "news@example.com",
                "sender_name": "News",
                "provider_id": self.ids["provider_id"],
            },
            "send_campaign_test": {
                "to": ["me@example.com"],
                "contact_id": self.ids["contact_id"],
                "variables": {"first_name": "Ann"},
                "subject_prefix": "Test: ",
            },
            "update_media": {"name": "logo.png", "alt_text": "Our logo"},
            "check_template": {"version": 1, "contact_id": self.ids["contact_id"], "sender_email": "a@example.com"}
            | quiet,
            "check_campaign": quiet,
            "check_content": {
                "subject": "S",
                "html_content": "<p>{{ first_name }}</p>",
                "text_content": "t",
                "strict": False,
                "source_type": "html",
                "inline_css": False,
                "contact_id": self.ids["contact_id"],
                "sender_email": "a@example.com",
            }
            | quiet,
            "create_block": block,
            "update_block": block,
            "put_block": block,
            "count_audience": {
                "contact_list_ids": [ids["list_id"]],
                "exclude_list_ids": [ids["list_id"]],
                "segment_ids": [ids["segment_id"]],
                "exclude_segment_ids": [ids["segment_id"]],
            },
            "create_campaign": campaign,
            "update_campaign": campaign,
            "put_campaign": campaign,
            "add_provider": {"name": "P", "kind": "sandbox", "config": {}, "secret": {}, "is_default": False},
            "update_provider": {"name": "P", "config": {}, "secret": {}, "is_default": False},
            "add_route": {
                "name": "R",
                "strategy": "weighted",
                "providers": [{"provider_id": ids["provider_id"], "weight": 2, "priority": 1}],
                "is_default": False,
            },
            "update_route": {
                "name": "R",
                "strategy": "priority",
                "providers": [{"provider_id": ids["provider_id"], "weight": 2, "priority": 1}],
                "is_default": False,
            },
            "start_warmup": {"start": 50, "growth": 1.5, "target": 500, "caps": None},
            "add_domain": {"domain": "other.example", "algorithms": ["ed25519"]},
            "add_inbound_message": {"recipient": "b@example.com", "sender": "", "content": "Subject: x\n\nx\n"},
            "add_bounce_mailbox": {
                "host": "imap.example.com",
                "port": 993,
                "tls": "implicit",
                "allow_plaintext_auth": False,
                "username": "u",
                "password": "p",
                "auth": "password",
                "folder": "INBOX",
                "move_to": "Done",
                "every_seconds": 300,
            },
            "update_bounce_mailbox": {
                "host": "imap.other.example",
                "port": 143,
                "tls": "starttls",
                "allow_plaintext_auth": True,
                "username": "v",
                "password": "q",
                "auth": "password",
                "folder": "Bounces",
                "move_to": "Done",
                "every_seconds": 600,
            },
            "update_domain": {"return_path": "bounces.example.com"},
            "rotate_domain_keys": {"algorithms": ["ed25519"]},
            "create_workspace": {"name": "W", "postal_address": "1 Road"},
            "update_workspace": {
                "name": "W",
                "postal_address": "1 Road",
                "sender_email": "hello@example.com",
                "sender_name": "W",
                "pause_failed_percent": 30,
                "pause_bounced_percent": 0,
                "pause_complained_percent": 0.25,
                "soft_bounce_limit": 4,
                "soft_bounce_days": 5,
            },
            "retry_campaign": {"include_unknown": True},
            "create_api_key": {"name": "K", "scopes": ["lists:read"]},
            "send_message": {
                "to": "eve@example.com",
                "to_name": "Eve",
                "subject": "S",
                "html_content": "<p>{{ a }}</p>",
                "text_content": "t",
                "variables": {"a": "b"},
                "sender_email": "shop@example.com",
                "sender_name": "Shop",
                "reply_to": "re@example.com",
                "headers": {"X-A": "b"},
                "attachments": [
                    {"filename": "a.txt", "content": "SGVsbG8=", "content_type": "text/plain", "content_id": ""}
                ],
                "kind": "transactional",
                "track_opens": True,
                "track_clicks": True,
                "provider_id": ids["provider_id"],
            },
            "unsubscribe": {"token": "x" * 40, "reason": "r"},
        }


async def make_world(api: Client) -> World:
    """One of everything."""
    world = World()

    async def make(name: str, path: str, body: Any) -> None:
        answer = await api("POST", path, body)
        assert answer.status in {201, 202}, answer
        world.ids[name] = answer.json["id"]

    await make("list_id", "/lists", {"name": "News"})
    await make("contact_id", "/contacts", {"email": "ann@example.com", "list_ids": [world.ids["list_id"]]})
    world.ids["email"] = "ann@example.com"
    await make("field_id", "/contact-fields", {"name": "plan", "type": "choice", "choices": ["free", "pro"]})
    await make("tag_id", "/tags", {"name": "vip"})
    world.ids["import_id"] = await upload_file(api)
    await make(
        "segment_id", "/segments", {"name": "S", "conditions": {"field": "status", "operator": "=", "value": "active"}}
    )
    await make("template_id", "/templates", {"name": "Hello", "subject": "Hi", "html_content": "<p>Hi</p>"})
    await make("block_id", "/blocks", {"name": "footer", "html_content": "<p>Acme</p>"})
    file = await api(
        "POST",
        "/attachments",
        b"%PDF",
        Content_Type="application/pdf",
        Content_Disposition='attachment; filename="terms.pdf"',
    )
    assert file.status == 201, file
    world.ids["attachment_id"] = file.json["id"]
    image = await api("POST", "/media", PIXEL, Content_Type="image/png")
    assert image.status == 201, image
    world.ids["media_id"] = image.json["id"]
    await make("provider_id", "/providers", {"name": "Sandbox", "kind": "sandbox", "is_default": True})
    await make(
        "route_id",
        "/routes",
        {"name": "All", "strategy": "round_robin", "providers": [{"provider_id": world.ids["provider_id"]}]},
    )
    await make("domain_id", "/domains", {"domain": "example.com", "algorithms": ["ed25519"]})
    await make("inbound_id", "/inbound-messages", {"recipient": "b@example.com", "content": "Subject: y\n\ny\n"})
    await make("mailbox_id", "/bounce-mailboxes", {"host": "imap.example.com", "username": "u", "password": "p"})
    await make("key_id", "/api-keys", {"name": "other", "scopes": ["lists:read"]})
    await make(
        "campaign_id",
        "/campaigns",
        {
            "name": "Spring",
            "template_id": world.ids["template_id"],
            "sender_email": "news@example.com",
            "contact_list_ids": [world.ids["list_id"]],
        },
    )
    await make("form_id", "/forms", {"name": "Website", "list_ids": [world.ids["list_id"]], "opt_in": "single"})
    signup = {"email": "eve@example.com", "wording": "Yes", "opt_in": "single"}
    await make("consent_id", f"/lists/{world.ids['list_id']}/subscriptions", signup)
    world.ids["suppression_id"] = next(
        iter((await api("POST", "/suppressions", {"emails": ["gone@example.com"]})).json["suppressions"].values())
    )
    await make(
        "message_id",
        "/messages",
        {"to": "eve@example.com", "subject": "S", "text_content": "t", "sender_email": "s@example.com"},
    )
    world.ids["version"] = "1"
    world.ids["other"] = "1"
    return world


async def upload_file(api: Client) -> str:
    """A file for an import, uploaded and not started; its columns are those of the example."""
    answer = await api("POST", "/imports", b"Email,Kundennummer,Notes\nbob@example.com,7,x\n", Content_Type="text/csv")
    assert answer.status == 201, answer
    return answer.json["id"]


async def operations(api: Client) -> list[Operation]:
    """Every operation below /api/v1, from the document that the API gives of itself."""
    document = (await api.with_key(None)("GET", "/openapi.json")).json
    return [
        (method.upper(), path.removeprefix("/api/v1"), operation["operationId"], operation)
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method, operation in methods.items()
    ]


async def everything(app: App, workspace: int | None = None) -> dict[str, tuple[int, str | None]]:
    """For each table its rows' number and digest, of one workspace or all. Only those that belong to workspaces."""
    async with app.db.connection() as connection:
        names = await connection.fetch(
            """SELECT c.relname AS name FROM pg_class AS c
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                 AND c.relname NOT LIKE 'pgqueuer%' AND (c.relname = 'workspaces' OR EXISTS (
                     SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'))
               ORDER BY 1"""
        )
        found: dict[str, tuple[int, str | None]] = {}
        for name in [row["name"] for row in names]:
            column = "id" if name == "workspaces" else "workspace_id"
            where = "" if workspace is None else f"WHERE t.{column} = {workspace}"
            row = await connection.fetchrow(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} AS t {where}"  # noqa: S608
            )
            assert row is not None
            found[name] = (row[0], row[1])
        return found

"""What somebody of the workspace does to people's subscriptions, or takes away with them, is in the audit trail."""

from typing import Any

from api_client import Client
from tidings.bootstrap import App


async def trail(app: App) -> list[tuple[str, Any]]:
    async with app.db.connection() as connection:
        rows = await connection.fetch(
            """SELECT action, detail FROM audit_entries
               WHERE action LIKE 'list.contacts%' OR action LIKE '%.exported' OR action = 'contact.taken_out' ORDER BY id"""
        )
    return [(row["action"], row["detail"]) for row in rows]


async def test_deeds_of_people_are_kept(api: Client, app: App) -> None:
    list_id = (await api("POST", "/lists", {"name": "News"})).json["id"]
    ann = (await api("POST", "/contacts", {"email": "ann@example.com"})).json["id"]
    await api("POST", f"/lists/{list_id}/contacts", {"contact_ids": [ann]})
    await api("POST", f"/lists/{list_id}/contacts", {"contact_ids": [ann]})  # changes nothing
    await api("POST", f"/lists/{list_id}/contacts/remove", {"contact_ids": [ann]})
    await api("POST", f"/contacts/{ann}/unsubscribe")
    await api("POST", f"/contacts/{ann}/unsubscribe")  # changes nothing
    assert (await api("GET", f"/contacts/export?fields=email&list_id={list_id}")).status == 200
    assert (await api("GET", "/suppressions/export")).status == 200
    assert (await api("GET", "/contacts/export?fields=nonsense")).status == 422
    assert await trail(app) == [
        ("list.contacts_added", {"contacts": 1, "refused": 0}),
        ("list.contacts_removed", {"contacts": 1}),
        ("contact.taken_out", {}),
        ("contacts.exported", {"fields": "email", "list_id": list_id}),
        ("suppressions.exported", {}),
    ]
    detail = (await api("GET", f"/contacts/{ann}/timeline")).json
    assert "taken_out" in [item["kind"] for item in detail["items"]]


async def test_nobody_is_taken_out_without_a_trace(api: Client, app: App) -> None:
    ann = (await api("POST", "/contacts", {"email": "ann@example.com"})).json["id"]
    async with app.db.connection() as connection:
        await connection.execute(
            """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$;
               CREATE TRIGGER full_disk BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION full_disk()"""
        )
    assert (await api("POST", f"/contacts/{ann}/unsubscribe")).status >= 500
    async with app.db.connection() as connection:
        await connection.execute("DROP TRIGGER full_disk ON audit_entries; DROP FUNCTION full_disk")
    assert (await api("GET", f"/contacts/{ann}")).json["status"] == "active"


async def test_nobody_sends_confirmations_of_their_own(api: Client) -> None:
    answer = await api("POST", "/messages", {"to": "ann@example.com", "text_content": "x", "kind": "confirmation"})
    assert answer.status == 422
    assert answer.fields == ["kind"]
    assert answer.json["detail"] == "kind: input should be 'transactional' or 'marketing'"

"""`tidings provider add` and `tidings route`, as processes against a database without any role running."""

from pathlib import Path

from cli_forked import clean_environment, tidings
from tidings import delivery
from tidings.bootstrap import secret_of
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import ProviderId, WorkspaceId
from tidings.delivery.ways import open_settings


async def _tidings(database_url: str, folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    told = {"TIDINGS_DATABASE_URL": database_url, "TIDINGS_DATA_DIR": str(folder)}
    status, out, err = await tidings(*words, env=clean_environment() | told | environment)
    return status, " ".join((out + err).decode().split())


async def test_a_relay_and_ses_behind_a_route(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    async def run(*words: str, **environment: str) -> tuple[int, str]:
        return await _tidings(database_url, tmp_path, *words, **environment)

    secret = '{"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret"}'
    assert (await run("provider", "add", "relay", "--host", "smtp.example.com"))[0] == 0
    ses = ("provider", "add", "ses", "--kind", "ses", "--set", "region=eu-west-1", "--no-default")
    status, said = await run(*ses, TIDINGS_PROVIDER_SECRET=secret)
    assert status == 0, said
    status, said = await run("route", "add", "Both", "--provider", "relay", "--provider", "ses")
    assert status == 0
    assert "Both: the default" in said
    async with db.connection() as connection:
        way = await delivery.default_way(connection, workspace=workspace)
        (route,) = await delivery.list_routes(connection, workspace=workspace)
        found = await delivery.list_providers(connection, workspace=workspace)
    assert way == delivery.Way(route=route.id)
    assert [one.priority for one in route.members] == [1, 2]
    assert [one.kind for one in found] == ["smtp", "ses"]
    status, said = await run("route", "list")
    assert "relay: priority 1" in said
    status, said = await run("route", "add", "More", "--provider", "nobody")
    assert status
    assert "there is no provider 'nobody'" in said
    status, said = await run(*ses, TIDINGS_PROVIDER_SECRET="very-secret")
    assert status
    assert "very-secret" not in said
    assert (await run("route", "delete", "Both"))[0] == 0
    async with db.connection() as connection:
        assert await delivery.default_way(connection, workspace=workspace) == delivery.Way(provider=found[0].id)


async def test_a_provider_from_its_making_to_its_end(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    async def run(*words: str, **environment: str) -> tuple[int, str]:
        return await _tidings(database_url, tmp_path, "provider", *words, **environment)

    status, said = await run(
        "add", "relay", "--host", "smtp.example.com", "--username", "me", TIDINGS_SMTP_PASSWORD="very-secret"
    )
    assert (status, said) == (0, "provider_1 relay: smtp smtp.example.com, the default")
    # What a kind lacks is refused, never dropped.
    api_key = {"TIDINGS_PROVIDER_SECRET": '{"api_key": "very-secret"}'}
    mailgun = ("add", "mg", "--kind", "mailgun", "--set", "domain=mg.example.com", "--no-default")
    for option in (("--host", "smtp.example.com"), ("--port", "25"), ("--tls", "none"), ("--username", "me")):
        status, said = await run(*mailgun, *option, **api_key)
        assert (status, "Mailgun has no such setting" in said) == (1, True), option
    # A password that stands in the environment for another is nobody's business here.
    status, said = await run(*mailgun, **api_key, TIDINGS_SMTP_PASSWORD="of another")
    assert status == 0, said
    status, said = await run("list")
    assert said == "provider_1 relay: smtp smtp.example.com, the default provider_2 mg: mailgun mg.example.com"
    status, said = await run("show", "mg")
    assert "domain: mg.example.com notifications come to http" in said
    status, said = await run("show", "relay", "--json")
    assert '"config":{"tls":"starttls","host":"smtp.example.com","port":587,"username":"me"}' in said
    status, said = await run("set", "relay", "--rate", "5", "--limit", "google:per_minute=60", "--name", "Relay")
    assert (status, said) == (0, "provider_1 Relay: smtp smtp.example.com, the default")
    status, said = await run("set", "Relay", "--unset", "rate_per_second", "--per-day", "9", "--set", "verify=false")
    assert status == 0, said
    status, said = await run("set", "Relay", TIDINGS_SMTP_PASSWORD="newer-secret")
    assert (status, "secret" in said) == (0, False)
    status, said = await run("set", "mg", "--default", TIDINGS_SMTP_PASSWORD="of another")
    assert (status, said) == (0, "provider_2 mg: mailgun mg.example.com, the default")
    async with db.connection() as connection:
        relay = await delivery.get_provider(connection, workspace=workspace, provider=ProviderId(1))
        opened = await open_settings(
            connection, workspace=workspace, provider=ProviderId(1), keys=Keyring(secret_of(tmp_path))
        )
    assert relay.config == {
        "host": "smtp.example.com", "port": 587, "tls": "starttls", "username": "me", "verify": False,
        "limits": {"google": {"per_minute": 60}}, "rate_per_day": 9,
    }  # fmt: skip
    assert opened.secret == {"password": "newer-secret"}
    for words, problem in (
        (("set", "Relay", "--unset", "ip_pool"), "--unset: Relay has no setting 'ip_pool'; it has: host"),
        (("set", "Relay", "--set", "ip_pool=x"), "ip_pool: unknown setting; an SMTP server has:"),
        (("set", "nobody", "--rate", "5"), "there is no provider 'nobody'; there are: mg, Relay"),
        (("delete", "nobody"), "there is no provider 'nobody'"),
    ):
        status, said = await run(*words)
        assert (status, problem in said) == (1, True), said
    assert await run("delete", "Relay") == (0, "provider_1 Relay: deleted")
    assert (await run("list"))[1] == "provider_2 mg: mailgun mg.example.com, the default"


async def test_a_mailbox_of_reports_and_its_changes(
    db: Database, database_url: str, workspace: WorkspaceId, tmp_path: Path
) -> None:
    async def run(*words: str, **environment: str) -> tuple[int, str]:
        return await _tidings(database_url, tmp_path, *words, **environment)

    added = ("mailbox", "add", "imap.example.com", "--username", "bounces@example.com")
    assert (await run(*added))[0] == 2, "no password"
    status, said = await run(*added, TIDINGS_IMAP_PASSWORD="very-secret")
    assert status == 0, said
    assert "very-secret" not in said
    status, said = await run(
        "mailbox", "set", "mailbox_1", "--every", "600", "--folder", "Reports", "--auth", "xoauth2"
    )
    assert status == 0, said
    assert said == "mailbox_1 bounces@example.com at imap.example.com:993, Reports, every 600 seconds, not read yet"
    assert (await run("mailbox", "list"))[1] == said
    async with db.connection() as connection:
        (one,) = await delivery.list_mailboxes(connection, workspace=workspace)
    assert (one.auth, one.move_to, one.tls) == ("xoauth2", "", "implicit")
    status, said = await run("mailbox", "set", "mailbox_1", "--tls", "ssl")
    assert (status, "implicit, starttls or none" in said) == (1, True)
    status, said = await run("mailbox", "set", "mailbox_9", "--every", "600")
    assert (status, "tidings mailbox list" in said) == (1, True)
    # The password is not sent in clear but to this machine, and a host is one.
    status, said = await run("mailbox", "set", "mailbox_1", "--tls", "none")
    assert (status, "tls: the password would travel unencrypted: use implicit or starttls" in said) == (1, True)
    status, said = await run("mailbox", "set", "mailbox_1", "--host", "https://imap.example.com")
    assert (status, "host: give a host name or an IP address" in said) == (1, True)
    assert (await run("mailbox", "set", "mailbox_1", "--host", "127.0.0.1", "--tls", "none"))[0] == 0
    assert await run("mailbox", "delete", "mailbox_1") == (0, "mailbox_1 bounces@example.com at 127.0.0.1: deleted")
    assert (await run("mailbox", "delete", "mailbox_1"))[0] == 1
    assert (await run("mailbox", "list"))[1] == ""

"""`tidings provider`, `tidings route` and `tidings mailbox`: the ways out, and where what comes back is read."""

import json as json_module
from typing import Annotated, Any, cast

import typer

from tidings.cli._running import run as _run
from tidings.cli._running import settings as _settings

providers = typer.Typer(no_args_is_help=True, help="Ways out: SMTP servers and other providers.")
routes = typer.Typer(no_args_is_help=True, help="Several providers behind one name.")
mailboxes = typer.Typer(no_args_is_help=True, help="Mailboxes that bounces come back to, read over IMAP.")

SettingsOf = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: a setting of its kind, such as region=eu-west-1; repeat it"),
]
Secrets = Annotated[
    str, typer.Option(envvar="TIDINGS_PROVIDER_SECRET", help="JSON of its credentials; better through the environment")
]
Password = Annotated[str, typer.Option(envvar="TIDINGS_SMTP_PASSWORD", help="smtp; better through the environment")]
Connections = Annotated[int | None, typer.Option(min=1, max=1000, help="open at once, at most; smtp: 10, if not given")]
PerConnection = Annotated[
    int | None,
    typer.Option("--messages-per-connection", min=1, help="smtp: after so many it is closed, and another opened"),
]
Rate = Annotated[float | None, typer.Option("--rate", min=0.001, help="messages a second, at most")]
PerMinute = Annotated[int | None, typer.Option("--per-minute", min=1, help="messages in any minute, at most")]
PerHour = Annotated[int | None, typer.Option("--per-hour", min=1, help="messages in any hour, at most")]
PerDay = Annotated[int | None, typer.Option("--per-day", min=1, help="messages in any 24 hours, at most")]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        help="careful, or MAILBOX_PROVIDER:PERIOD=NUMBER, such as google:per_minute=600 or other:per_second=5; repeat it",
    ),
]
Workspace = Annotated[str, typer.Option("--workspace", help="the workspace's name or id")]
_IN_CLEAR = "with --tls none: send the password unencrypted to a host that is not this machine"


@providers.command("capabilities")
def provider_capabilities(
    json: Annotated[bool, typer.Option("--json", help="one JSON object instead of a table")] = False,
) -> None:
    """Print which kind of provider has which setting, and how large a message it takes."""
    from tidings.cli.capabilities import show

    show(json=json)


@providers.command("add")
def provider_add(
    name: Annotated[str, typer.Argument(help="what you call it")],
    host: Annotated[str | None, typer.Option(help="smtp: the server")] = None,
    kind: Annotated[str, typer.Option(help="smtp, ses, sendgrid, mailgun or sandbox")] = "smtp",
    setting: SettingsOf = None,
    secret: Secrets = "",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="smtp: its port; 587, if not given")] = None,
    tls: Annotated[str | None, typer.Option(help="smtp: starttls, tls or none; starttls, if not given")] = None,
    username: Annotated[str | None, typer.Option(help="smtp: the login there")] = None,
    password: Password = "",
    connections: Connections = None,
    messages_per_connection: PerConnection = None,
    rate: Rate = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    limit: Limit = None,
    workspace: Workspace = "",
    default: Annotated[bool, typer.Option(help="use it for campaigns that name no provider")] = True,
) -> None:
    """Add an SMTP server or another provider to send through."""
    from tidings.cli.providing import add_provider

    if kind == "smtp" and not host and not any(one.startswith("host=") for one in setting or []):
        raise typer.BadParameter("give the SMTP server", param_hint="--host")
    config: dict[str, object] = {"port": 587, "tls": "starttls"} if kind == "smtp" else {}
    config |= _named(
        host=host, port=port, tls=tls, username=username, connections=connections,
        messages_per_connection=messages_per_connection,
    )  # fmt: skip
    config |= _rates(rate, per_minute, per_hour, per_day, limit) | _pairs(setting or [])
    making = add_provider(
        _settings(),
        workspace=workspace,
        name=name,
        kind=kind,
        config=config,
        secret=_secrets(secret, password, smtp=kind == "smtp"),
        is_default=default,
    )
    typer.echo(_run(making))


@providers.command("list")
def provider_list(workspace: Workspace = "") -> None:
    """Show the providers, the default first, and what is wrong with them."""
    from tidings.cli.providing import show_providers

    for line in _run(show_providers(_settings(), workspace=workspace)):
        typer.echo(line)


@providers.command("show")
def provider_show(
    name: Annotated[str, typer.Argument(help="its name or id")],
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
    workspace: Workspace = "",
) -> None:
    """Show the settings of a provider, its health, and where it is to send its notifications. Credentials are never shown."""
    from tidings.cli.providing import show_provider

    for line in _run(show_provider(_settings(), workspace=workspace, name=name, json=json)):
        typer.echo(line)


@providers.command("set")
def provider_set(
    name: Annotated[str, typer.Argument(help="its name or id")],
    new_name: Annotated[str | None, typer.Option("--name", help="another name")] = None,
    setting: SettingsOf = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="a setting that is to have its default again; repeat it")
    ] = None,
    secret: Secrets = "",
    host: Annotated[str | None, typer.Option(help="smtp: the server")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="smtp: its port")] = None,
    tls: Annotated[str | None, typer.Option(help="smtp: starttls, tls or none")] = None,
    username: Annotated[str | None, typer.Option(help="smtp: the login there")] = None,
    password: Password = "",
    connections: Connections = None,
    messages_per_connection: PerConnection = None,
    rate: Rate = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    limit: Limit = None,
    default: Annotated[bool, typer.Option("--default", help="use it for campaigns that name no provider")] = False,
    workspace: Workspace = "",
) -> None:
    """Change what is given of a provider, and leave the rest. What is being sent goes on with it within a second.

    Credentials are replaced as a whole.
    """
    from tidings.cli.providing import change_provider

    changes = _named(
        host=host, port=port, tls=tls, username=username, connections=connections,
        messages_per_connection=messages_per_connection,
    )  # fmt: skip
    changes |= _rates(rate, per_minute, per_hour, per_day, limit) | _pairs(setting or [])
    changing = change_provider(
        _settings(),
        workspace=workspace,
        name=name,
        new_name=new_name,
        changes=changes,
        unset=unset or [],
        # Whether a password in the environment is meant depends on the kind.
        secret=lambda kind: _secrets(secret, password, smtp=kind == "smtp"),
        is_default=default,
    )
    typer.echo(_run(changing))


@providers.command("delete")
def provider_delete(
    name: Annotated[str, typer.Argument(help="its name or id")],
    workspace: Workspace = "",
) -> None:
    """Let nothing go through a provider any more, and erase its credentials. Refused while something needs it."""
    from tidings.cli.providing import delete_provider

    typer.echo(_run(delete_provider(_settings(), workspace=workspace, name=name)))


def _named(**given: object) -> dict[str, object]:
    """Those that were given. What a kind does not have is refused where the kinds are known."""
    return {name: value for name, value in given.items() if value is not None}


def _rates(
    second: float | None, minute: int | None, hour: int | None, day: int | None, limit: list[str] | None
) -> dict[str, object]:
    rates = _named(rate_per_second=second, rate_per_minute=minute, rate_per_hour=hour, rate_per_day=day)
    return rates | ({"limits": _limits(limit)} if limit else {})


def _secrets(secret: str, password: str, *, smtp: bool) -> dict[str, str]:
    """A password in the environment is of the SMTP server, and nobody else's."""
    found = _json_object(secret, "--secret") if secret else {}
    return found | ({"password": password} if password and smtp else {})


def _limits(texts: list[str]) -> object:
    """Options as the setting `limits`."""
    if texts == ["careful"]:
        return "careful"
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        scope, _, rest = text.rpartition(":")
        period, _, number = rest.partition("=")
        try:
            most = float(number)
        except ValueError:
            most = 0.0
        if not scope or most <= 0:
            raise typer.BadParameter(f"{text!r}: give careful, or such as google:per_minute=600", param_hint="--limit")
        found.setdefault(scope, {})[period] = int(most) if most == int(most) else most
    return found


@providers.command("limits")
def provider_limits(
    name: Annotated[str, typer.Argument(help="its name or id")],
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Show what may go through a provider, what of that is used, and what is slowed down."""
    from tidings.cli.providing import show_limits

    for line in _run(show_limits(_settings(), workspace=workspace, name=name)):
        typer.echo(line)


@providers.command("warmup")
def provider_warmup(
    name: Annotated[str, typer.Argument(help="the provider's name or id")],
    begin: Annotated[bool, typer.Option("--begin", help="begin, or begin anew")] = False,
    start: Annotated[
        int | None, typer.Option(help="messages on the first day, to each group; 50, if not given")
    ] = None,
    growth: Annotated[float | None, typer.Option(help="from one day to the next, at most 2; 1.4, if not given")] = None,
    target: Annotated[
        int | None, typer.Option(help="messages a day, to each group, at the end; 20000, if not given")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="end it: nothing is capped any more")] = False,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Show the warm-up of a provider whose IP or domain is new, begin one, or stop it."""
    from tidings.cli.warming import show, warm_up
    from tidings.delivery import warmup_ladder

    if not begin and (start, growth, target) != (None, None, None):
        raise typer.BadParameter("needed to begin with --start, --growth or --target", param_hint="--begin")
    if begin and stop:
        raise typer.BadParameter("begin or stop, not both", param_hint="--stop")

    async def asked() -> Any:
        caps = warmup_ladder(start=start, growth=growth, target=target) if begin else None
        return await warm_up(_settings(), workspace=workspace, name=name, caps=caps, stop=stop)

    found = _run(asked())
    if found is None:
        typer.echo("stopped: nothing is capped any more")
    else:
        show(found)


@routes.command("add")
def route_add(
    name: Annotated[str, typer.Argument(help="what you call it")],
    provider: Annotated[
        list[str],
        typer.Option(help="name or id, repeatable; NAME:3 gives it weight 3, or priority 3 of a priority route"),
    ],
    strategy: Annotated[str, typer.Option(help="priority, round_robin, weighted or least_loaded")] = "priority",
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
    default: Annotated[bool, typer.Option(help="use it for campaigns that name no provider")] = True,
) -> None:
    """Send through several providers: fail over in the order that they are named, or share."""
    from tidings.cli.manage import add_route

    adding = add_route(
        _settings(), workspace=workspace, name=name, strategy=strategy, providers=provider, is_default=default
    )
    typer.echo(_run(adding))


@routes.command("list")
def route_list(workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "") -> None:
    """Show the routes, and what is wrong with their providers."""
    from tidings.cli.manage import show_routes

    for line in _run(show_routes(_settings(), workspace=workspace)):
        typer.echo(line)


@routes.command("delete")
def route_delete(
    name: Annotated[str, typer.Argument(help="its name or id")],
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Send nothing new through a route; what is on its way goes on."""
    from tidings.cli.manage import delete_route

    typer.echo(_run(delete_route(_settings(), workspace=workspace, name=name)))


@mailboxes.command("add")
def mailbox_add(
    host: Annotated[str, typer.Argument(help="the IMAP server")],
    username: Annotated[str, typer.Option(help="whose mailbox")],
    password: Annotated[str, typer.Option(envvar="TIDINGS_IMAP_PASSWORD", help="better through the environment")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 993,
    tls: Annotated[str, typer.Option(help="implicit, starttls or none")] = "implicit",
    allow_plaintext_auth: Annotated[bool, typer.Option("--allow-plaintext-auth", help=_IN_CLEAR)] = False,
    auth: Annotated[str, typer.Option(help="password, or xoauth2: the password is an access token")] = "password",
    folder: Annotated[str, typer.Option(help="what is read")] = "INBOX",
    move_to: Annotated[str, typer.Option(help="a folder for reports that were read; empty: they are deleted")] = "",
    every: Annotated[int, typer.Option(min=60, max=86_400, help="seconds between two looks")] = 300,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Read reports out of a mailbox from now on; mail of people in it is left alone."""
    from tidings.cli.manage import add_mailbox

    told = {"host": host, "port": port, "tls": tls, "username": username, "password": password, "auth": auth}
    told |= {"folder": folder, "move_to": move_to, "every_seconds": every, "allow_plaintext_auth": allow_plaintext_auth}
    typer.echo(_run(add_mailbox(_settings(), workspace=workspace, settings_of_it=told)))


@mailboxes.command("list")
def mailbox_list(workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "") -> None:
    """Show the mailboxes, when each was read last, and what is wrong with it."""
    from tidings.cli.manage import show_mailboxes

    for line in _run(show_mailboxes(_settings(), workspace=workspace)):
        typer.echo(line)


@mailboxes.command("set")
def mailbox_set(
    mailbox: Annotated[str, typer.Argument(help="its id, such as mailbox_1")],
    host: Annotated[str | None, typer.Option(help="the IMAP server")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    tls: Annotated[str | None, typer.Option(help="implicit, starttls or none")] = None,
    allow_plaintext_auth: Annotated[bool | None, typer.Option(help=_IN_CLEAR)] = None,
    username: Annotated[str | None, typer.Option(help="whose mailbox")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="TIDINGS_IMAP_PASSWORD", help="better through the environment")
    ] = None,
    auth: Annotated[str | None, typer.Option(help="password or xoauth2")] = None,
    folder: Annotated[str | None, typer.Option(help="what is read")] = None,
    move_to: Annotated[str | None, typer.Option(help="a folder for reports that were read; empty: deleted")] = None,
    every: Annotated[int | None, typer.Option(min=60, max=86_400, help="seconds between two looks")] = None,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Change what is given, and read it at once. How far it was read stays, unless it is another folder now."""
    from tidings.cli.manage import change_mailbox

    given = {"host": host, "port": port, "tls": tls, "username": username, "password": password, "auth": auth}
    given |= {
        "folder": folder,
        "move_to": move_to,
        "every_seconds": every,
        "allow_plaintext_auth": allow_plaintext_auth,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    typer.echo(_run(change_mailbox(_settings(), workspace=workspace, mailbox=mailbox, changes=changes)))


@mailboxes.command("delete")
def mailbox_delete(
    mailbox: Annotated[str, typer.Argument(help="its id, such as mailbox_1")],
    workspace: Workspace = "",
) -> None:
    """Read a mailbox no more, and forget its password."""
    from tidings.cli.manage import delete_mailbox

    typer.echo(_run(delete_mailbox(_settings(), workspace=workspace, mailbox=mailbox)))


def _pairs(given: list[str]) -> dict[str, object]:
    """NAME=VALUE; a value that is JSON is read as such."""
    found: dict[str, object] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r}: give NAME=VALUE", param_hint="--set")
        try:
            found[name] = json_module.loads(value)
        except json_module.JSONDecodeError:
            found[name] = value
    return found


def _json_object(text: str, name: str) -> dict[str, str]:
    try:
        found = json_module.loads(text)
    except json_module.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        # Not the text itself: it is a secret.
        raise typer.BadParameter('give a JSON object, such as {"api_key": "…"}', param_hint=name)
    return cast("dict[str, str]", found)

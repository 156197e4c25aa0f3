"""`tidings`: the command line. Each command reads settings, makes one call, prints what came of it."""

import contextlib
import json as json_module
import logging
import os
import sys
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from tidings.core.settings import Settings, read_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help=(__doc__ or "").split("\n", 1)[0])
keys = typer.Typer(no_args_is_help=True, help="API keys.")
providers = typer.Typer(no_args_is_help=True, help="Ways out: SMTP servers and other providers.")
routes = typer.Typer(no_args_is_help=True, help="Several providers behind one name.")
mailboxes = typer.Typer(no_args_is_help=True, help="Mailboxes that bounces come back to, read over IMAP.")
bench = typer.Typer(no_args_is_help=True, help="Measure this installation.")
doctor = typer.Typer(no_args_is_help=True, help="Look whether everything is in order.")
app.add_typer(keys, name="key")
app.add_typer(providers, name="provider")
app.add_typer(routes, name="route")
app.add_typer(mailboxes, name="mailbox")
app.add_typer(bench, name="bench")
app.add_typer(doctor, name="doctor")

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="print one JSON object as the last line of standard output")]


@app.command()
def up() -> None:
    """Run Tidings: the embedded PostgreSQL (or TIDINGS_DATABASE_URL) and every role, until Ctrl-C."""
    from tidings.up import run

    _run(run(_settings()))


@app.command()
def demo(
    recipients: Annotated[int, typer.Option(min=10, max=1_000_000, help="how many contacts to mail")] = 10_000,
    json: Json = False,
    exit: Annotated[bool, typer.Option("--exit", help="stop when the report is complete")] = False,  # noqa: A002 - the option's name
) -> None:
    """Send a real campaign on this machine, end to end, to simulated recipients, and report it beside the truth."""
    from tidings.demo import run

    _run(run(recipients=recipients, json=json, exit_after=exit))


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV, XLSX, JSON, JSON lines or a ZIP with such; - reads standard input")],
    list: Annotated[list[str] | None, typer.Option(help="a list's name or id; may be repeated")] = None,  # noqa: A002 - the option's name
    create_list: Annotated[
        bool, typer.Option("--create-list", help="make the lists of --list that are not there (double opt-in)")
    ] = False,
    tag: Annotated[list[str] | None, typer.Option(help="for everybody in the file; may be repeated")] = None,
    policy: Annotated[str, typer.Option(help="for people known already: skip, update or overwrite")] = "update",
    map: Annotated[  # noqa: A002 - the option's name
        list[str] | None,
        typer.Option(metavar="COLUMN=FIELD", help="email, first_name, …, field:NAME[:TYPE] or ignore; may be repeated"),
    ] = None,
    status: Annotated[
        str, typer.Option(help="of rows that say none: active, unlisted, unsubscribed, bounced, complained")
    ] = "active",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count what it would do, and change nothing")] = False,
    rejected: Annotated[Path | None, typer.Option(help="write the rejected rows into this CSV file")] = None,
    delimiter: Annotated[str, typer.Option(help="of a CSV file; usually found out")] = "",
    encoding: Annotated[str, typer.Option(help="of a CSV file; usually found out")] = "",
    sheet: Annotated[str, typer.Option(help="of a workbook; usually the first with rows")] = "",
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
    json: Json = False,
) -> None:
    """Import contacts from a file. Ctrl-C cancels: what was processed stays, and the same file may be imported again."""
    from tidings.audience.imports import Reading
    from tidings.importing import Wanted, run

    wanted = Wanted(
        file=file,
        workspace=workspace,
        lists=list or [],
        create_lists=create_list,
        tags=tag or [],
        policy=policy,
        mapping=map or [],
        status=status,
        reading=Reading(delimiter, encoding, None, sheet),
        dry_run=dry_run,
        rejected=rejected,
        json=json,
    )
    if not _run(run(_settings(), wanted)):
        raise typer.Exit(1)


@app.command("export")
def export(
    output: Annotated[
        str, typer.Option("--output", "-o", help="a file, .gz compresses it; - is standard output")
    ] = "-",
    list: Annotated[str, typer.Option(help="only who is subscribed to this list: name or id")] = "",  # noqa: A002 - the option's name
    segment: Annotated[str, typer.Option(help="only who is in this segment now: name or id")] = "",
    status: Annotated[str, typer.Option(help="only active, unsubscribed, bounced or complained contacts")] = "",
    format: Annotated[str, typer.Option(help="csv or jsonl; else by the file's name")] = "",  # noqa: A002
    fields: Annotated[str, typer.Option(help="columns, with commas between; else all")] = "",
    escape_formulas: Annotated[
        bool, typer.Option(help="put an apostrophe before what a spreadsheet takes for a formula")
    ] = True,
    bom: Annotated[
        bool, typer.Option("--bom", help="begin with a byte-order mark, by which Excel knows UTF-8")
    ] = False,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Export contacts as CSV or JSON lines, as they are at this moment. A file appears whole or not at all."""
    from tidings.exporting import Wanted, run

    wanted = Wanted(
        output=output,
        workspace=workspace,
        list=list,
        segment=segment,
        status=status,
        format=format,
        fields=fields.split(",") if fields else [],
        safe=escape_formulas,
        bom=bom,
    )
    _run(run(_settings(), wanted))


@app.command()
def migrate() -> None:
    """Bring the database at TIDINGS_DATABASE_URL to this version's schema. `tidings up` does it by itself."""
    from tidings.core.migrations import migrate as run

    settings = _settings()
    if settings.database_url is None:
        raise typer.BadParameter("set TIDINGS_DATABASE_URL; the embedded database is migrated by `tidings up`")
    _run(run(settings.database_url))


@app.command(hidden=True)
def role(
    name: Annotated[str, typer.Argument(help="api, edge, send, conduct or catcher")],
    writer: Annotated[int, typer.Option(min=0, max=32767, help="this process's slot for counters")] = 0,
) -> None:
    """Run one role in this process: what `tidings up` starts, and what a larger installation starts on each host."""
    from tidings.roles import run_role

    with _in_sentences():
        run_role(name, _settings(), writer=writer)


@keys.command("create")
def key_create(
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
    name: Annotated[str, typer.Option(help="what the key is for")] = "command line",
    scope: Annotated[
        list[str] | None, typer.Option(help="may be repeated; default: everything in the workspace")
    ] = None,
    operator: Annotated[bool, typer.Option(help="may create workspaces, too")] = False,
) -> None:
    """Make an API key and print it: the only time it is seen."""
    from tidings.manage import create_key

    scopes = [*(scope or ["*"]), *(["operator"] if operator else [])]
    typer.echo(_run(create_key(_settings(), workspace=workspace, name=name, scopes=scopes)))


@providers.command("add")
def provider_add(
    name: Annotated[str, typer.Argument(help="what you call it")],
    host: Annotated[str, typer.Option(help="smtp: the server")] = "",
    kind: Annotated[str, typer.Option(help="smtp, ses, sendgrid, mailgun or sandbox")] = "smtp",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: a setting of its kind, such as region=eu-west-1")
    ] = None,
    secret: Annotated[
        str,
        typer.Option(envvar="TIDINGS_PROVIDER_SECRET", help="JSON of its credentials; better through the environment"),
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="smtp")] = 587,
    tls: Annotated[str, typer.Option(help="smtp: starttls, tls or none")] = "starttls",
    username: Annotated[str, typer.Option(help="smtp")] = "",
    password: Annotated[str, typer.Option(envvar="TIDINGS_SMTP_PASSWORD", help="better through the environment")] = "",
    connections: Annotated[
        int | None, typer.Option(min=1, max=1000, help="open at once, at most; smtp: 10, if not given")
    ] = None,
    messages_per_connection: Annotated[
        int | None, typer.Option(min=1, help="smtp: after so many it is closed, and another opened")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="messages a second, at most")] = None,
    per_minute: Annotated[int | None, typer.Option(min=1, help="messages in any minute, at most")] = None,
    per_hour: Annotated[int | None, typer.Option(min=1, help="messages in any hour, at most")] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="messages in any 24 hours, at most")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="careful, or MAILBOX_PROVIDER:PERIOD=NUMBER, such as google:per_minute=600 or other:per_second=5; repeat it"
        ),
    ] = None,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
    default: Annotated[bool, typer.Option(help="use it for campaigns that name no provider")] = True,
) -> None:
    """Add an SMTP server or another provider to send through."""
    from tidings.manage import add_provider

    config: dict[str, object] = {"host": host, "port": port, "tls": tls} if kind == "smtp" else {}
    config |= {"username": username} if username else {}
    config |= {} if connections is None else {"connections": connections}
    rates = {"second": rate, "minute": per_minute, "hour": per_hour, "day": per_day}
    config |= {f"rate_per_{period}": most for period, most in rates.items() if most is not None}
    config |= {} if messages_per_connection is None else {"messages_per_connection": messages_per_connection}
    config |= {"limits": _limits(limit)} if limit else {}
    config |= _pairs(setting or [])
    if kind == "smtp" and not host:
        raise typer.BadParameter("give the SMTP server", param_hint="--host")
    secrets = _json_object(secret, "--secret") if secret else {}
    secrets |= {"password": password} if password and kind == "smtp" else {}
    making = add_provider(
        _settings(), workspace=workspace, name=name, kind=kind, config=config, secret=secrets, is_default=default
    )
    typer.echo(_run(making))


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
    from tidings.manage import show_limits

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
    from tidings.delivery import warmup_ladder
    from tidings.warming import show, warm_up

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
    from tidings.manage import add_route

    adding = add_route(
        _settings(), workspace=workspace, name=name, strategy=strategy, providers=provider, is_default=default
    )
    typer.echo(_run(adding))


@routes.command("list")
def route_list(workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "") -> None:
    """Show the routes, and what is wrong with their providers."""
    from tidings.manage import show_routes

    for line in _run(show_routes(_settings(), workspace=workspace)):
        typer.echo(line)


@routes.command("delete")
def route_delete(
    name: Annotated[str, typer.Argument(help="its name or id")],
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Send nothing new through a route; what is on its way goes on."""
    from tidings.manage import delete_route

    typer.echo(_run(delete_route(_settings(), workspace=workspace, name=name)))


@mailboxes.command("add")
def mailbox_add(
    host: Annotated[str, typer.Argument(help="the IMAP server")],
    username: Annotated[str, typer.Option(help="whose mailbox")],
    password: Annotated[str, typer.Option(envvar="TIDINGS_IMAP_PASSWORD", help="better through the environment")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 993,
    tls: Annotated[str, typer.Option(help="implicit, starttls or none")] = "implicit",
    auth: Annotated[str, typer.Option(help="password, or xoauth2: the password is an access token")] = "password",
    folder: Annotated[str, typer.Option(help="what is read")] = "INBOX",
    move_to: Annotated[str, typer.Option(help="a folder for reports that were read; empty: they are deleted")] = "",
    every: Annotated[int, typer.Option(min=60, max=86_400, help="seconds between two looks")] = 300,
    workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "",
) -> None:
    """Read reports out of a mailbox from now on; mail of people in it is left alone."""
    from tidings.manage import add_mailbox

    told = {"host": host, "port": port, "tls": tls, "username": username, "password": password, "auth": auth}
    told |= {"folder": folder, "move_to": move_to, "every_seconds": every}
    typer.echo(_run(add_mailbox(_settings(), workspace=workspace, settings_of_it=told)))


@mailboxes.command("list")
def mailbox_list(workspace: Annotated[str, typer.Option(help="the workspace's name or id")] = "") -> None:
    """Show the mailboxes, when each was read last, and what is wrong with it."""
    from tidings.manage import show_mailboxes

    for line in _run(show_mailboxes(_settings(), workspace=workspace)):
        typer.echo(line)


@mailboxes.command("set")
def mailbox_set(
    mailbox: Annotated[str, typer.Argument(help="its id, such as mailbox_1")],
    host: Annotated[str | None, typer.Option(help="the IMAP server")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    tls: Annotated[str | None, typer.Option(help="implicit, starttls or none")] = None,
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
    from tidings.manage import change_mailbox

    given = {"host": host, "port": port, "tls": tls, "username": username, "password": password, "auth": auth}
    given |= {"folder": folder, "move_to": move_to, "every_seconds": every}
    changes = {name: value for name, value in given.items() if value is not None}
    typer.echo(_run(change_mailbox(_settings(), workspace=workspace, mailbox=mailbox, changes=changes)))


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


@doctor.command("domain")
def doctor_domain(
    domain: Annotated[str, typer.Argument(help="what stands after the @ of your senders")],
    selector: Annotated[list[str] | None, typer.Option(help="of a DKIM key; may be repeated")] = None,
    ip: Annotated[str | None, typer.Option(help="an address that mail leaves from")] = None,
    return_path: Annotated[str | None, typer.Option(help="the envelope sender's domain, if it is another")] = None,
    json: Json = False,
) -> None:
    """Ask the DNS what receivers will ask, and say what to mend. The exit status is 1 if anything fails."""
    from tidings.doctor import run

    if not _run(run(domain=domain, selectors=selector or [], ip=ip, return_path=return_path, json=json)):
        raise typer.Exit(1)


@bench.command("send")
def bench_send(
    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="the server to send to")],
    recipients: Annotated[int, typer.Option(min=1)] = 100_000,
    size: Annotated[str, typer.Option(help="5kb or 50kb")] = "5kb",
    workers: Annotated[int, typer.Option(min=1, max=64, help="send processes")] = 1,
    connections: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    json: Json = False,
) -> None:
    """Send a launched campaign with the real roles into any SMTP server, and measure."""
    from tidings.bench.send import run

    host, port = _server(smtp)
    _run(
        run(
            host=host,
            port=port,
            recipients=recipients,
            size=size,
            workers=workers,
            connections=connections,
            json=json,
        )
    )


@bench.command("campaigns")
def bench_campaigns(
    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="the server to send to")],
    count: Annotated[int, typer.Option(min=1, help="campaigns due at once")] = 10_000,
    recipients: Annotated[int, typer.Option(min=1, help="of each")] = 20,
    workspaces: Annotated[int, typer.Option(min=1)] = 100,
    workers: Annotated[int, typer.Option(min=1, max=64, help="send processes")] = 1,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="of each workspace's provider")] = 10,
    json: Json = False,
) -> None:
    """Send thousands of small campaigns that are due at the same moment, and measure how long each waits."""
    from tidings.bench.campaigns import run

    host, port = _server(smtp)
    _run(
        run(
            host=host,
            port=port,
            count=count,
            recipients=recipients,
            workspaces=workspaces,
            workers=workers,
            connections=connections,
            json=json,
        )
    )


@bench.command("import")
def bench_import(
    rows: Annotated[int, typer.Option(min=1000, help="rows of the file")] = 1_000_000,
    with_list: Annotated[bool, typer.Option("--with-list", help="put everybody on a list as well")] = False,
    json: Json = False,
) -> None:
    """Import a file with the real roles, twice, beside a bare COPY of the same rows into the same table, and measure."""
    from tidings.bench.imports import run

    _run(run(rows=rows, with_list=with_list, json=json))


@bench.command("render")
def bench_render(
    seconds: Annotated[float, typer.Option(min=0.05, help="of measuring for each figure")] = 0.5,
    json: Json = False,
) -> None:
    """Measure what a message costs to build, beside python-liquid, Jinja2 and the standard library in the same run."""
    from tidings.bench.render import run

    run(seconds=seconds, json=json)


@bench.command("segments")
def bench_segments(
    contacts: Annotated[int, typer.Option(min=1000, help="contacts of the workspace")] = 1_000_000,
    events: Annotated[int, typer.Option(min=1000, help="opens and clicks")] = 10_000_000,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="times that each is counted")] = 5,
    only: Annotated[str, typer.Option(metavar="TEXT", help="only kinds whose name has this in it")] = "",
    json: Json = False,
) -> None:
    """Count each documented kind of condition on a large workspace, and measure."""
    from tidings.bench.segments import run

    _run(run(contacts=contacts, events=events, repeat=repeat, only=only, json=json))


@app.command()
def render(
    jsonl: Annotated[bool, typer.Option("--jsonl", help="one JSON object a line, the only form there is")] = False,
    html: Annotated[bool, typer.Option("--html", help="escape values, as the HTML of a message does")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="writing what is undefined is an error")] = False,
) -> None:
    """Render Liquid by the code that fills in messages: {"template", "data", "templates"} a line of standard input.

    Writes {"output"} or {"error"} for each line, whatever is in it. `templates` are what `render` and `include` find, by name.
    """
    from tidings.content import render_line

    if not jsonl:
        raise typer.BadParameter("say --jsonl", param_hint="--jsonl")
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(render_line(line, html=html, strict=strict) + b"\n")
        sys.stdout.buffer.flush()


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="HTML, MJML, Markdown or a block document as JSON")],
    subject: Annotated[str, typer.Option(help="the subject to check with it")] = "A subject",
    json: Annotated[bool, typer.Option("--json", help="one JSON object instead of a table")] = False,
) -> None:
    """Check a message's content before it is sent: links, images, clients, contrast, size. Ends with 1 if there is an error."""
    from tidings.checking import check_file, show

    async def checked() -> bool:
        report = await check_file(file, subject=subject)
        show(report, json=json)
        return report.ok

    if not _run(checked()):
        raise typer.Exit(1)


@app.command("classify")
def classify_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="messages, folders of them, .mbox files; - for standard input")
    ],
) -> None:
    """Say what messages that came back are: bounces, complaints, automatic replies. One JSON object a message."""
    import orjson

    from tidings.delivery.bounces import classify, split_mbox

    names = (str(p) for f in files for p in (sorted(Path(f).rglob("*")) if Path(f).is_dir() else [f]))
    for name in names:
        if name != "-" and not Path(name).is_file():
            if Path(name).is_dir():
                continue
            raise typer.BadParameter(f"there is no file {name!r}", param_hint="FILE")
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        for message in split_mbox(raw) if name.endswith(".mbox") else [raw]:
            told = {"file": os.fsencode(name).decode("utf-8", "replace"), **classify(message).as_dict()}
            sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    sys.stdout.buffer.flush()


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise typer.BadParameter("give HOST:PORT, such as 127.0.0.1:2525", param_hint="--smtp")
    return host or "127.0.0.1", int(port)


def _settings() -> Settings:
    with _in_sentences():
        settings = read_settings(os.environ)
    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return settings.model_copy(update={"data_dir": Path(settings.data_dir).absolute()})


def _run(work: Coroutine[Any, Any, T]) -> T:
    import uvloop

    with _in_sentences():
        return uvloop.run(work)


@contextlib.contextmanager
def _in_sentences() -> Generator[None, None, None]:
    """What went wrong as a sentence and a status, not as a traceback. Defects still show theirs."""
    from tidings.core.errors import TidingsError

    try:
        yield
    except TidingsError as error:
        typer.secho(error.message, fg="red", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()

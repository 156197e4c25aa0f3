"""`tidings`: the command line. Each command reads settings, makes one call, prints what came of it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tidings.cli._bench import bench
from tidings.cli._blocks import blocks
from tidings.cli._content import campaigns, templates
from tidings.cli._files import attachments, media
from tidings.cli._running import in_sentences
from tidings.cli._running import run as _run
from tidings.cli._running import settings as _settings
from tidings.cli._ways import mailboxes, providers, routes

app = typer.Typer(no_args_is_help=True, add_completion=False, help=(__doc__ or "").split("\n", 1)[0])
keys = typer.Typer(no_args_is_help=True, help="API keys.")
doctor = typer.Typer(no_args_is_help=True, help="Look whether everything is in order.")
app.add_typer(keys, name="key")
app.add_typer(providers, name="provider")
app.add_typer(routes, name="route")
app.add_typer(mailboxes, name="mailbox")
app.add_typer(templates, name="template")
app.add_typer(blocks, name="block")
app.add_typer(campaigns, name="campaign")
app.add_typer(media, name="media")
app.add_typer(attachments, name="attachment")
app.add_typer(bench, name="bench")
app.add_typer(doctor, name="doctor")

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
    from tidings.cli.importing import Wanted, run

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
    from tidings.cli.exporting import Wanted, run

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

    with in_sentences():
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
    from tidings.cli.manage import create_key

    scopes = [*(scope or ["*"]), *(["operator"] if operator else [])]
    typer.echo(_run(create_key(_settings(), workspace=workspace, name=name, scopes=scopes)))


@doctor.command("domain")
def doctor_domain(
    domain: Annotated[str, typer.Argument(help="what stands after the @ of your senders")],
    selector: Annotated[list[str] | None, typer.Option(help="of a DKIM key; may be repeated")] = None,
    ip: Annotated[str | None, typer.Option(help="an address that mail leaves from")] = None,
    return_path: Annotated[str | None, typer.Option(help="the envelope sender's domain, if it is another")] = None,
    json: Json = False,
) -> None:
    """Ask the DNS what receivers will ask, and say what to mend. The exit status is 1 if anything fails."""
    from tidings.cli.doctor import run

    if not _run(run(domain=domain, selectors=selector or [], ip=ip, return_path=return_path, json=json)):
        raise typer.Exit(1)


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
    from tidings.cli.checking import check_file, show

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
    """Say what messages that came back are: bounces, complaints, automatic replies. One JSON object a message.

    A file that cannot be read is named, and the others are read; it ends with 1 then.
    """
    import orjson

    from tidings.delivery.bounces import classify, split_mbox

    # Within a folder, pipes and sockets are left out: nobody may ever write to them.
    names = [
        str(p)
        for f in files
        for p in (sorted(p for p in Path(f).rglob("*") if p.is_file() or not p.exists()) if Path(f).is_dir() else [f])
    ]
    unread = False
    for name in names:
        try:
            raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:  # the others are read all the same
            unread = True
            typer.echo(f"{name}: cannot be read: {error.strerror}", err=True)
            continue
        for message in split_mbox(raw) if name.endswith(".mbox") else [raw]:
            told = {"file": os.fsencode(name).decode("utf-8", "replace"), **classify(message).as_dict()}
            sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    sys.stdout.buffer.flush()
    if unread:
        raise typer.Exit(1)


def main() -> None:
    """The entry point."""
    app()

"""Commands that measure: `tidings bench …`."""

from typing import Annotated

import typer

from tidings.cli._running import run as _run

bench = typer.Typer(no_args_is_help=True, help="Measure this installation.")

Json = Annotated[bool, typer.Option("--json", help="print one JSON object as the last line of standard output")]


@bench.command("send")
def bench_send(
    smtp: Annotated[str, typer.Option(metavar="HOST:PORT", help="the server to send to")] = "",
    ses: Annotated[str, typer.Option(metavar="URL", help="instead: what speaks as Amazon SES does")] = "",
    recipients: Annotated[int, typer.Option(min=1)] = 100_000,
    size: Annotated[str, typer.Option(help="5kb or 50kb")] = "5kb",
    workers: Annotated[int, typer.Option(min=1, max=64, help="send processes")] = 1,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="of each provider")] = 10,
    dkim: Annotated[str, typer.Option(help="sign with rsa, ed25519 or rsa,ed25519")] = "",
    providers: Annotated[int, typer.Option(min=1, max=32, help="in turn, each with limits, if more than one")] = 1,
    json: Json = False,
) -> None:
    """Send a launched campaign with the real roles into any SMTP server, and measure."""
    from tidings.bench.send import run
    from tidings.delivery import DkimAlgorithm

    if bool(smtp) == bool(ses):
        raise typer.BadParameter("give either --smtp HOST:PORT or --ses URL", param_hint="--smtp")
    try:
        algorithms = [DkimAlgorithm(name) for name in dkim.split(",") if name]
    except ValueError:
        raise typer.BadParameter("give rsa, ed25519 or rsa,ed25519", param_hint="--dkim") from None
    _run(
        run(
            smtp=_server(smtp) if smtp else ("127.0.0.1", 25),
            ses=ses,
            recipients=recipients,
            size=size,
            workers=workers,
            connections=connections,
            dkim=algorithms,
            providers=providers,
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
    beside: Annotated[int, typer.Option(min=0, help="recipients of a large campaign that goes out meanwhile")] = 0,
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
            beside=beside,
            json=json,
        )
    )


@bench.command("import")
def bench_import(
    rows: Annotated[int, typer.Option(min=1000, help="rows of the file")] = 1_000_000,
    with_list: Annotated[bool, typer.Option("--with-list", help="put everybody on a list as well")] = False,
    lists_column: Annotated[bool, typer.Option("--lists-column", help="a column of the file names a list")] = False,
    json: Json = False,
) -> None:
    """Import a file with the real roles, twice, beside a bare COPY of the same rows into the same table, and measure."""
    from tidings.bench.imports import run

    _run(run(rows=rows, with_list=with_list, lists_column=lists_column, json=json))


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


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise typer.BadParameter("give HOST:PORT, such as 127.0.0.1:2525", param_hint="--smtp")
    return host or "127.0.0.1", int(port)

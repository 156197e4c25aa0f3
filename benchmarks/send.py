"""The whole product beside smtp-source: `tidings bench send` and Postfix's C client into the same sink, in turns.

    python benchmarks/send.py                      # 5 KB and 50 KB, 100,000 recipients, three rounds
    python benchmarks/send.py --recipients 1000000 --sizes 5kb --rounds 1
    python benchmarks/send.py --sizes 5kb --dkim rsa,ed25519
    python benchmarks/send.py --sizes 5kb --providers 20
    python benchmarks/send.py --sizes 5kb --ses            # an HTTP stub instead of smtp-sink, in Python

Both send over 10 connections. smtp-source is given the size that our messages really have, and `-d`, which keeps its
connections open. Prints a table, and one JSON object as the last line. smtp-sink and smtp-source come with Postfix.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tidings.bench import message_size

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
CONNECTIONS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--sizes", nargs="+", default=["5kb", "50kb"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--dkim", default="", help="rsa, ed25519 or rsa,ed25519")
    parser.add_argument("--providers", type=int, default=1)
    parser.add_argument("--ses", action="store_true")
    options = parser.parse_args()
    results = {size: _compare(size, options) for size in options.sizes}
    _show(results)
    print(json.dumps(results))


def _compare(size: str, options: argparse.Namespace) -> dict[str, object]:
    ours: list[dict[str, float]] = []
    theirs: list[float] = []
    length = message_size(size)
    for _ in range(options.rounds):
        with _sink() as port:
            theirs.append(_smtp_source(port, length, min(options.recipients, 100_000)))
            if not options.ses:
                ours.append(_tidings(["--smtp", f"127.0.0.1:{port}"], size, options))
        if options.ses:
            with _ses() as port:
                ours.append(_tidings(["--ses", f"http://127.0.0.1:{port}"], size, options))
    rates = [one["messages_per_second"] for one in ours]
    best = max(ours, key=lambda one: one["messages_per_second"])
    return {
        "message_bytes": length,
        "recipients": options.recipients,
        "tidings_per_second": rates,
        "smtp_source_per_second": [round(rate) for rate in theirs],
        # The machine's speed changes from minute to minute: a ratio of neighbours, and the middle one of these.
        "ratio": round(statistics.median(a / b for a, b in zip(rates, theirs, strict=True)), 2),
        "launch_seconds": best["launch_seconds"],
        "cpu_seconds": best["cpu_seconds"],
        "peak_memory_mb": best["peak_memory_mb"],
    }


@contextmanager
def _sink() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([_tool("smtp-sink"), *user, f"127.0.0.1:{port}", "1000"])
    try:
        _until_open(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _ses() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("ses_stub.py")), str(port)])
    try:
        _until_open(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _smtp_source(port: int, length: int, count: int) -> float:
    words = ["-d", "-s", str(CONNECTIONS), "-m", str(count), "-l", str(length)]
    begun = time.perf_counter()
    subprocess.run(
        [_tool("smtp-source"), *words, "-f", "a@example.org", "-t", "b@example.com", f"127.0.0.1:{port}"], check=True
    )
    return count / (time.perf_counter() - begun)


def _tidings(where: list[str], size: str, options: argparse.Namespace) -> dict[str, float]:
    words = [*where, "--recipients", str(options.recipients), "--size", size]
    words += ["--providers", str(options.providers)]
    words += ["--dkim", options.dkim] if options.dkim else []
    words += ["--workers", str(options.workers), "--connections", str(CONNECTIONS), "--json"]
    command = [str(Path(sys.executable).with_name("tidings")), "bench", "send", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _until_open(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the sink did not start")


def _tool(name: str) -> str:
    found = shutil.which(name, path=SBIN)
    if found is None:
        raise SystemExit(f"{name} is missing: it comes with Postfix")
    return found


def _show(results: dict[str, dict[str, object]]) -> None:
    table = Table(title="Messages a second into smtp-sink, 10 connections")
    for name in ("size", "bytes", "Tidings", "smtp-source", "ratio", "worker CPU µs/message", "launch s"):
        table.add_column(name, justify="right")
    for size, one in results.items():
        cpu = sum(seconds for name, seconds in one["cpu_seconds"].items() if name.startswith("send"))
        table.add_row(
            size,
            f"{one['message_bytes']:,}",
            ", ".join(f"{rate:,}" for rate in one["tidings_per_second"]),
            ", ".join(f"{rate:,}" for rate in one["smtp_source_per_second"]),
            f"{one['ratio']:.2f}",
            f"{cpu / one['recipients'] * 1e6:.0f}",
            str(one["launch_seconds"]),
        )
    Console(stderr=True).print(table)


if __name__ == "__main__":
    main()

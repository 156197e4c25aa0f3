"""The SMTP client alone: messages a second and CPU a message into Postfix's smtp-sink, beside smtp-source (C).

Both send the same size over the same number of sessions into the same sink, one after the other, in one run:

    python benchmarks/smtp_client.py --size 5000 --count 50000
    python benchmarks/smtp_client.py --smtp 127.0.0.1:2525   # into any server; the ratio is left out

smtp-sink and smtp-source come with Postfix (Debian: /usr/sbin). As root they want `-u nobody`, which this passes.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from itertools import count
from pathlib import Path

import uvloop

from tidings.delivery.providers import Accepted, Outcome, Outgoing, open_provider

_SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


class CountingSource:
    """`total` copies of one message, each to a recipient of its own."""

    def __init__(self, message: bytes, total: int) -> None:
        self._message = message
        self._total = total
        self._numbers = count(1)
        self.answered = 0
        self.others: dict[str, int] = {}
        self.done = asyncio.Event()

    def next(self) -> Outgoing | None:
        """One more, until there are no more."""
        n = next(self._numbers)
        if n > self._total:
            return None
        return Outgoing(b"news@example.com", b"reader%d@example.com" % n, self._message, utf8=False)

    def transmitting(self, job: Outgoing) -> bool:  # noqa: ARG002
        """Nobody leaves."""
        return True

    def settle(self, job: Outgoing, outcome: Outcome) -> None:  # noqa: ARG002
        """Count."""
        if not isinstance(outcome, Accepted):
            self.others[repr(outcome)] = self.others.get(repr(outcome), 0) + 1
        self.answered += 1
        if self.answered == self._total:
            self.done.set()

    def give_back(self, job: Outgoing) -> None:  # noqa: ARG002
        """A benchmark against a healthy server gives nothing back."""
        raise AssertionError("given back")


def message_of(size: int) -> bytes:
    """About `size` octets of headers and 76-column lines."""
    head = b"From: news@example.com\r\nTo: reader@example.com\r\nSubject: News\r\nMessage-ID: <1@example.com>\r\n\r\n"
    line = b"x" * 74 + b"\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


async def measure(host: str, port: int, size: int, total: int, connections: int) -> dict[str, float]:
    """Send, and say what it cost this process."""
    source = CountingSource(message_of(size), total)
    provider = open_provider(
        "smtp",
        {"host": host, "port": port, "tls": "none", "connections": connections, "messages_per_connection": 1_000_000},
    )
    cpu, begun = time.process_time(), time.perf_counter()
    provider.start(source)
    await source.done.wait()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    await provider.close(grace_seconds=5)
    if source.others:
        raise SystemExit(f"not all accepted: {source.others}")
    return {"messages_per_second": round(total / seconds), "cpu_us_per_message": round(cpu / total * 1e6, 1)}


def smtp_source(host: str, port: int, size: int, total: int, connections: int) -> float:
    """Messages a second that Postfix's own generator reaches."""
    program = shutil.which("smtp-source", path=_SBIN)
    if program is None:
        raise SystemExit("smtp-source is not installed (Debian: apt-get install postfix)")
    # -d: sessions are kept, as ours are.
    command = [program, "-d", "-s", str(connections), "-m", str(total), "-l", str(size), f"{host}:{port}"]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return total / (time.perf_counter() - begun)


def start_sink(port: int) -> subprocess.Popen[bytes]:
    """smtp-sink on loopback, as the user nobody if we are root."""
    program = shutil.which("smtp-sink", path=_SBIN)
    if program is None:
        raise SystemExit("smtp-sink is not installed (Debian: apt-get install postfix)")
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen([program, *as_user, f"127.0.0.1:{port}", "1000"], cwd="/tmp")
    for _ in range(100):
        with socket.socket() as probe:
            if sink.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0:
                return sink
        time.sleep(0.05)
    raise SystemExit("smtp-sink did not start")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_of(pid: int) -> float:
    """CPU seconds of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--smtp", default="", help="HOST:PORT of a running server instead of a fresh smtp-sink")
    options = parser.parse_args()
    host, _, port = options.smtp.rpartition(":")
    host, number = (host, int(port)) if options.smtp else ("127.0.0.1", free_port())
    sink = None if options.smtp else start_sink(number)
    try:
        for _ in range(options.rounds):
            ours = uvloop.run(measure(host, number, options.size, options.count, options.connections))
            report = {"size": options.size, "connections": options.connections, **ours}
            if sink is not None:
                before = cpu_of(sink.pid)
                source = smtp_source(host, number, options.size, options.count, options.connections)
                report["smtp_source_messages_per_second"] = round(source)
                report["sink_us_per_message_of_smtp_source"] = round(
                    (cpu_of(sink.pid) - before) / options.count * 1e6, 1
                )
                report["ratio_to_smtp_source"] = round(ours["messages_per_second"] / source, 2)
            print(json.dumps(report))
    finally:
        if sink is not None:
            sink.terminate()
            sink.wait()


if __name__ == "__main__":
    main()

"""Notifications a second that one edge process verifies, stores and acknowledges, and that one conductor applies.

    .venv/bin/python benchmarks/notifications.py [--events 60000] [--connections 64] [--batch 1]

An embedded PostgreSQL with the settings it ships with, `tidings role edge` as a process of its own, and this process as
Mailgun (`--batch 1`: an event a request, each with a signature) or SendGrid (`--batch 100`: signed batches). Each event
is of a delivery of its own that waits in `sent`. Prints one JSON object: events a second acknowledged and applied, the CPU
seconds of each process, and whether every acknowledged event arrived (`equal`).
"""

import argparse
import asyncio
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from secrets import token_hex

import psutil
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres
from tidings.delivery._wire import id_mac
from tidings.tracking import Tokens
from tidings.up import free_ports

SECRET = "measured"
KEYS = Keyring(SECRET)
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
KINDS = {
    "mailgun": ({"domain": "mg.example.com"}, {"api_key": "key", "signing_key": "signing"}),
    "sendgrid": ({"verification_key": PUBLIC}, {"api_key": "key"}),
}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tidings-notifications-"))
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        url = await postgres.start()
        await migrate(url)
        db = await Database.open(url, size=4)
        print(json.dumps(await measure(db, url, folder, postgres, given)))
        await db.close()
    finally:
        await postgres.stop()
        for made in (folder, postgres.folder):
            shutil.rmtree(made, ignore_errors=True)


async def measure(db: Database, url: str, folder: Path, postgres: EmbeddedPostgres, given) -> dict:
    kind = "mailgun" if given.batch == 1 else "sendgrid"
    workspace, send, path = await prepare(db, kind, given.events)
    requests = [
        request(kind, path, events(kind, workspace, send, range(first, min(first + given.batch, given.events + 1))))
        for first in range(1, given.events + 1, given.batch)
    ]
    (port,) = free_ports(1)
    settings = {
        "TIDINGS_DATABASE_URL": url, "TIDINGS_DATA_DIR": str(folder), "TIDINGS_EDGE_PORT": str(port),
        "TIDINGS_SECRET": SECRET,
    }  # fmt: skip
    edge = subprocess.Popen(
        [sys.executable, "-m", "tidings.cli", "role", "edge", "--writer", "100"],
        env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert edge.stdout.readline() == b"ready\n"
        before, began = cpu(edge, postgres), time.perf_counter()
        waiting = iter(requests)
        counts = await asyncio.gather(*(client(port, waiting) for _ in range(given.connections)))
        seconds, after = time.perf_counter() - began, cpu(edge, postgres)
    finally:
        edge.stdin.close()
        edge.wait(30)
        edge.stdout.close()
    applied = await apply(db, workspace, send, postgres)
    return {
        "kind": kind,
        "events_a_request": given.batch,
        "acknowledged_per_second": round(given.events / seconds),
        "requests_refused": len(requests) - sum(counts),
        "cpu_seconds": {name: round(after[name] - before[name], 1) for name in after},
        **applied,
        "equal": sum(counts) == len(requests) and applied["delivered"] == given.events,
    }


async def prepare(db: Database, kind: str, many: int) -> tuple[WorkspaceId, SendId, str]:
    config, secret = KINDS[kind]
    async with db.transaction() as tx:
        workspace = WorkspaceId(
            await tx.fetchval("INSERT INTO workspaces (name, created_at) VALUES ('Bench', now()) RETURNING id")
        )
        made = await delivery.add_provider(
            tx, workspace=workspace, name="p", kind=kind, config=config, secret=secret, is_default=True, keys=KEYS,
            by=SYSTEM(workspace), now=utc_now(),
        )  # fmt: skip
        send = await tx.fetchval(
            """INSERT INTO sends (workspace_id, campaign_id, provider_id, status, list_ids, recipients, created_at)
               VALUES ($1, 1, $2, 'done', '{}', $3, now()) RETURNING id""",
            workspace, made.id, many,
        )  # fmt: skip
        await tx.execute(
            """INSERT INTO deliveries (workspace_id, send_id, n, contact_id, state, at, attempts)
               SELECT $1, $2, n, n, 'sent', now(), 1 FROM generate_series(1, $3::integer) AS n""",
            workspace, send, many,
        )  # fmt: skip
        await tx.execute(
            "INSERT INTO send_counters (workspace_id, send_id, writer, sent) VALUES ($1, $2, 0, $3)",
            workspace, send, many,
        )  # fmt: skip
    async with db.connection() as connection:
        await connection.execute("VACUUM ANALYZE deliveries")
        await connection.execute("CHECKPOINT")
    return workspace, SendId(send), "/n/" + delivery.NotificationTokens(KEYS).make(workspace, made.id)


def events(kind: str, workspace: WorkspaceId, send: SendId, ns: range) -> list[dict]:
    token, now = Tokens(KEYS).for_send(workspace, send), time.time()
    found = []
    for n in ns:
        ours = f"{send}.{n}.{workspace}.{id_mac(token(n, 0)).decode()}@example.com"
        if kind == "sendgrid":
            found.append(
                {
                    "event": "delivered", "email": f"reader{n}@example.com", "sg_event_id": token_hex(16), "timestamp": int(now),
                    "sg_message_id": token_hex(16), "tidings_message_id": ours, "smtp-id": f"<{ours}>", "ip": "192.0.2.1",
                    "response": "250 2.0.0 OK 1700000000 a1-20020a000000000000b0000000000000si1234567abc.123 - gsmtp", "tls": 1,
                }
            )  # fmt: skip
        else:
            found.append(
                {
                    "event": "delivered", "id": token_hex(11), "timestamp": now, "recipient": f"reader{n}@example.com",
                    "log-level": "info", "recipient-domain": "example.com", "tags": [], "campaigns": [],
                    "user-variables": {"tidings_message_id": ours}, "flags": {"is-test-mode": False, "is-routed": False},
                    "envelope": {"sender": "news@mg.example.com", "transport": "smtp", "targets": f"reader{n}@example.com"},
                    "message": {"headers": {"message-id": ours, "from": "news@mg.example.com", "to": f"reader{n}@example.com",
                                            "subject": "News"}, "attachments": [], "size": 28_000},
                    "delivery-status": {"tls": True, "mx-host": "mx.example.com", "code": 250, "message": "OK", "attempt-no": 1,
                                        "session-seconds": 0.4, "certificate-verified": True},
                }
            )  # fmt: skip
    return found


def request(kind: str, path: str, told: list[dict]) -> bytes:
    stamp, headers = str(int(time.time())), ""
    if kind == "mailgun":
        token = token_hex(25)
        signature = hmac.digest(b"signing", f"{stamp}{token}".encode(), "sha256").hex()
        body = json.dumps(
            {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": told[0]}
        ).encode()
    else:
        body = json.dumps(told).encode()
        signed = b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
        prefix = "X-Twilio-Email-Event-Webhook-"
        headers = f"{prefix}Signature: {signed}\r\n{prefix}Timestamp: {stamp}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: e\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def client(port: int, waiting) -> int:
    """Over one connection, one request after the other; returns how many were acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    good = 0
    for one in waiting:
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        good += head.startswith(b"HTTP/1.1 200")
    writer.close()
    return good


async def apply(db: Database, workspace: WorkspaceId, send: SendId, postgres: EmbeddedPostgres) -> dict:
    ids, more = delivery.MessageIds(KEYS), True
    own, theirs, began = time.process_time(), backends(postgres), time.perf_counter()
    while more:
        async with db.transaction() as tx:
            more = await delivery.take_notifications(tx, ids=ids, now=utc_now())
    seconds = time.perf_counter() - began
    async with db.connection() as connection:
        counts = (await delivery.send_counts(connection, workspace=workspace, sends=[send]))[send]
    return {
        "applied_per_second": round(counts.delivered / seconds),
        "applying_cpu_seconds": {
            "conductor": round(time.process_time() - own, 1),
            "postgres": round(backends(postgres) - theirs, 1),
        },
        "delivered": counts.delivered,
    }


def cpu(edge: "subprocess.Popen[bytes]", postgres: EmbeddedPostgres) -> dict[str, float]:
    return {"edge": used(psutil.Process(edge.pid)), "postgres": backends(postgres), "client": time.process_time()}


def backends(postgres: EmbeddedPostgres) -> float:
    server = psutil.Process(postgres.process_id())
    return sum(used(process) for process in [server, *server.children()])


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    asyncio.run(main())

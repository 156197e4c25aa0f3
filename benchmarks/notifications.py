"""Notifications a second that one edge process verifies, stores and acknowledges, and that one conductor applies.

    .venv/bin/python benchmarks/notifications.py --kind mailgun|ses|sendgrid [--events 60000] [--bounces 0] [--connections 64]

An embedded PostgreSQL with the settings it ships with, `tidings role edge` as a process of its own, and this process as
Mailgun (an event a request, each with a signature), Amazon SES (the same, by SNS: RSA) or SendGrid (signed batches). Each event
is of a delivery of its own that waits in `sent`; `--bounces` of a hundred are hard ones, which suppress the contact.
What is left out of the edge's work for SES is one fetch of a certificate an hour. Prints one JSON object: events a second
acknowledged and applied, the CPU seconds of each process, and whether every acknowledged event arrived (`equal`).
"""

import argparse
import asyncio
import datetime as dt
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from secrets import token_hex

import psutil
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tidings import cli, delivery
from tidings.accounts import SYSTEM
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.ids import SendId, WorkspaceId
from tidings.core.migrations import migrate
from tidings.core.postgres import EmbeddedPostgres
from tidings.delivery.wire._wire import id_mac
from tidings.edge import _certificates
from tidings.tracking import Tokens
from tidings.up import free_ports

SECRET = "measured"
KEYS = Keyring(SECRET)
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:tidings"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-measured.pem"
KINDS = {
    "ses": ({"region": "eu-west-1", "topic_arns": [TOPIC]}, {"access_key_id": "id", "secret_access_key": "key"}),
    "mailgun": ({"domain": "mg.example.com"}, {"api_key": "key", "signing_key": "signing"}),
    "sendgrid": ({"verification_key": PUBLIC}, {"api_key": "key"}),
}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--kind", choices=sorted(KINDS), default="mailgun")
    parser.add_argument("--batch", type=int, default=100, help="events a request of SendGrid")
    parser.add_argument("--bounces", type=int, default=0, help="of a hundred events")
    given = parser.parse_args()
    given.batch = given.batch if given.kind == "sendgrid" else 1
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
    kind, key = given.kind, rsa.generate_private_key(65537, 2048)
    (folder / "sns.pem").write_bytes(certificate(key))
    workspace, send, path = await prepare(db, kind, given.events)
    requests = [
        request(
            kind, path, key,
            [
                event(kind, workspace, send, n, bounced=n % 100 < given.bounces)
                for n in range(first, min(first + given.batch, given.events + 1))
            ],
        )
        for first in range(1, given.events + 1, given.batch)
    ]  # fmt: skip
    (port,) = free_ports(1)
    settings = {
        "TIDINGS_DATABASE_URL": url, "TIDINGS_DATA_DIR": str(folder), "TIDINGS_EDGE_PORT": str(port),
        "TIDINGS_SECRET": SECRET,
    }  # fmt: skip
    edge = subprocess.Popen(
        [sys.executable, __file__, "--edge", str(folder / "sns.pem")],
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
        "bounces_of_a_hundred": given.bounces,
        "acknowledged_per_second": round(given.events / seconds),
        "requests_refused": len(requests) - sum(counts),
        "cpu_seconds": {name: round(after[name] - before[name], 1) for name in after},
        **applied,
        "equal": sum(counts) == len(requests) and applied["delivered"] + applied["bounced"] == given.events,
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
            """INSERT INTO contacts (workspace_id, id, email, address_hash, created_at, updated_at)
               SELECT $1, n, 'reader' || n || '@example.com', decode(md5(n::text), 'hex'), now(), now()
               FROM generate_series(1, $2::integer) AS n""",
            workspace, many,
        )  # fmt: skip
        await tx.execute(
            "INSERT INTO send_counters (workspace_id, send_id, writer, sent) VALUES ($1, $2, 0, $3)",
            workspace, send, many,
        )  # fmt: skip
    async with db.connection() as connection:
        await connection.execute("VACUUM ANALYZE deliveries")
        await connection.execute("CHECKPOINT")
    return workspace, SendId(send), "/n/" + delivery.NotificationTokens(KEYS).make(workspace, made.id)


def event(kind: str, workspace: WorkspaceId, send: SendId, n: int, *, bounced: bool) -> dict:
    token, now, address = Tokens(KEYS).for_send(workspace, send), time.time(), f"reader{n}@example.com"
    ours = f"{send}.{n}.{workspace}.{id_mac(token(n, 0)).decode()}@example.com"
    said = "550 5.1.1 The email account that you tried to reach does not exist. a1-20020a000000000000b0000000000000si1 - gsmtp"
    match kind:
        case "sendgrid":
            told = {
                "event": "delivered", "email": address, "sg_event_id": token_hex(16), "timestamp": int(now),
                "sg_message_id": token_hex(16), "tidings_message_id": ours, "smtp-id": f"<{ours}>", "ip": "192.0.2.1",
                "response": "250 2.0.0 OK 1700000000 a1-20020a000000000000b0000000000000si1234567abc.123 - gsmtp", "tls": 1,
            }  # fmt: skip
            if bounced:
                told |= {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": said,
                         "bounce_classification": "Invalid Address"}  # fmt: skip
            return told
        case "ses":
            at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            tag = urlsafe_b64encode(ours.encode()).decode().rstrip("=")
            mail = {
                "timestamp": at, "source": "news@example.com", "sendingAccountId": "123456789012", "messageId": token_hex(30),
                "destination": [address], "headersTruncated": False,
                "headers": [{"name": name, "value": "x" * 40} for name in ("From", "To", "Subject", "List-Unsubscribe", "Date")],
                "commonHeaders": {"from": ["news@example.com"], "to": [address], "messageId": ours, "subject": "News"},
                "tags": {"tidings_message_id": [tag], "ses:configuration-set": ["events"], "ses:source-ip": ["192.0.2.1"]},
            }  # fmt: skip
            if not bounced:
                detail = {"timestamp": at, "processingTimeMillis": 900, "recipients": [address],
                          "smtpResponse": "250 2.0.0 OK", "reportingMTA": "a1.smtp-out.amazonses.com"}  # fmt: skip
                return {"eventType": "Delivery", "mail": mail, "delivery": detail}
            recipient = {
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": f"smtp; {said}",
            }
            detail = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [recipient],
                      "timestamp": at, "feedbackId": token_hex(30), "reportingMTA": "dns; a1.amazonses.com"}  # fmt: skip
            return {"eventType": "Bounce", "mail": mail, "bounce": detail}
        case _:
            told = {
                "event": "delivered", "id": token_hex(11), "timestamp": now, "recipient": address,
                "log-level": "info", "recipient-domain": "example.com", "tags": [], "campaigns": [],
                "user-variables": {"tidings_message_id": ours}, "flags": {"is-test-mode": False, "is-routed": False},
                "envelope": {"sender": "news@mg.example.com", "transport": "smtp", "targets": address},
                "message": {"headers": {"message-id": ours, "from": "news@mg.example.com", "to": address,
                                        "subject": "News"}, "attachments": [], "size": 28_000},
                "delivery-status": {"tls": True, "mx-host": "mx.example.com", "code": 250, "message": "OK", "attempt-no": 1,
                                    "session-seconds": 0.4, "certificate-verified": True},
            }  # fmt: skip
            if bounced:
                told |= {"event": "failed", "severity": "permanent", "reason": "bounce"}
                told["delivery-status"] |= {"code": 550, "message": said, "enhanced-code": "5.1.1"}
            return told


def request(kind: str, path: str, key: rsa.RSAPrivateKey, told: list[dict]) -> bytes:
    stamp, headers = str(int(time.time())), ""
    match kind:
        case "mailgun":
            token = token_hex(25)
            signature = hmac.digest(b"signing", f"{stamp}{token}".encode(), "sha256").hex()
            signed = {"timestamp": stamp, "token": token, "signature": signature}
            body = json.dumps({"signature": signed, "event-data": told[0]}).encode()
        case "ses":
            at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            fields = {"Message": json.dumps(told[0]), "MessageId": token_hex(16), "Timestamp": at, "TopicArn": TOPIC,
                      "Type": "Notification"}  # fmt: skip
            text = "".join(f"{name}\n{value}\n" for name, value in fields.items()).encode()
            signature = b64encode(key.sign(text, padding.PKCS1v15(), SHA256())).decode()
            fields |= {"SignatureVersion": "2", "Signature": signature, "SigningCertURL": CERTIFICATE_URL}
            body = json.dumps(fields | {"UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?{TOPIC}"}).encode()
        case _:
            body = json.dumps(told).encode()
            signed = b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
            prefix = "X-Twilio-Email-Event-Webhook-"
            headers = f"{prefix}Signature: {signed}\r\n{prefix}Timestamp: {stamp}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: e\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


def edge_that_has_the_certificate(path: str) -> None:
    """`tidings role edge`, to which Amazon's certificate is the one that was made for this measurement."""

    made = Path(path).read_bytes()

    async def fetch(_: object, url: str) -> bytes:
        assert url == CERTIFICATE_URL
        return made

    _certificates.SnsClient._fetch = fetch
    sys.argv[1:] = ["role", "edge", "--writer", "100"]
    cli.main()


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
        "applied_per_second": round((counts.delivered + counts.bounced) / seconds),
        "applying_cpu_seconds": {
            "conductor": round(time.process_time() - own, 1),
            "postgres": round(backends(postgres) - theirs, 1),
        },
        "delivered": counts.delivered,
        "bounced": counts.bounced,
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
    if sys.argv[1:2] == ["--edge"]:
        edge_that_has_the_certificate(sys.argv[2])
    else:
        asyncio.run(main())

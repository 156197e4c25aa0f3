"""Providers that notify: signed as they sign, over real sockets, and Amazon SNS with an authority of our own."""

import asyncio
import hmac
import json
import ssl
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from socket import AF_INET
from typing import Any

import aiohttp
import aiohttp.abc
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from tidings.core.clock import utc_now

SNS = "sns.eu-west-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:tidings"
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
VERIFICATION_KEY = b64encode(
    SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
_KEY = rsa.generate_private_key(65537, 2048)


def certificate(
    name: str,
    key: rsa.RSAPrivateKey,
    *,
    issuer: "tuple[x509.Certificate, rsa.RSAPrivateKey] | None" = None,
    days: int = 9,
) -> x509.Certificate:
    """Of this name, signed by the issuer or by itself."""
    now = utc_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer[0].subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=20),
        now + timedelta(days=days),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer[1] if issuer else key, SHA256())


def sns(kind: str, message: str, *, key: rsa.RSAPrivateKey = _KEY, pem: str = "good", **changes: Any) -> bytes:
    """An envelope, signed as version 2 is."""
    fields = {
        "Type": kind,
        "MessageId": token_hex(8),
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-03-01T12:00:00.000Z",
    }
    signed = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    if kind != "Notification":
        fields |= {"Token": "t", "SubscribeURL": f"https://{SNS}/?Action=ConfirmSubscription&Token=t"}
        signed = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    fields |= changes
    text = "".join(f"{name}\n{fields[name]}\n" for name in signed)
    signature = b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()
    url = f"https://{SNS}/{pem}.pem"
    return json.dumps({**fields, "SignatureVersion": "2", "Signature": signature, "SigningCertURL": url}).encode()


def ses_event(kind: str, message_id: str, recipient: str, **more: Any) -> str:
    """What SES publishes about one of our messages."""
    tag = urlsafe_b64encode(message_id.encode()).decode().rstrip("=")
    mail = {"messageId": "0102", "destination": [recipient], "tags": {"tidings_message_id": [tag]}}
    return json.dumps({"eventType": kind, "mail": mail, **more})


def sendgrid(events: object, *, signed: bytes | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a POST of its event webhook."""
    body = json.dumps(events).encode()
    stamp = str(int(utc_now().timestamp()))
    signature = SENDGRID_KEY.sign(stamp.encode() + (body if signed is None else signed), ec.ECDSA(SHA256()))
    prefix = "X-Twilio-Email-Event-Webhook-"
    return body, {prefix + "Signature": b64encode(signature).decode(), prefix + "Timestamp": stamp}


def mailgun(event: object, *, key: str = "signing", token: str = "", age: int = 0) -> bytes:
    """Body of a POST of its webhook."""
    stamp, token = str(int(utc_now().timestamp()) - age), token or token_hex(25)
    signature = hmac.digest(key.encode(), f"{stamp}{token}".encode(), "sha256").hex()
    return json.dumps(
        {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event}
    ).encode()


@dataclass
class Amazon:
    """What was asked of SNS; `certificates` by name."""

    certificates: dict[str, bytes]
    fetched: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    broken: bool = False


class _Here(aiohttp.abc.AbstractResolver):
    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: Any = AF_INET) -> list[Any]:
        assert host == SNS, host
        return [{"hostname": host, "host": "127.0.0.1", "port": self._port, "family": AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def amazon(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncGenerator[Amazon, None]:
    """SNS on this machine, over TLS, with certificates of an authority of our own; the edge resolves its name to it."""
    root_key = rsa.generate_private_key(65537, 2048)
    root = certificate("Our own authority", root_key)
    host_key = rsa.generate_private_key(65537, 2048)
    served = certificate(SNS, host_key, issuer=(root, root_key))
    pem = {
        "good": [certificate("sns.amazonaws.com", _KEY, issuer=(root, root_key)), root],
        "stranger": [certificate("evil.example.com", _KEY, issuer=(root, root_key))],
        "expired": [certificate("sns.amazonaws.com", _KEY, issuer=(root, root_key), days=-1)],
        "broken_chain": [certificate("sns.amazonaws.com", _KEY, issuer=(root, root_key)), served],
    }
    here = Amazon({name: b"".join(one.public_bytes(Encoding.PEM) for one in chain) for name, chain in pem.items()})
    for name, content in {
        "root": root.public_bytes(Encoding.PEM),
        "host": served.public_bytes(Encoding.PEM)
        + host_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }.items():
        await asyncio.to_thread((folder / f"{name}.pem").write_bytes, content)

    async def answer(request: web.Request) -> web.Response:
        if here.broken:
            return web.Response(status=500)
        if request.path.endswith(".pem"):
            here.fetched.append(request.path)
            return web.Response(body=here.certificates[request.path[1:-4]])
        here.confirmed.append(request.query_string)
        return web.Response(text="<ConfirmSubscriptionResponse/>")

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "host.pem")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    trusted = ssl.create_default_context(cafile=str(folder / "root.pem"))
    monkeypatch.setattr(
        "tidings.edge._certificates.connector", lambda: aiohttp.TCPConnector(resolver=_Here(port), ssl=trusted)
    )
    try:
        yield here
    finally:
        await runner.cleanup()

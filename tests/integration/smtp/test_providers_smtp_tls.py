"""TLS and logins, against aiosmtpd (an independent server, in lock-step) and a pipelining server of our own."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripted_smtp import CheckingSource, Plan, World, job, run, serving
from tidings.delivery.providers import Accepted, HealthState, ProviderHealth, open_provider

USER, PASSWORD = "mailer", "correct horse ünïcode"


@dataclass(frozen=True, slots=True)
class Certificate:
    pem: str
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificate]:
    """Self-made, for localhost and 127.0.0.1."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    (folder / "cert.pem").write_text(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(pem, server)


class Inbox:
    """What aiosmtpd received."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes, str, bool]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        login = session.auth_data.decode() if isinstance(session.auth_data, bytes) else ""
        self.received.append((envelope.rcpt_tos[0], content, login, session.ssl is not None))
        return "250 2.0.0 taken"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    good = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
    return AuthResult(success=good, handled=False, auth_data=data.login)


class Running:
    """An aiosmtpd server on a free port."""

    def __init__(self, **options: Any) -> None:
        self.inbox = Inbox()
        self.options = options

    async def __aenter__(self) -> Self:
        self.protocols: list[SMTP] = []

        def make() -> SMTP:
            protocol = SMTP(self.inbox, enable_SMTPUTF8=True, timeout=30, **self.options)
            self.protocols.append(protocol)
            return protocol

        self.server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.server.close()
        for protocol in self.protocols:
            # One that is over: Python 3.11.2, Debian's, fails to abort it a second time.
            if protocol.transport is not None and not protocol.transport.is_closing():
                protocol.transport.abort()
        await asyncio.sleep(0.01)


async def send(port: int, count: int = 5, *, secret: dict[str, str] | None = None, **config: Any):
    source = CheckingSource([job(n) for n in range(1, count + 1)])
    settings = {"host": "127.0.0.1", "port": port, "connections": 2, **config}
    return await run(open_provider("smtp", settings, secret or {}), source)


async def why_unreachable(port: int, *, secret: dict[str, str] | None = None, **config: Any) -> str:
    """The sentence that health shows, for a server that cannot be used."""
    return (await unreachable(port, secret=secret, **config)).detail


async def unreachable(port: int, *, secret: dict[str, str] | None = None, **config: Any) -> ProviderHealth:
    """The health of a provider whose server cannot be used."""
    source = CheckingSource([job(1)])
    provider = open_provider("smtp", {"host": "127.0.0.1", "port": port, **config}, secret or {})
    provider.start(source)
    async with asyncio.timeout(5):
        while provider.health.state is not HealthState.UNREACHABLE:
            await asyncio.sleep(0.005)
    health = provider.health
    await provider.close(grace_seconds=1)
    assert source.pulled == 0
    return health


async def test_lockstep_without_tls_delivers_the_bytes() -> None:
    async with Running() as there:
        outcomes = await send(there.port, 20, tls="none")
        assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
        assert {(address, content) for address, content, _, _ in there.inbox.received} == {
            (f"reader{n}@reader.test", job(n).message) for n in range(1, 21)
        }


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_starttls_and_login(certificate: Certificate, mechanism: str) -> None:
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    async with Running(
        tls_context=certificate.server, require_starttls=True, authenticator=authenticate, auth_required=True,
        auth_exclude_mechanism=[other],
    ) as there:  # fmt: skip
        outcomes = await send(
            there.port,
            tls="starttls",
            username=USER,
            secret={"password": PASSWORD},
            ca_certificates=certificate.pem,
        )
        assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
        assert len(there.inbox.received) == 5
        assert all(login == USER and encrypted for _, _, login, encrypted in there.inbox.received)


async def test_a_wrong_password_is_told_and_not_tried_again_at_once(certificate: Certificate) -> None:
    async with Running(
        tls_context=certificate.server, require_starttls=True, authenticator=authenticate, auth_required=True
    ) as there:
        settings = {"tls": "starttls", "username": USER, "ca_certificates": certificate.pem}
        health = await unreachable(there.port, secret={"password": "wrong"}, **settings)
        assert "login refused: 535" in health.detail
        assert "wrong" not in health.detail
        assert health.retry_in_seconds is not None
        assert health.retry_in_seconds > 25


async def test_an_untrusted_certificate_is_refused_unless_told_otherwise(certificate: Certificate) -> None:
    async with Running(tls_context=certificate.server, require_starttls=True) as there:
        assert "not trusted" in await why_unreachable(there.port, tls="starttls")
        outcomes = await send(there.port, tls="starttls", verify=False)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())


async def test_starttls_is_required_or_opportunistic() -> None:
    async with Running() as there:
        assert "does not offer STARTTLS" in await why_unreachable(there.port, tls="starttls")
        outcomes = await send(there.port, tls="starttls", starttls="opportunistic")
        assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())


async def test_a_password_is_not_sent_where_no_login_is_offered() -> None:
    world = World({1: Plan()})
    async with serving(world):
        detail = await why_unreachable(world.port, tls="none", username=USER, secret={"password": PASSWORD})
        assert "offers no login" in detail
    assert world.commands["AUTH"] == 0


async def test_implicit_tls_with_pipelining(certificate: Certificate) -> None:
    text = b"Subject: large\r\n\r\n" + (b"z" * 998 + b"\r\n") * 200
    world = World({n: Plan() for n in range(1, 31)})
    async with serving(world, tls=certificate.server):
        settings = {"tls": "tls", "ca_certificates": certificate.pem, "connections": 3}
        provider = open_provider("smtp", {"host": "127.0.0.1", "port": world.port, **settings})
        outcomes = await run(provider, CheckingSource([job(n, text=text) for n in world.plans]))
    assert all(isinstance(outcome, Accepted) and f"n={n} " in outcome.reply for n, outcome in outcomes.items())
    assert len(world.texts) == 30
    assert all(received == text for _, received in world.texts)


async def test_words_slipped_in_before_tls_end_the_connection() -> None:
    """CVE-2011-0411: what an attacker appends to the 220 must not count as said under encryption."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-evil.test\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n250-evil.test\r\n250 AUTH PLAIN\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert "out of turn" in await why_unreachable(port, tls="starttls", username=USER, secret={"password": PASSWORD})
    server.close()
    await asyncio.sleep(0.01)

"""Reports that come in by SMTP and LMTP, over real sockets, with clients that are not ours (smtplib), and what they do."""

import asyncio
import re
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bounce_mails import GROUP, ORIGINAL, arf, dsn
from delivery_world import World, eventually, world
from tidings import delivery
from tidings.accounts import SYSTEM
from tidings.campaigns import CampaignStatus
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid
from tidings.core.ids import ContactId, SendId
from tidings.delivery.bounces import ReturnPaths
from tidings.inbound import Inbound, Listen, read_listen
from tidings.tracking import Subject, Tokens

DOMAIN = "bounces.example.org"
LISTEN = [Listen("127.0.0.1", 0, False), Listen("127.0.0.1", 0, True)]


@asynccontextmanager
async def listening(w: World, **more: Any) -> AsyncIterator[Inbound]:
    """A listener for a workspace whose domain names where reports come back to."""
    told = {"workspace": w.workspace, "by": SYSTEM(w.workspace), "now": utc_now()}
    async with w.app.db.transaction() as tx:
        added = await delivery.add_domain(tx, domain="example.org", made=[], keys=w.app.keys, **told)
        await delivery.set_return_path(tx, domain=added.id, return_path=DOMAIN, **told)
    inbound = await Inbound.start(w.app.db, listen=LISTEN, keys=w.app.keys, hostname="mx.example.org", **more)
    async with inbound:
        await eventually(_known(inbound), bool)
        yield inbound


def _known(inbound: Inbound) -> Any:
    async def look() -> bool:
        return inbound._known

    return look


async def post(port: int, recipients: list[str], message: str, *, lmtp: bool = False, sender: str = "") -> Any:
    """Hand a message over, and return who was refused."""

    def talk() -> Any:
        with (smtplib.LMTP if lmtp else smtplib.SMTP)("127.0.0.1", port, timeout=10) as client:
            return client.sendmail(sender, recipients, message.encode())

    return await asyncio.to_thread(talk)


def path_of(w: World, n: int = 1, contact: int = 1, send: int = 1, keys: Keyring | None = None) -> str:
    subject = Subject(w.workspace, SendId(send), n, ContactId(contact))
    return ReturnPaths(keys or w.app.keys).make(f"b@{DOMAIN}", subject, now=utc_now())


async def inbox(w: World) -> list[delivery.InboundMessage]:
    async with w.app.db.connection() as connection:
        return await delivery.list_inbound(connection, workspace=w.workspace, state=None, limit=100)


async def settled(w: World, many: int) -> list[delivery.InboundMessage]:
    """Oldest first, once so many are there and none waits."""
    found = await eventually(
        lambda: inbox(w), lambda some: len(some) == many and all(one.state != "waiting" for one in some)
    )
    return found[::-1]


async def statuses(w: World) -> dict[str, str]:
    async with w.app.db.connection() as connection:
        rows = await connection.fetch("SELECT email, status::text AS status FROM contacts")
    return {row["email"]: row["status"] for row in rows}


async def test_reports_change_deliveries_and_contacts(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w, listening(w) as inbound:
        await w.contacts(*(f"{name}@example.com" for name in ("ada", "bob", "cy", "dee", "eve")))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        paths = await _paths(w)
        smtp, lmtp = inbound.ports
        # A hard bounce that names somebody else: where it arrives decides.
        await post(smtp, [paths["ada"]], dsn(GROUP))
        await post(smtp, [paths["ada"]], dsn(GROUP))
        await post(lmtp, [paths["bob"]], arf("Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1"), lmtp=True)
        await post(smtp, [paths["cy"]], dsn(GROUP.replace("5.1.1", "4.2.2").replace("User unknown", "mailbox full")))
        await post(
            smtp, [paths["dee"]], "From: dee@example.com\nSubject: Re: News\nAuto-Submitted: auto-replied\n\nAway.\n"
        )
        # No return path of ours, but our Message-ID in what is given back.
        eve = next(one.message_id for one in w.server.accepted if one.recipient.startswith("eve"))
        await post(smtp, [f"fbl@{DOMAIN}"], dsn(GROUP, original=ORIGINAL.replace("<n1.2026@sender.example>", eve)))
        found = await settled(w, 5)
        assert [(one.kind, one.state) for one in found] == [
            ("bounce", "applied"),
            ("complaint", "applied"),
            ("bounce", "applied"),
            ("auto_reply", "ignored"),
            ("bounce", "applied"),
        ]
        assert await statuses(w) == {
            "ada@example.com": "bounced",
            "bob@example.com": "complained",
            "cy@example.com": "active",
            "dee@example.com": "active",
            "eve@example.com": "bounced",
        }
        states = {email: state for email, (state, _) in (await w.states()).items()}
        assert states == {
            "ada@example.com": "bounced",
            "bob@example.com": "delivered",
            "cy@example.com": "bounced",
            "dee@example.com": "delivered",
            "eve@example.com": "bounced",
        }
        await w.check_counters()


async def _paths(w: World) -> dict[str, str]:
    """The envelope sender of each recipient's message, by name."""
    async with w.app.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT c.email, d.n FROM deliveries AS d JOIN contacts AS c ON c.id = d.contact_id"
        )
    names = {row["n"]: row["email"].partition("@")[0] for row in rows}
    paths = ReturnPaths(w.app.keys)
    found: dict[str, str] = {}
    for sender in w.server.senders:
        subject = paths.read(sender, now=utc_now())
        assert subject is not None
        found[names[subject.n]] = sender
    return found


async def test_an_address_alone_never_suppresses_at_once(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w, listening(w) as inbound:
        await w.contacts("ada@reader.example", "bob@reader.example")
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        await post(inbound.ports[0], [f"postmaster@{DOMAIN}"], dsn(GROUP))
        await post(inbound.ports[0], [f"abuse@{DOMAIN}"], arf("Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1"))
        found = await settled(w, 2)
        assert [one.state for one in found] == ["applied", "unmatched"]
        assert set((await statuses(w)).values()) == {"active"}
        async with db.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM soft_bounces") == 1
            _, content = await delivery.get_inbound(connection, workspace=w.workspace, message=found[1].id)
        assert b"Feedback-Type: abuse" in content


async def test_takes_mail_for_nobody_else(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        good = path_of(w)
        forged = good.replace("b+", "b+a", 1)[: good.index("@") + 1].removesuffix("@") + f"@{DOMAIN}"
        strangers = [
            "ada@example.com",
            f"ada@{DOMAIN}",
            forged,
            path_of(w, keys=Keyring("another")),
            "postmaster@example.com",
            "postmaster",
            "b+unsubscribe@elsewhere.example",
        ]
        for stranger in strangers:
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                await post(inbound.ports[0], [stranger], "Subject: x\n\nx\n")
            assert [code for code, _ in refused.value.recipients.values()] == [550]
        answer = await post(inbound.ports[0], [good, "ada@example.com"], "Subject: x\n\nx\n")
        assert list(answer) == ["ada@example.com"]
        assert [one.recipient for one in await inbox(w)] == [good]


async def test_says_wait_while_the_database_is_away(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        async with db.connection() as connection:
            await connection.execute("ALTER TABLE inbound_messages RENAME TO gone")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await post(inbound.ports[0], [path_of(w)], dsn(GROUP))
        assert refused.value.smtp_code == 451
        with pytest.raises(smtplib.SMTPDataError):
            await post(inbound.ports[1], [path_of(w)], dsn(GROUP), lmtp=True)
        async with db.connection() as connection:
            await connection.execute("ALTER TABLE gone RENAME TO inbound_messages")
        await post(inbound.ports[0], [path_of(w)], dsn(GROUP))
        assert len(await inbox(w)) == 1


async def test_who_leaves_by_mail_is_out(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path) as w, listening(w) as inbound:
        ada, bob = await w.contacts("ada@example.com", "bob@example.com")
        token = Tokens(w.app.keys).for_send(w.workspace, SendId(7))(1, ada)
        forged = Tokens(Keyring("another")).for_send(w.workspace, SendId(7))(1, bob)
        for word in (f"unsubscribe {token}", f"unsubscribe {forged}"):
            mail = f"Subject: {word}\n\n"
            await post(inbound.ports[0], [f"b+unsubscribe@{DOMAIN}"], mail, sender="ada@example.com")
        assert [one.state for one in await settled(w, 2)] == ["applied", "unmatched"]
        assert await statuses(w) == {"ada@example.com": "unsubscribed", "bob@example.com": "active"}


_PAIR = re.compile(rb"List-Unsubscribe: <https?://[^<>]+/u/([\w-]+)>, <mailto:([^<>?]+)\?subject=([\w-]+)>\r\n")


async def test_what_list_unsubscribe_says_takes_its_reader_out_and_nobody_else(db: Database, tmp_path: Path) -> None:
    """From the header of a message that went out, by the reader's mail program, to the contact; programs ask for nothing."""
    async with world(db, tmp_path) as w, listening(w) as inbound:
        await w.contacts(*(f"{name}@example.com" for name in ("ada", "bob", "cy")))
        campaign = await w.campaign()
        await w.launch(campaign)
        await w.until(campaign, CampaignStatus.SENT)
        pairs = {one.recipient.partition("@")[0]: _PAIR.search(one.message) for one in w.server.accepted}
        tokens: dict[str, str] = {}
        for name, pair in pairs.items():
            assert pair is not None
            assert (pair[1], pair[2]) == (pair[3], f"b+unsubscribe@{DOMAIN}".encode())
            tokens[name] = pair[1].decode()
        assert len(set(tokens.values())) == 3
        to = f"b+unsubscribe@{DOMAIN}"
        await post(inbound.ports[0], [to], f"Subject: {tokens['ada']}\n\n", sender="ada@example.com")
        # A vacation notice and a report of failure with the token in their subjects, and a token with one letter changed.
        away = f"From: bob@example.com\nAuto-Submitted: auto-replied\nSubject: Re: {tokens['bob']}\n\nAway.\n"
        await post(inbound.ports[0], [to], away, sender="bob@example.com")
        await post(inbound.ports[0], [to], f"From: x@example.com\nSubject: {tokens['bob']}\n\n", sender="")
        changed = ("A" if tokens["cy"][0] != "A" else "B") + tokens["cy"][1:]
        await post(inbound.ports[0], [to], f"Subject: {changed}\n\n", sender="cy@example.com")
        assert sorted(one.state for one in await settled(w, 4)) == ["applied", "ignored", "ignored", "unmatched"]
        assert await statuses(w) == {
            "ada@example.com": "unsubscribed",
            "bob@example.com": "active",
            "cy@example.com": "active",
        }


async def _raw(port: int, *steps: bytes) -> bytes:
    """Send steps a moment apart, whatever is answered; all that was answered until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for step in steps:
        writer.write(step)
        await asyncio.sleep(0.05)
    writer.write(b"QUIT\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_conversations_over_the_wire(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        port, lmtp = inbound.ports
        path = path_of(w).encode()
        together = (
            b"EHLO a\r\nMAIL FROM:<> BODY=8BITMIME SIZE=9 SMTPUTF8\r\nRCPT TO:<%b>\r\nRCPT TO:<x@y.z>\r\nDATA\r\n"
            % path
        )
        answer = await _raw(port, together, b"..stuffed\nnot the end\n.\nMAIL FROM:<x@y.z>\r\n.", b"\r\nRSET\r\n")
        codes = [line[:3] for line in answer.split(b"\r\n") if line[3:4] == b" "]
        assert codes == [b"220", b"250", b"250", b"250", b"550", b"354", b"250", b"250", b"221"]
        (one,) = await inbox(w)
        async with db.connection() as connection:
            _, content = await delivery.get_inbound(connection, workspace=w.workspace, message=one.id)
        assert content == b".stuffed\nnot the end\n.\nMAIL FROM:<x@y.z>\r\n"
        for steps, code in (
            ((b"MAIL FROM:<>\r\n",), b"503 5.5.1"),
            ((b"EHLO a\r\nMAIL FROM:<> SIZE=99999999\r\n",), b"552 5.3.4"),
            ((b"EHLO a\r\nMAIL FROM:<> AUTH=x\r\n",), b"555 5.5.4"),
            ((b"EHLO a\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n",), b"503 5.5.1 nested"),
            ((b"EHLO a\r\nMAIL FROM:<>\r\nDATA\r\n",), b"554 5.5.1"),
            ((b"LHLO a\r\n",), b"500 5.5.1"),
            ((b"NONSENSE\r\n",), b"500 5.5.1"),
            ((b"STARTTLS\r\n",), b"502 5.5.1"),
            ((b"x" * 5000,), b"500 5.5.2"),
            ((b"\xff\xfe\r\n" * 30,), b"421 4.7.0"),
        ):
            assert code in await _raw(port, *steps), steps
        two = b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (path, path_of(w, 2).encode())
        answer = await _raw(lmtp, two, b"Subject: x\r\n\r\n.\r\n")
        assert answer.count(b"250 2.0.0 stored") == 2
        empty = b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % path
        assert b"250 2.0.0 stored" in await _raw(lmtp, empty, b".\r\n")


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\n\n.\r\n",
        b"\r\n\x00.\r\n",
        b"\r\n.\x00\r\n",
    ],
)
async def test_nothing_can_be_smuggled_behind_another_end(db: Database, tmp_path: Path, end: bytes) -> None:
    """Only CRLF.CRLF ends a text (RFC 5321 §4.1.1.4): else the second message would pass for one that we were handed."""
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        path, victim = path_of(w).encode(), path_of(w, 2).encode()
        second = b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\nSubject: smuggled\r\n" % victim
        start = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % path
        for pieces in (
            (start, b"Subject: x\r\n\r\nx" + end + second + b"\r\n.\r\n"),
            (start, b"x" + end, second, b"\r\n.\r\n"),
        ):
            answer = await _raw(inbound.ports[0], *pieces)
            assert answer.count(b"250 2.0.0 stored") == 1
        assert {one.recipient for one in await inbox(w)} == {path.decode()}


async def test_it_never_relays(db: Database, tmp_path: Path) -> None:
    """The routes around a refusal that relays were found by: source routes, percent signs, bangs, quotes, missing domains."""
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        tried = [
            b"ada@example.com", b"@%b:ada@example.com" % DOMAIN.encode(), b"ada%%example.com@%b" % DOMAIN.encode(),
            b"example.com!ada@%b" % DOMAIN.encode(), b'"ada@example.com"@%b' % DOMAIN.encode(), b'"ada@example.com"', b"ada",
            b"postmaster@%b@example.com" % DOMAIN.encode(), b"ada@example.com@%b" % DOMAIN.encode(), b"", b"@", b"abuse",
            b"%b@example.com" % path_of(w, keys=Keyring("another")).partition("@")[0].encode(),
        ]  # fmt: skip
        for recipient in tried:
            steps = b"EHLO a\r\nMAIL FROM:<spammer@example.net>\r\nRCPT TO:<%b>\r\nDATA\r\n" % recipient
            answer = await _raw(inbound.ports[0], steps)
            assert b"\r\n550 5.1.1" in answer or b"\r\n501 5.5.4" in answer, recipient
            assert b"\r\n354" not in answer, recipient
        assert await inbox(w) == []


async def test_chunks_are_not_offered_and_not_taken(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        answer = await _raw(
            inbound.ports[0],
            b"EHLO a\r\nMAIL FROM:<> BODY=BINARYMIME\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nBDAT 4 LAST\r\n"
            % path_of(w).encode(),
        )
        assert b"CHUNKING" not in answer
        assert b"\r\n555 5.5.4" in answer
        assert b"\r\n500 5.5.1" in answer
        assert await inbox(w) == []


async def test_one_host_cannot_take_all_connections_and_the_slow_are_hung_up_on(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.inbound._run._MOST_OF_ONE", 3)
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        inbound._rules = replace(inbound._rules, command_seconds=0.4)
        port = inbound.ports[0]
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        greetings = [await asyncio.wait_for(reader.readline(), 5) for reader, _ in opened]
        assert [line[:3] for line in greetings] == [b"220"] * 3 + [b"421"]
        # A byte now and then does not keep a connection open: the line has to come.
        for _ in range(3):
            opened[0][1].write(b"N")
            await asyncio.sleep(0.1)
        assert await asyncio.wait_for(opened[0][0].read(), 5) == b"421 4.4.2 too slow\r\n"
        for reader, writer in opened:
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
        assert b"220" in await _raw(port)


async def test_large_texts_are_read_by_their_head_and_those_too_large_refused(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, working=False) as w, listening(w) as inbound:
        line = "x" * 70 + "\n"
        await post(inbound.ports[0], [path_of(w)], "Subject: x\n\n" + line * 30_000)
        (one,) = await inbox(w)
        async with db.connection() as connection:
            _, content = await delivery.get_inbound(connection, workspace=w.workspace, message=one.id)
        assert len(content) == delivery.LARGEST_KEPT
        assert content.startswith(b"Subject: x\n\nxxx")
        large = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % path_of(w).encode()
        assert b"552 5.3.4" in await _raw(inbound.ports[0], large, (b"y" * 98 + b"\r\n") * 270_000 + b".\r\n")


async def test_starttls(db: Database, tmp_path: Path) -> None:
    context = _certificate(tmp_path)
    async with world(db, tmp_path, working=False) as w, listening(w, tls=context) as inbound:
        port = inbound.ports[0]

        def talk() -> None:
            client = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
                smtp.starttls(context=client)
                smtp.ehlo()
                assert not smtp.has_extn("starttls")
                smtp.sendmail("", [path_of(w)], dsn(GROUP))

        await asyncio.to_thread(talk)
        assert len(await inbox(w)) == 1


def _certificate(folder: Path) -> ssl.SSLContext:
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_where_to_listen() -> None:
    assert read_listen("127.0.0.1:25, lmtp:[::1]:24,") == [Listen("127.0.0.1", 25, False), Listen("::1", 24, True)]
    assert read_listen("") == []
    for wrong in ("25", "host", "host:", ":25", "host:x", "host:70000", "lmtp:24"):
        with pytest.raises(Invalid, match="TIDINGS_INBOUND_LISTEN"):
            read_listen(wrong)

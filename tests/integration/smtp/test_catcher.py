"""The catcher as a mail server, as a counter that survives, and as something to read."""

import asyncio
import contextlib
import os
import signal
import smtplib
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripted_smtp import CheckingSource, Job, job, run
from tidings.catcher import Catcher, Counts, Store
from tidings.catcher._smtp import CatcherSession, Writer
from tidings.delivery.providers import Accepted, Deferred, Fault, Rejected, open_provider


def message(n: int, *, recipient: str | None = None, body: str = "hello") -> Job:
    text = (
        f"From: News <news@sender.test>\r\nTo: <reader{n}@reader.test>\r\nSubject: =?utf-8?q?N=C3=BCmber_{n}?=\r\n"
        f"Message-ID: <{n}@sender.test>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        f"{body} {n}\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{body} {n}<script>1</script>\r\n--b--\r\n"
    )
    return job(n, text=text.encode(), recipient=(recipient or f"reader{n}@reader.test").encode())


def sender_to(catcher: Catcher, **config: Any):
    return open_provider(
        "smtp", {"host": "127.0.0.1", "port": catcher.smtp_port, "tls": "none", "connections": 3, **config}
    )


def counts(store: Store) -> dict[str, int]:
    now = store.counts()
    return {name: getattr(now, name) for name in ("unique_delivered", "duplicates", "rejected", "deferred")}


async def test_counts_and_verdicts(tmp_path: Path) -> None:
    jobs = [message(n) for n in range(1, 101)]
    jobs += [message(101, recipient="bounce101@reader.test"), message(102, recipient="Bounce.me@reader.test")]
    jobs += [message(103, recipient="defer103@reader.test")]
    async with await Catcher.start(data_dir=tmp_path) as catcher:
        outcomes = await run(sender_to(catcher), CheckingSource(jobs))
        assert all(isinstance(outcomes[n], Accepted) for n in range(1, 101))
        for n in (101, 102):
            assert isinstance(outcomes[n], Rejected)
            assert (outcomes[n].status, outcomes[n].fault) == ("5.1.1", Fault.RECIPIENT)
        assert isinstance(outcomes[103], Deferred)
        assert counts(catcher.store) == {"unique_delivered": 100, "duplicates": 0, "rejected": 2, "deferred": 1}

        again = await run(
            sender_to(catcher), CheckingSource([jobs[102], message(7), message(101, recipient="BOUNCE101@reader.test")])
        )
        assert isinstance(again[103], Accepted)
        assert counts(catcher.store) == {"unique_delivered": 101, "duplicates": 1, "rejected": 2, "deferred": 1}
        assert catcher.store.counts().rejections == 3
        before = catcher.store.counts()

    async with await Catcher.start(data_dir=tmp_path) as catcher:
        assert catcher.store.counts() == before
        entries = catcher.store.following(after=0, limit=500)
        assert [entry.id for entry in entries] == list(range(1, 103))
        texts = {entry.message_id: catcher.store.text(entry) for entry in entries}
        assert texts == {f"<{n}@sender.test>": message(n).message for n in (*range(1, 101), 103)}
        # Refused once is refused once, also by the catcher that comes after.
        outcomes = await run(sender_to(catcher), CheckingSource([jobs[102]]))
        assert isinstance(outcomes[103], Accepted)


async def test_an_independent_client_and_the_envelope(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@sender.test", "b@reader.test", "dots"
    mail["Message-ID"] = "<dots@sender.test>"
    mail.set_content(".\n..\n.leading\nend\n")

    def send(port: int) -> dict[str, Any]:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.ehlo()
            features = dict(client.esmtp_features)
            refused = client.send_message(mail, to_addrs=["b@reader.test", "c@reader.test", "bounce@reader.test"])
            assert refused == {"bounce@reader.test": (550, b"5.1.1 <bounce@reader.test>: no such mailbox here")}
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.send_message(mail, to_addrs=["bounce@reader.test"])
            client.send_message(mail, to_addrs=["d@reader.test"])
            return features

    async with await Catcher.start(data_dir=tmp_path) as catcher:
        features = await asyncio.to_thread(send, catcher.smtp_port)
        assert {"pipelining", "8bitmime", "size", "enhancedstatuscodes", "smtputf8"} <= features.keys()
        entries = catcher.store.following(after=0, limit=10)
        assert [entry.recipient for entry in entries] == ["b@reader.test", "c@reader.test", "d@reader.test"]
        text = catcher.store.text(entries[0])
        assert text is not None
        assert text.endswith(b"\r\n\r\n.\r\n..\r\n.leading\r\nend\r\n")
        assert catcher.store.counts().unique_delivered == 3


async def test_what_is_out_of_order_is_refused(tmp_path: Path) -> None:
    async with await Catcher.start(data_dir=tmp_path) as catcher:

        async def say(*lines: str) -> list[str]:
            """The codes of the replies, one a line."""
            reader, writer = await asyncio.open_connection("127.0.0.1", catcher.smtp_port)
            codes = [(await reader.readline())[:3].decode()]
            for line in lines:
                writer.write(line.encode() + b"\r\n")
                if reply := await reader.readline():
                    codes.append(reply[:3].decode())
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            return codes[1:]

        assert await say("RCPT TO:<a@b.test>", "DATA") == ["503", "503"]
        assert await say("MAIL FROM:<>", "MAIL FROM:<>", "DATA", "RSET", "DATA") == ["250", "503", "554", "250", "503"]
        assert await say("MAIL FROM: a@b.test", "MAIL FROM:<a b>", "NOSUCH", "NOOP") == ["501", "501", "502", "250"]
        assert await say("MAIL FROM:<a@b.test> SIZE=99999999", "X" * 5000) == ["552", "500"]
        impatient = "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nSubject: too early\r\n."
        assert await say(impatient) == ["250"]
        assert catcher.store.counts().messages == 0


class _Pipe(asyncio.Transport):
    """Where a session's replies go."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""

    def write(self, data: Any) -> None:
        self.said += data

    def is_closing(self) -> bool:
        return False


TEXT = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x", b"\r", b"\n", b"Message-ID: <1@x>"]), max_size=6)


@settings(max_examples=150, deadline=None, database=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), cuts=st.lists(st.integers(1, 400), max_size=40))
def test_however_it_is_cut_into_packets(texts: list[list[bytes]], cuts: list[int], tmp_path_factory: Any) -> None:
    messages = [b"".join(line + b"\r\n" for line in lines) for lines in texts]
    stuffed = [b"".join((b"." + line if line[:1] == b"." else line) + b"\r\n" for line in lines) for lines in texts]
    store = Store(tmp_path_factory.mktemp("cut"))

    async def talk() -> bytes:
        session, pipe = CatcherSession(Writer(store)), _Pipe()
        session.connection_made(pipe)
        for n, text in enumerate(stuffed):
            # As RFC 2920 allows: the text and the next envelope may share packets, DATA ends a group.
            envelope = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<%d@c.test>\r\nDATA\r\n" % n
            for stream in (envelope, text + b".\r\n"):
                at = 0
                for cut in [*cuts, len(stream)]:
                    if at < len(stream):
                        session.data_received(stream[at : at + cut])
                    at += cut
            await asyncio.sleep(0)
        return pipe.said

    said = asyncio.run(talk())
    assert said.count(b"250 2.0.0 caught\r\n") == len(texts)
    assert [store.text(entry) for entry in store.following(after=0, limit=10)] == messages
    store.close()


async def test_killed_at_random_it_has_everything_that_it_answered_for(tmp_path: Path) -> None:
    total = 3000
    program = (
        "import asyncio, pathlib, sys, uvloop\n"
        "from tidings.catcher import Catcher\n"
        "async def main():\n"
        "    catcher = await Catcher.start(data_dir=pathlib.Path(sys.argv[1]), smtp_port=int(sys.argv[2]))\n"
        "    print(catcher.smtp_port, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "uvloop.run(main())\n"
    )

    async def launch(port: int) -> tuple[asyncio.subprocess.Process, int]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path), str(port), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        return process, int(await process.stdout.readline())

    process, port = await launch(0)
    source = CheckingSource([message(n) for n in range(1, total + 1)])
    config = {"host": "127.0.0.1", "port": port, "tls": "none", "connections": 4}
    provider = open_provider("smtp", config)
    provider.start(source)
    await source.settled(700)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    process, _ = await launch(port)
    async with asyncio.timeout(20):
        await source.done.wait()
    await provider.close(grace_seconds=1)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()

    assert source.broken == []
    accepted = {f"<{n}@sender.test>" for n, outcome in source.outcomes.items() if isinstance(outcome, Accepted)}
    store = Store(tmp_path)
    kept = {e.message_id for at in range(0, total, 500) for e in store.following(after=at, limit=500)}
    assert accepted <= kept
    assert len(kept) == store.counts().unique_delivered
    # Nothing vanished: what is not accepted is one doubtful message a connection.
    assert total - len(accepted) <= 4
    store.close()


async def test_a_torn_record_at_the_end_is_forgotten(tmp_path: Path) -> None:
    async with await Catcher.start(data_dir=tmp_path) as catcher:
        await run(sender_to(catcher, connections=1), CheckingSource([message(1), message(2)]))
    whole = (tmp_path / "index.bin").read_bytes()
    for cut in (1, 20, len(whole) // 2 - 1):
        (tmp_path / "index.bin").write_bytes(whole[:-cut])
        store = Store(tmp_path)
        assert store.counts().messages == 1
        store.deliver(b"a", [b"b"], b"Subject: x\r\n\r\n", then=lambda: None)
        store.close()
        store = Store(tmp_path)
        assert [entry.recipient for entry in store.following(after=0, limit=5)] == ["reader1@reader.test", "b"]
        store.close()


def test_old_texts_go_and_counts_stay(tmp_path: Path) -> None:
    store = Store(tmp_path, keep_bytes=5000, file_bytes=1000)
    for n in range(100):
        store.deliver(b"a@b", [b"%d@c" % n], b"Message-ID: <%d>\r\n\r\n" % n + b"x" * 480, then=lambda: None)
        store.flush()
    assert store.counts().unique_delivered == 100
    assert sum(path.stat().st_size for path in tmp_path.glob("texts-*")) < 8000
    entries = store.newest(before=None, limit=100)
    texts = [store.text(entry) for entry in entries]
    assert all(text is not None and b"<%d>" % (99 - n) in text for n, text in enumerate(texts[:10]))
    assert texts[-1] is None
    store.close()
    again = Store(tmp_path, keep_bytes=5000, file_bytes=1000)
    assert again.counts().unique_delivered == 100
    assert again.text(entries[0]) == texts[0]
    again.delete_all()
    assert again.counts() == Counts(0, 0, 0, 0, 0, 0, 0)
    again.deliver(b"a@b", [b"new@c"], b"Message-ID: <new>\r\n\r\n", then=lambda: None)
    again.close()
    last = Store(tmp_path)
    assert [last.text(entry) for entry in last.following(after=0, limit=5)] == [b"Message-ID: <new>\r\n\r\n"]
    last.close()


async def test_a_disk_that_refuses_hangs_up_and_counts_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    async with await Catcher.start(data_dir=tmp_path) as catcher:
        await run(sender_to(catcher), CheckingSource([message(1)]))

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("tidings.catcher._texts.os.writev", full)
        source = CheckingSource([message(2)])
        outcomes = await run(sender_to(catcher), source)
        assert not isinstance(outcomes[2], Accepted)
        monkeypatch.undo()
        await run(sender_to(catcher), CheckingSource([message(3)]))
        kept = catcher.store.following(after=0, limit=5)
        assert [entry.message_id for entry in kept] == ["<1@sender.test>", "<3@sender.test>"]
        assert [catcher.store.text(entry) for entry in kept] == [message(1).message, message(3).message]
    assert len(loop_errors) == 1


async def test_reading_over_http(tmp_path: Path) -> None:
    async with await Catcher.start(data_dir=tmp_path) as catcher, aiohttp.ClientSession() as client:
        base = f"http://127.0.0.1:{catcher.http_port}"
        await run(sender_to(catcher, connections=1), CheckingSource([message(n) for n in range(1, 121)]))

        async def get(path: str) -> Any:
            async with client.get(base + path) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        assert (await get("/api/counts"))["unique_delivered"] == 120
        page = await get("/api/messages?limit=50")
        assert [row["id"] for row in page["messages"]] == list(range(120, 70, -1))
        assert page["messages"][0]["subject"] == "Nümber 120"
        page = await get(f"/api/messages?limit=100&before={page['next']}")
        assert [row["id"] for row in page["messages"]] == list(range(70, 0, -1))
        assert page["next"] is None

        (row,) = (await get("/api/messages?recipient=READER7@reader.test"))["messages"]
        assert row["recipient"] == "reader7@reader.test"
        assert row["message_id"] == "<7@sender.test>"
        assert len((await get("/api/messages?q=reader11"))["messages"]) == 11

        seen, after = [], 0
        while rows := (await get(f"/api/messages?after={after}&limit=50&include=raw"))["messages"]:
            seen += rows
            after = rows[-1]["id"]
        assert [row["raw"].encode("latin-1") for row in seen] == [message(n).message for n in range(1, 121)]

        parts = await get(f"/api/messages/{row['id']}")
        assert parts["text"].strip() == "hello 7"
        assert "<p>hello 7" in parts["html"]
        assert ["Subject", "Nümber 7"] in parts["headers"]
        async with client.get(f"{base}/api/messages/{row['id']}/raw") as answer:
            assert answer.content_type == "message/rfc822"
            assert await answer.read() == message(7).message
        async with client.get(f"{base}/api/messages/{row['id']}/html") as answer:
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        async with client.get(base) as answer:
            assert answer.content_type == "text/html"
            assert "Caught mail" in await answer.text()

        for path, status in [
            ("/api/messages/999", 404),
            ("/api/messages?limit=x", 400),
            ("/api/messages?after=0&q=x", 400),
        ]:
            async with client.get(base + path) as answer:
                assert answer.status == status
                assert "error" in await answer.json()
        async with client.delete(f"{base}/api/messages", headers={"Origin": "https://evil.test"}) as answer:
            assert answer.status == 403
        async with client.delete(f"{base}/api/messages") as answer:
            assert answer.status == 204
        assert (await get("/api/counts"))["messages"] == 0

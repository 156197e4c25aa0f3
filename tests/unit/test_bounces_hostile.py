"""Anything may arrive: nothing raises, line ends do not matter, and no message costs more than its size."""

import random
import time
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounce_mails import GROUP, ORIGINAL, arf, dsn
from bounce_notices import NOTICES
from tidings.delivery.bounces import Kind, Report, _classify
from tidings.delivery.bounces._classify import read_message as classify

REAL = [m.encode() for m, _ in NOTICES.values()] + [dsn(GROUP).encode(), arf("Feedback-Type: abuse").encode()]
PIECES = [
    b"\n", b"\n\n", b"\n ", b"--=_b1", b"--=_b1--",
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    b"=?utf-8?B?", b"?=", b"\xff\xfe", b"\x00",
    b"Content-Transfer-Encoding: base64\n", b"Content-Type: text/html; charset=utf-16\n\n",
    b"charset=utf-7", b"+2AA-", b"<", b">:", b"@", b"\xe9\x80",
    b"Final-Recipient: ", b"\\x{D800}", b"Status: 9.9.9\n", b"Status: 2.0.0\n",
    b"Action: failed\nStatus: 2.1.5\n", b"Diagnostic-Code: 250 ok\n",
    b"From ", b"(expanded from <", b'{"notificationType":"Bounce","bounce":[]}',
]  # fmt: skip


def check(report: Report) -> None:
    for r in report.recipients:
        assert "@" in r.address
        assert len(r.reason) <= 500
    orjson.dumps(report.as_dict())  # no half of a surrogate pair, which no JSON and no database takes


@given(st.binary(max_size=3000))
def test_any_bytes(message: bytes) -> None:
    check(classify(message))


@settings(max_examples=400)
@given(st.data())
def test_real_messages_broken_at_random(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(REAL))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(message)))
        cut = data.draw(st.integers(0, 80))
        piece = data.draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.sampled_from(REAL))
        message = message[:at] + piece + message[at + cut :]
    check(classify(message))


@given(st.sampled_from(REAL), st.integers(0, 4000), st.sampled_from(PIECES))
def test_line_ends_do_not_matter_even_then(real: bytes, at: int, piece: bytes) -> None:
    lf = real[:at] + piece + real[at:]
    report = classify(lf)
    assert classify(lf.replace(b"\n", b"\r\n")) == report == classify(lf.replace(b"\n", b"\r"))


MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"
HEAD = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.test\nTo: b@s.test\nSubject: Undelivered mail\n"
REPORT = HEAD + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
N = 60_000
HOSTILE: dict[str, bytes] = {
    "parts within parts": HEAD
    + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(20_000)),
    "one boundary for all": HEAD + MIXED + (b"--b\n" + MIXED) * N,
    "a boundary's beginning": HEAD + MIXED + b"--bb\n" * N,
    "lines like boundaries": HEAD + b"Content-Type: multipart/mixed; boundary=zz\n\n" + b"\n----------------------\n" * N,
    "a long header": HEAD + b"X: " + b"a" * N * 20 + b"\n\nhi",
    "many headers": HEAD + b"X: y\n" * N + b"\nhi",
    "folds": HEAD + b"Subject: a" + b"\n " * N + b"\n\nhi",
    "encoded words": HEAD + b"Subject: " + b"=?utf-8?q?" * N + b"\n\nhi",
    "at signs": HEAD + b"\nuser unknown " + b"@" * N * 10,
    "a local part": HEAD + b"\nuser unknown " + b"a" * N * 10 + b"@",
    "a domain": HEAD + b"\nuser unknown a@" + b"a." * N * 10,
    "addresses on a line": HEAD + b"\nuser unknown " + b"a@b.test " * N,
    "addresses on lines": HEAD + b"\n" + b"".join(b"<a%d@b.test>: user unknown\n" % i for i in range(N)),
    "blanks": HEAD + b"\nuser unknown" + b" " * N * 10 + b"a@b.test",
    "paragraphs": HEAD + b"\n" + b"delivery failed a\n\n" * N,
    "quotes": HEAD + b'\n"' * N + b'"' * N + b"@a.test",
    "tags": HEAD + b"Content-Type: text/html\n\n" + b"<a " * N * 5,
    "scripts": HEAD + b"Content-Type: text/html\n\n" + b"<script " * N,
    "entities": HEAD + b"Content-Type: text/html\n\n" + b"&#" * N * 5,
    "recipients": REPORT + b"".join(b"Final-Recipient: rfc822;a%d@b.test\nAction: failed\nStatus: 5.1.1\n\n" % i for i in range(N)),
    "recipients in one group": REPORT + b"".join(b"Final-Recipient: rfc822;a%d@b.test\nAction: failed\n" % i for i in range(N)),
    "a diagnostic": REPORT + b"Final-Recipient: rfc822;a@b.test\nAction: failed\nDiagnostic-Code: smtp; " + b"550-5.1.1 " * N,
    "base64": HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=\n" * N * 5,
    "quoted-printable": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" + b" " * 60 * N,
    "letters that grow": HEAD + b"Content-Type: text/plain; charset=utf-8\n\nuser unknown " + "İ".encode() * N,
    "idna": HEAD + b"Content-Type: text/plain; charset=idna\n\n" + b"a" * N,
    "Received": HEAD + MIXED + b"--b\n\nfailed\n--b\nContent-Type: message/rfc822\n\nReceived: " + b"for " * N,
}  # fmt: skip


def cost(work: Callable[[], object]) -> float:
    """Seconds of this process's CPU."""
    before = time.process_time()
    work()
    return time.process_time() - before


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_message_costs_more_than_its_size(message: bytes) -> None:
    """A pattern that backtracks takes minutes on these; a linear reader takes hundredths of a second."""
    assert cost(lambda: check(classify(message))) < 1.5


def test_a_thousand_messages_a_second_on_a_core() -> None:
    for message in REAL:
        classify(message)
    rounds = 5
    spent = min(cost(lambda: [classify(m) for m in REAL for _ in range(rounds)]) for _ in range(3))
    assert len(REAL) * rounds / spent > 1000


@pytest.mark.parametrize(
    ("field", "gap"),
    [
        ("To: ", "\n\nTo: "),
        ("Subject: Mail", "\n\nSubject: Mail"),
        ("Mail Error", "Mail\n\nError"),
        ("MAILER", "MAI\n\nLER"),
    ],
)
def test_a_blank_line_within_the_header_hides_nothing(field: str, gap: str) -> None:
    """Nor does the notice's own address fail then, which would be the only one in the text."""
    message = (
        "From: Mail System <MAILER-DAEMON@host.example>\nTo: bounces@sender.example\nSubject: Mail Error: user unknown\n"
        "Date: Thu, 26 Nov 2026 10:00:00 +0000\n\nYour mail could not be delivered: the user is unknown here.\n"
    )
    broken = message.replace(f"\n{field}", gap) if gap.startswith("\n") else message.replace(field, gap)
    assert broken != message
    assert classify(broken.encode()).recipients == ()
    report = dsn(GROUP)
    assert classify(report.replace("\nSubject:", "\n\nSubject:", 1).encode()) == classify(report.encode())


def test_a_notice_cut_short_names_nobody_else() -> None:
    """Whom it names may be cut short, too; but it is neither whom it went to, nor the sender, nor a postmaster."""
    for message, _ in NOTICES.values():
        raw = message.encode()
        whole = {r.address.lower() for r in classify(raw).recipients}
        for end in range(97, len(raw), 97):
            report = classify(raw[:end])
            assert not {a.lower() for a in report.addressed_to} & {r.address.lower() for r in report.recipients} - whole
            assert not any(r.address.startswith(("postmaster@", "MAILER-DAEMON@")) for r in report.recipients) or whole


@pytest.mark.parametrize("levels", [1, 20, 200])
def test_messages_within_messages(levels: int) -> None:
    inner = dsn(GROUP)
    for level in range(levels):
        mixed = f"Content-Type: multipart/mixed; boundary=n{level}\n\n--n{level}\nContent-Type: message/rfc822\n\n"
        inner = f"{HEAD.decode()}{mixed}{inner}\n--n{level}--\n"
    assert cost(lambda: check(classify(inner.encode()))) < 0.2


def test_what_lies_beyond_the_limit_is_cut_off_not_refused() -> None:
    report = classify(dsn(GROUP, original=ORIGINAL + "x" * (6 << 20)).encode())
    assert [r.address for r in report.recipients] == ["ada@reader.example"]


def test_a_defect_does_not_stop_the_mail_behind_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: bytes) -> Report:
        raise ValueError("a defect")

    monkeypatch.setattr(_classify, "read_message", broken)
    assert _classify.classify(b"x").kind is Kind.OTHER
    assert "no reader copes with this message of 1 bytes" in caplog.text


def test_thousands_of_mutations_raise_nothing_and_none_takes_long() -> None:
    _mutate(2_000)


@pytest.mark.soak
def test_twenty_thousand_mutations() -> None:
    _mutate(20_000)


def _mutate(many: int) -> None:
    """Each is a real message with bytes changed, lost, doubled and moved; the slowest may take a fiftieth of a second."""
    dice = random.Random(2026)
    slowest = total = 0.0
    for _ in range(many):
        message = bytearray(dice.choice(REAL))
        for _ in range(dice.randint(1, 12)):
            at, other = dice.randrange(len(message) + 1), dice.randrange(len(message) + 1)
            match dice.randrange(4):
                case 0:
                    message[at : at + 1] = bytes([dice.randrange(256)])
                case 1:
                    del message[at : at + dice.randint(1, 60)]
                case 2:
                    message[at:at] = message[other : other + dice.randint(1, 200)]
                case _:
                    message[at:at] = dice.choice(PIECES)
        began = time.process_time()
        check(classify(bytes(message)))
        took = time.process_time() - began
        slowest, total = max(slowest, took), total + took
    assert slowest < 0.05
    assert total / many < 0.001, "a thousand messages a second"

"""The session against a transport that is not a socket: what depends on how much has left our own buffer."""

import asyncio
from typing import Any

import pytest

from scripted_smtp import CheckingSource, job
from tidings.delivery.providers import Accepted, Deferred, Rejected, Unknown
from tidings.delivery.providers._smtp_handshake import Capabilities
from tidings.delivery.providers._smtp_session import SmtpSession


class HeldTransport(asyncio.Transport):
    """Keeps what is written; `unsent` says how much of it is still here."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unsent = 0
        self.aborted = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class OneSession:
    """A pool of one."""

    def __init__(self, source: CheckingSource) -> None:
        self.source = source
        self.tick = 0.0
        self.may_pull = True
        self.growing = False
        self.throttles = 0
        self.ended: list[str] = []

    def grow(self) -> None: ...

    def progressed(self) -> None: ...

    def accepted_after_throttle(self) -> None: ...

    def throttle(self, outcome: Any) -> None: ...

    def parked(self, session: SmtpSession) -> None: ...

    def lost(self, session: SmtpSession, reason: str, *, gave_back: bool) -> None:
        self.ended.append(reason)


def transmitting_two() -> tuple[SmtpSession, HeldTransport, CheckingSource, OneSession]:
    """The text of message 1 and the envelope of message 2 have been written."""
    source = CheckingSource([job(1), job(2)])
    keeper, transport = OneSession(source), HeldTransport()
    session = SmtpSession(transport, Capabilities(pipelining=True), keeper, most_messages=100)
    session.begin()
    session.data_received(b"250 a\r\n250 b\r\n354 c\r\n")
    assert transport.writes[-1].startswith(job(1).message + b".\r\nMAIL FROM:<2@sender.test>")
    return session, transport, source, keeper


ENVELOPE = len(b"MAIL FROM:<2@sender.test>\r\nRCPT TO:<reader2@reader.test>\r\nDATA\r\n")


@pytest.mark.parametrize(("unsent", "accepted"), [(0, True), (ENVELOPE, True), (ENVELOPE + 1, False)])
def test_accepted_only_once_the_dot_has_left_us(unsent: int, accepted: bool) -> None:
    session, transport, source, keeper = transmitting_two()
    transport.unsent = unsent
    session.data_received(b"250 ok\r\n")
    assert isinstance(source.outcomes[1], Accepted if accepted else Deferred)
    assert transport.aborted is not accepted
    assert len(keeper.ended) == (not accepted)
    assert source.given_back[2] == (not accepted)
    assert source.broken == []


def test_refused_before_the_end_of_its_text_what_is_left_must_not_pass_for_commands() -> None:
    session, transport, source, _ = transmitting_two()
    transport.unsent = ENVELOPE + 1
    session.data_received(b"552 5.3.4 too large\r\n")
    assert isinstance(source.outcomes[1], Rejected)
    assert transport.aborted
    assert source.given_back[2] == 1
    assert source.broken == []


@pytest.mark.parametrize(("unsent", "kind"), [(0, Unknown), (ENVELOPE, Unknown), (ENVELOPE + 1, Deferred)])
def test_in_doubt_only_once_the_dot_has_left_us(unsent: int, kind: type) -> None:
    session, transport, source, keeper = transmitting_two()
    transport.unsent = unsent
    session.drop("gone")
    assert type(source.outcomes[1]) is kind
    assert source.given_back[2] == 1
    assert keeper.ended == ["gone"]
    session.data_received(b"250 ok\r\n")
    session.connection_lost(None)
    assert keeper.ended == ["gone"]
    assert source.broken == []


def test_a_lost_connection_is_charged_to_the_message_that_can_have_caused_it() -> None:
    session, _, source, _ = transmitting_two()
    session.connection_lost(None)
    (innocent,) = source.queue
    assert innocent.losses == 0

    session, _, source, _ = transmitting_two()
    session.data_received(b"250 ok\r\n")
    session.connection_lost(ConnectionResetError())
    (suspect,) = source.queue
    assert suspect.losses == 1
    assert source.broken == []

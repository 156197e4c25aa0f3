"""What providers report, in their own words, as our closed vocabulary; and nothing that they did not sign."""

import contextlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from tidings.core.errors import Invalid
from tidings.delivery.providers import (
    BadSignature,
    FailureClass,
    Happening,
    parse_sns,
    read_mailgun,
    read_sendgrid,
    read_ses,
    verify_mailgun,
    verify_sendgrid,
    verify_sns,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OURS = "1.7.2@example.com"
_FAILED = {"event": "failed", "severity": "permanent"}
_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, _RSA.public_key(), 1, NOW, NOW + timedelta(days=9))
    return made.sign(_RSA, SHA256()).public_bytes(Encoding.PEM)


def _sns(version: str, **changes: Any) -> bytes:
    fields = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Message": "{}",
        "Timestamp": "2026-03-01T12:00:00.000Z",
    }
    text = "".join(f"{name}\n{fields[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
    signature = _RSA.sign(text.encode(), padding.PKCS1v15(), SHA1() if version == "1" else SHA256())  # noqa: S303
    url = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem"
    signed = {"SignatureVersion": version, "Signature": b64encode(signature).decode(), "SigningCertURL": url}
    return json.dumps({**fields, **signed, **changes}).encode()


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_signatures(version: str) -> None:
    verify_sns(parse_sns(_sns(version)), _certificate(), now=NOW)
    for change in ({"Message": "{ }"}, {"Subject": "x"}, {"SignatureVersion": "3"}, {"Signature": "!"}):
        with pytest.raises(BadSignature):
            verify_sns(parse_sns(_sns(version, **change)), _certificate(), now=NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.test/a.pem",
        "https://evil.test/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.test/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://[",
        "",
    ],
)
def test_certificates_of_other_hosts(url: str) -> None:
    with pytest.raises(BadSignature):
        parse_sns(_sns("2", SigningCertURL=url))


def _ses(kind: str, **more: Any) -> bytes:
    tag = urlsafe_b64encode(OURS.encode()).decode().rstrip("=")
    mail = {"messageId": "0102", "destination": ["a@b.test"], "tags": {"tidings_message_id": [tag]}}
    return json.dumps({"eventType": kind, "mail": mail, **more}).encode()


def _bounced(kind: str, sub: str, status: str) -> dict[str, Any]:
    recipient = {"emailAddress": "a@b.test", "status": status, "diagnosticCode": "smtp; no"}
    return {"bounce": {"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": [recipient], "feedbackId": "f"}}


@pytest.mark.parametrize(
    ("body", "happening", "bounce"),
    [
        (_ses("Delivery", delivery={"recipients": ["a@b.test"]}), Happening.DELIVERED, None),
        (_ses("DeliveryDelay", deliveryDelay={"delayedRecipients": [{"emailAddress": "a@b.test"}]}), Happening.DEFERRED, None),
        (_ses("Bounce", **_bounced("Permanent", "General", "5.1.1")), Happening.BOUNCED, FailureClass.HARD),
        (_ses("Bounce", **_bounced("Permanent", "General", "5.7.1")), Happening.BOUNCED, FailureClass.POLICY),
        (_ses("Bounce", **_bounced("Transient", "MailboxFull", "4.2.2")), Happening.BOUNCED, FailureClass.MAILBOX_FULL),
        (_ses("Bounce", **_bounced("Transient", "ContentRejected", "5.6.0")), Happening.BOUNCED, FailureClass.POLICY),
        (_ses("Bounce", **_bounced("Transient", "General", "4.4.7")), Happening.BOUNCED, FailureClass.SOFT),
        # Without the report of a server it is a holiday notice.
        (_ses("Bounce", **_bounced("Transient", "General", "")), Happening.UNKNOWN, None),
        (_ses("Complaint", complaint={"complaintFeedbackType": "not-spam"}), Happening.UNKNOWN, None),
        (_ses("Complaint", complaint={"complaintSubType": "OnAccountSuppressionList"}), Happening.REJECTED, None),
        (_ses("Bounce", **_bounced("Undetermined", "Undetermined", "")), Happening.BOUNCED, FailureClass.UNKNOWN),
        (_ses("Bounce", **_bounced("Permanent", "OnAccountSuppressionList", "")), Happening.REJECTED, None),
        (_ses("Complaint", complaint={"complainedRecipients": [{"emailAddress": "a@b.test"}]}), Happening.COMPLAINED, None),
        (_ses("Reject", reject={"reason": "Bad content"}), Happening.REJECTED, None),
        (_ses("Open", open={}), Happening.OPENED, None),
        (_ses("Click", click={"link": "https://e.test"}), Happening.CLICKED, None),
        (_ses("Subscription"), Happening.UNKNOWN, None),
        (_ses("Subscription", subscription={"newTopicPreferences": {"unsubscribeAll": True}}), Happening.UNSUBSCRIBED, None),
        (_ses("Send", send={}), Happening.UNKNOWN, None),
        (_ses("Tomorrow"), Happening.UNKNOWN, None),
    ],
)  # fmt: skip
def test_ses(body: bytes, happening: Happening, bounce: FailureClass | None) -> None:
    (found,) = read_ses(body)
    assert (found.happening, found.bounce) == (happening, bounce)
    assert (found.recipient, found.message_id, found.provider_message_id) == ("a@b.test", OURS, "0102")
    assert found.raw == json.loads(body)
    assert found.event_id == read_ses(body)[0].event_id


def test_ses_finds_our_message_id_in_the_original_headers() -> None:
    mail = {"messageId": "0102", "headers": [{"name": "Message-ID", "value": f"<{OURS}>"}]}
    (found,) = read_ses(json.dumps({"notificationType": "Delivery", "mail": mail}).encode())
    assert found.message_id == OURS


def _sendgrid(body: bytes, *, at: datetime = NOW, signed: bytes | None = None) -> Any:
    stamp = str(int(at.timestamp()))
    signature = _EC.sign(stamp.encode() + (body if signed is None else signed), ec.ECDSA(SHA256()))
    key = _EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    verify_sendgrid(
        body, signature=b64encode(signature).decode(), timestamp=stamp, public_key=b64encode(key).decode(), now=NOW
    )
    return read_sendgrid(body)


def test_sendgrid_batches() -> None:
    common = {"email": "a@b.test", "sg_message_id": "s", "timestamp": 1772366400, "tidings_message_id": OURS}
    kinds: list[tuple[dict[str, str], Happening, FailureClass | None]] = [
        ({"event": "processed"}, Happening.UNKNOWN, None),
        ({"event": "delivered"}, Happening.DELIVERED, None),
        ({"event": "deferred"}, Happening.DEFERRED, None),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, Happening.BOUNCED, FailureClass.HARD),
        ({"event": "bounce", "type": "bounce", "status": "5.0.0"}, Happening.BOUNCED, FailureClass.UNKNOWN),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, Happening.BOUNCED, FailureClass.BLOCK),
        *(
            (
                {"event": "bounce", "type": "bounce", "status": "5.0.0", "bounce_classification": told},
                Happening.BOUNCED,
                kind,
            )
            for told, kind in (
                ("Invalid Address", FailureClass.HARD),
                ("Mailbox Unavailable", FailureClass.MAILBOX_FULL),
                ("Technical Failure", FailureClass.SOFT),
                ("Technical", FailureClass.SOFT),
                ("Frequency or Volume Too High", FailureClass.BLOCK),
                ("Reputation", FailureClass.BLOCK),
                ("Content", FailureClass.POLICY),
                ("Unclassified", FailureClass.UNKNOWN),
            )
        ),
        ({"event": "dropped", "reason": "Bounced Address"}, Happening.REJECTED, None),
        ({"event": "spamreport"}, Happening.COMPLAINED, None),
        ({"event": "group_unsubscribe"}, Happening.UNSUBSCRIBED, None),
        ({"event": "open"}, Happening.OPENED, None),
        ({"event": "click", "url": "https://e.test"}, Happening.CLICKED, None),
        ({"event": "account_status_change"}, Happening.UNKNOWN, None),
    ]
    events = [{**common, **kind, "sg_event_id": f"e{n}"} for n, (kind, _, _) in enumerate(kinds)]
    found = _sendgrid(json.dumps(events).encode())
    assert [(one.happening, one.bounce) for one in found] == [(happening, bounce) for _, happening, bounce in kinds]
    assert [one.event_id for one in found] == [f"e{n}" for n in range(len(kinds))]
    assert {one.message_id for one in found} == {OURS}
    assert {one.at for one in found} == {NOW}
    assert [one.raw for one in found] == events


def test_sendgrid_signatures() -> None:
    with pytest.raises(BadSignature):
        _sendgrid(b"[ ]", signed=b"[]")
    with pytest.raises(BadSignature):
        _sendgrid(b"[]", at=NOW - timedelta(hours=1))
    for key, signature in (("!", "x"), ("", ""), (b64encode(b"x").decode(), "AAAA")):
        with pytest.raises(BadSignature):
            verify_sendgrid(b"[]", signature=signature, timestamp="1", public_key=key, now=NOW)


def _mailgun(event: Any, *, at: datetime = NOW, key: str = "k") -> bytes:
    stamp = str(int(at.timestamp()))
    signature = hmac.digest(key.encode(), f"{stamp}token".encode(), "sha256").hex()
    return json.dumps(
        {"signature": {"timestamp": stamp, "token": "token", "signature": signature}, "event-data": event}
    ).encode()


@pytest.mark.parametrize(
    ("event", "happening", "bounce"),
    [
        ({"event": "accepted"}, Happening.UNKNOWN, None),
        ({"event": "delivered"}, Happening.DELIVERED, None),
        ({"event": "failed", "severity": "temporary"}, Happening.DEFERRED, None),
        ({**_FAILED, "delivery-status": {"enhanced-code": "5.1.1"}}, Happening.BOUNCED, FailureClass.HARD),
        ({**_FAILED, "delivery-status": {"enhanced-code": "5.7.1"}}, Happening.BOUNCED, FailureClass.POLICY),
        *(({**_FAILED, "delivery-status": {"code": code}}, Happening.REJECTED, None) for code in (605, 606, 607)),
        ({**_FAILED, "delivery-status": {"code": 600}}, Happening.BOUNCED, FailureClass.UNKNOWN),
        ({**_FAILED, "reason": "old", "delivery-status": {"code": 602, "message": "Too old"}},
         Happening.BOUNCED, FailureClass.SOFT),
        ({**_FAILED, "reason": "old", "delivery-status": {"code": 452, "message": "4.2.2 over quota", "enhanced-code": "4.2.2"}},
         Happening.BOUNCED, FailureClass.MAILBOX_FULL),
        ({**_FAILED, "reason": "espblock", "delivery-status": {"code": 550, "message": "no"}},
         Happening.BOUNCED, FailureClass.BLOCK),
        ({**_FAILED, "reason": "bounce", "delivery-status": {"code": 550, "message": "5.1.1 unknown"}},
         Happening.BOUNCED, FailureClass.HARD),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}, Happening.REJECTED, None),
        ({"event": "complained"}, Happening.COMPLAINED, None),
        ({"event": "unsubscribed"}, Happening.UNSUBSCRIBED, None),
        ({"event": "opened"}, Happening.OPENED, None),
        ({"event": "clicked", "url": "https://e.test"}, Happening.CLICKED, None),
    ],
)  # fmt: skip
def test_mailgun(event: dict[str, Any], happening: Happening, bounce: FailureClass | None) -> None:
    event = {
        "id": "e",
        "timestamp": 1.5,
        "recipient": "a@b.test",
        "message": {"headers": {"message-id": OURS}},
        **event,
    }
    assert verify_mailgun(_mailgun(event), signing_key="k", now=NOW) == "token"
    (found,) = read_mailgun(_mailgun(event))
    assert (found.happening, found.bounce, found.message_id) == (happening, bounce, OURS)
    assert (found.recipient, found.event_id, found.raw) == ("a@b.test", "e:1.5", event)


def test_mailgun_signatures() -> None:
    for body in (_mailgun({}, key="other"), _mailgun({}, at=NOW - timedelta(minutes=6)), b"{}", b"[]"):
        with pytest.raises(BadSignature):
            verify_mailgun(body, signing_key="k", now=NOW)


@given(_JSON)
@example(5)
@example(True)
@example([5, None, {}])
@example({"tags": {"tidings_message_id": [5, "="]}, "headers": [5]})
def test_signed_nonsense_never_raises_anything_else(told: Any) -> None:
    body = json.dumps(told).encode()
    read_mailgun(_mailgun(told))
    for read in (read_ses, _sendgrid, parse_sns):
        with contextlib.suppress(Invalid):
            read(body)
    for key in ("bounce", "mail", "delivery", "complaint"):
        read_ses(json.dumps({"eventType": key.title(), key: told}).encode())
    for inner in ("bouncedRecipients", "recipients"):
        read_ses(
            json.dumps(
                {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bounceSubType": "General", inner: told}}
            ).encode()
        )

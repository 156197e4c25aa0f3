"""What a chaotic provider tells of the messages it took: signed as it signs, late, twice, in any order, some never.

What it owes is a line `recipient<TAB>what` in FILE-owed from the moment it took the message, and in FILE-told once the edge
has said 200 to it; until then it is told again and again, as providers do.
"""

import asyncio
import hmac
import json
import os
import random
import time
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SNS = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-chaos.pem"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:tidings"
SIGNING_KEY = "signing"
"""Of Mailgun's webhooks."""
_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class _Notice:
    id: str
    what: str
    recipient: str
    message_id: str


class Notices:
    """`url` is where they go; None until somebody says so, and what comes before waits."""

    def __init__(self, kind: str, file: str, dice: random.Random) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._owed, self._told = os.open(file + "-owed", flags), os.open(file + "-told", flags)
        self._kind = kind
        self._dice = dice
        self._waiting: asyncio.PriorityQueue[tuple[float, float, _Notice]] = asyncio.PriorityQueue()
        self._url = ""
        self._key: rsa.RSAPrivateKey | None = None

    def owe(self, recipient: str, message_id: str) -> None:
        """A message was taken: this will be told of it."""
        dice = self._dice
        for what in self._fate(recipient):
            notice = _Notice(token_hex(11), what, recipient, message_id.strip("<>"))
            # Some at once, before the worker has its answer; most soon; one in three twice, the same or with another id.
            for _ in range(1 if dice.random() < 0.66 else 2):
                wait = 0.0 if dice.random() < 0.1 else dice.expovariate(1.0)
                os.write(self._owed, f"{recipient}\t{what}\n".encode())
                self._waiting.put_nowait((time.monotonic() + wait, dice.random(), notice))
                if dice.random() < 0.5:
                    notice = _Notice(token_hex(11), what, recipient, notice.message_id)

    def _fate(self, recipient: str) -> list[str]:
        luck = self._dice.random()
        if recipient.startswith(("dead", "gone")):
            return ["bounced"]
        if recipient.startswith("angry"):
            return ["delivered", "complained"]
        if luck < 0.1:
            return []
        if luck < 0.13:
            return ["blocked"]
        return ["deferred", "delivered"] if luck < 0.18 else ["delivered"]

    async def tell(self, url: str, key: str) -> None:
        """Post them, for ever."""
        self._url = url
        if key:
            loaded = load_pem_private_key(key.encode(), None)
            assert isinstance(loaded, rsa.RSAPrivateKey)
            self._key = loaded
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._teller(session) for _ in range(_AT_ONCE)))

    async def _teller(self, session: aiohttp.ClientSession) -> None:
        while True:
            at, order, notice = await self._waiting.get()
            if (left := at - time.monotonic()) > 0:
                self._waiting.put_nowait((at, order, notice))
                await asyncio.sleep(min(left, 0.05))
                continue
            try:
                async with session.post(self._url, data=self._body(notice)) as response:
                    told = response.status == 200
                    assert response.status in {200, 503}, await response.text()
            except (aiohttp.ClientError, TimeoutError):
                told = False
            if told:
                os.write(self._told, f"{notice.recipient}\t{notice.what}\n".encode())
            else:
                self._waiting.put_nowait((time.monotonic() + 0.5, order, notice))

    def _body(self, notice: _Notice) -> bytes:
        return self._mailgun(notice) if self._kind == "mailgun" else self._ses(notice)

    @staticmethod
    def _mailgun(notice: _Notice) -> bytes:
        stamp, token = str(int(time.time())), token_hex(25)
        signature = hmac.digest(SIGNING_KEY.encode(), f"{stamp}{token}".encode(), "sha256").hex()
        event: dict[str, Any] = {
            "event": notice.what, "id": notice.id, "timestamp": time.time(), "recipient": notice.recipient,
            "user-variables": {"tidings_message_id": notice.message_id},
            "message": {"headers": {"message-id": notice.message_id, "to": notice.recipient}},
        }  # fmt: skip
        match notice.what:
            case "bounced":
                status = {"code": 550, "enhanced-code": "5.1.1", "message": "550 5.1.1 no such user here"}
                event |= {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": status}
            case "blocked":
                status = {"code": 550, "enhanced-code": "5.7.1", "message": "550 5.7.1 we do not like your reputation"}
                event |= {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": status}
            case "deferred":
                status = {"code": 451, "enhanced-code": "4.2.0", "message": "451 4.2.0 later"}
                event |= {"event": "failed", "severity": "temporary", "reason": "generic", "delivery-status": status}
            case _:
                pass
        signed = {"timestamp": stamp, "token": token, "signature": signature}
        return json.dumps({"signature": signed, "event-data": event}).encode()

    def _ses(self, notice: _Notice) -> bytes:
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        tag = urlsafe_b64encode(notice.message_id.encode()).decode().rstrip("=")
        mail = {
            "messageId": "0102", "timestamp": at, "destination": [notice.recipient], "tags": {"tidings_message_id": [tag]}
        }  # fmt: skip
        told: dict[str, Any] = {"mail": mail}
        match notice.what:
            case "delivered":
                told |= {"eventType": "Delivery", "delivery": {"timestamp": at, "recipients": [notice.recipient]}}
            case "complained":
                who = [{"emailAddress": notice.recipient}]
                told |= {
                    "eventType": "Complaint",
                    "complaint": {"timestamp": at, "feedbackId": notice.id, "complainedRecipients": who},
                }
            case "deferred":
                who = [{"emailAddress": notice.recipient, "status": "4.2.0", "diagnosticCode": "smtp; 451 4.2.0 later"}]
                told |= {
                    "eventType": "DeliveryDelay",
                    "deliveryDelay": {"timestamp": at, "delayType": "General", "delayedRecipients": who},
                }
            case what:
                status, words = ("5.1.1", "no such user") if what == "bounced" else ("5.7.1", "bad reputation")
                one = {"emailAddress": notice.recipient, "action": "failed", "status": status}
                who = [one | {"diagnosticCode": f"smtp; 550 {status} {words}"}]
                bounce = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": who}
                told |= {"eventType": "Bounce", "bounce": bounce | {"timestamp": at, "feedbackId": notice.id}}
        fields = {
            "Message": json.dumps(told), "MessageId": notice.id, "Timestamp": at, "TopicArn": TOPIC, "Type": "Notification"
        }  # fmt: skip
        text = "".join(f"{name}\n{value}\n" for name, value in fields.items())
        assert self._key is not None
        signature = b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()
        return json.dumps(fields | {"SignatureVersion": "2", "Signature": signature, "SigningCertURL": SNS}).encode()

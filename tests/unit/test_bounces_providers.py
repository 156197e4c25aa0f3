"""Replies of large providers that say one thing in words and another by code, and what each must never count as."""

import pytest

from tidings.delivery.bounces._classes import judge
from tidings.delivery.providers import FailureClass

NOT_THE_MAILBOX = [
    # Google, Microsoft
    "550 5.2.1 Content Filter agent quarantined this message",
    "501 5.5.4 Invalid domain name",
    "501 5.5.4 HELO/EHLO argument is invalid",
    "550 5.3.3 Unrecognized command",
    "502 5.5.1 Unimplemented command",
    "550 5.3.190 Journaling on-premises messages not supported when Journaling Archive is disabled",
    "550 5.4.318 Message expired, connection reset (SuspiciousRemoteServerError)",
    "451 4.4.4 Mail received as unauthenticated, incoming to a tenant which has no mail-enabled subscriptions. ATTR5",
    "550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour.",
    "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
    "550 5.7.134 Sender was not authenticated for mailbox",
    # Facebook
    "550 5.1.1 RCP-P2 Refused due to recipient preferences",
    # Orange, La Poste
    "550 Mail rejete. Mail rejected. OUK_513",
    "501 5.1.0 Emetteur invalide. Invalid Sender. OFR004_405 [405]",
    # Tencent
    "550 Ip frequency limited",
    "550 Domain frequency limited.",
    "550 Suspected bounce attacks.",
    "550 Connection denied.",
    # Mimecast
    "550 The incorrect hostname used for inbounds",
    "550 Journal messages past the expiration",
    "553 This route requires high-strength ciphers",
    "550 Exceeding outbound thread limit",
    # others
    "550 Letter sending limit is exceeded.",
    "550 Use SMTP of your provider to send mail.",
    "550 Not in the list Mail address management.",
    "550 Requested action aborted [4]",
    "550 This message has exceeded the max number of messages per session. Open a new session and try again.",
    "521 Upstream error",
    "503 Bad sequence of commands",
    "504 command parameter not implemented",
    "550 5.1.1 Message blocked by policy",
    "550 nobody here knows these words",
]


@pytest.mark.parametrize("reply", NOT_THE_MAILBOX)
def test_says_nothing_against_the_mailbox(reply: str) -> None:
    assert judge("", reply)[0] not in {FailureClass.HARD, FailureClass.MAILBOX_FULL}


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.4 Recipient address reserved by RFC 2606",
        "550 5.5.0 Boite du destinataire archivee. Archived recipient. LPN007_420",
        "550 5.5.0 Le compte du destinataire est bloque. The recipient account isblocked. LPN007_426",
        "553 Recipient mailbox is not allowed",
        "550 Mailbox was not used for more than 3 months.",
        "550 5.1.1 The account is disabled. See our policy on spam",
        "550",
        "550 5.0.0",
        "host mx.b.test said: 550 denied (in reply to RCPT TO command)",
    ],
)
def test_is_gone(reply: str) -> None:
    assert judge("", reply)[0] is FailureClass.HARD


@pytest.mark.parametrize(
    "reply",
    ["554 Maximum email size exceeded", "552 5.3.4 Taille limite du message atteinte OFR_514", "552 Message too large"],
)
def test_is_too_large(reply: str) -> None:
    assert judge("", reply)[0] is FailureClass.POLICY

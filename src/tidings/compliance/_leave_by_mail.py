"""Leaving by mail: what people's mail programs write to the `mailto:` of List-Unsubscribe (RFC 2369)."""

import re
from datetime import datetime

from tidings.compliance._leave import leave
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.delivery import Leaver, Withdrawals, leaving_by_mail, settle_leaver
from tidings.tracking import MAX_LENGTH, Subject, Tokens

_TOKEN = re.compile(rf"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{{{MAX_LENGTH}}}(?![A-Za-z0-9_-])")


async def leave_by_mail(db: Database, withdrawals: Withdrawals, *, keys: Keyring, now: datetime) -> int:
    """Take out everybody who wrote to the address of List-Unsubscribe; how many messages were looked at.

    The subject holds the token of the message that they got, so that nobody can take out somebody else. A crash between
    the two steps repeats the first, which is harmless.
    """
    async with db.connection() as connection:
        leavers = await leaving_by_mail(connection)
    tokens = Tokens(keys)
    for one in leavers:
        # RFC 3834: a program that answers for somebody wants nothing, whatever it quotes in its subject.
        subject = None if one.automatic else _whose(one, tokens)
        if subject is not None:
            await leave(
                db,
                withdrawals,
                workspace=subject.workspace,
                contact=subject.contact,
                reason="",
                source="mail",
                send=subject.send,
                n=subject.n,
                now=now,
            )
        async with db.transaction() as tx:
            await settle_leaver(
                tx,
                leaver=one,
                send=None if subject is None else subject.send,
                n=None if subject is None else subject.n,
                left=subject is not None,
            )
    return len(leavers)


def _whose(leaver: Leaver, tokens: Tokens) -> Subject | None:
    for token in _TOKEN.findall(leaver.words)[:5]:
        subject = tokens.read(token)
        if subject is not None and subject.workspace == leaver.workspace:
            return subject
    return None

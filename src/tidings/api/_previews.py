"""Previews and tests, of templates and campaigns alike."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tidings import content
from tidings.api._fields import Body, ContactRef, Prefix
from tidings.core.ids import MessageId, public_id


class TestOf(Body):
    """Whom to send a test to, and as whom they read it."""

    to: Annotated[
        list[Annotated[str, Field(max_length=320)]],
        Field(min_length=1, max_length=10, examples=[["me@example.com"]]),
    ]
    contact_id: Annotated[
        ContactRef | None,
        Field(description="whose values fill it in; null: for a campaign somebody of its audience, else nobody"),
    ] = None
    variables: Annotated[dict[str, Any], Field(description="over the contact's")] = Field(default_factory=dict)
    subject_prefix: Prefix = "[Test] "


class TestQueued(BaseModel):
    """The messages that were queued, in the order of `to`."""

    message_ids: list[str]

    @classmethod
    def of(cls, queued: Sequence[MessageId]) -> "TestQueued":
        """As JSON shows it."""
        return cls(message_ids=[public_id("message", one) for one in queued])


class MissingOut(BaseModel):
    """A variable that was written and is undefined or empty, and where its author wrote it. `block`: the shared block it
    stands in, or ''."""

    field: Annotated[str, Field(description="`source` of MJML and Markdown", examples=["source.blocks[2].text"])]
    block: str
    line: int
    column: int
    name: str


class PreviewOut(BaseModel):
    """What was filled in."""

    subject: str
    html: str
    text: str
    preheader: str
    missing: list[MissingOut]

    @classmethod
    def of(cls, shown: content.Preview) -> "PreviewOut":
        """As JSON shows it."""
        return cls(
            subject=shown.subject,
            html=shown.html,
            text=shown.text,
            preheader=shown.preheader,
            missing=[MissingOut(**asdict(one)) for one in shown.missing],
        )

"""Histories, of templates and blocks alike."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Path
from pydantic import BaseModel, Field

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Of a version."""
InPath = Annotated[Number, Path()]


class VersionOut(BaseModel):
    """One version in a history."""

    version: int
    created_by: str
    created_at: datetime
    current: bool


V = TypeVar("V", bound=VersionOut)


class Versions(BaseModel, Generic[V]):
    """A history, newest first."""

    items: list[V]


class DifferenceOut(BaseModel):
    """Unified diffs, '' where nothing changed."""

    older: int
    newer: int
    html_content: str
    text_content: str

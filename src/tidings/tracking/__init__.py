"""Whose link is this, and was it a person? Link tokens, and telling people from machines. Owns no table."""

from tidings.tracking._agents import classify
from tidings.tracking._tokens import MAX_LENGTH, Subject, Tokens

__all__ = ["MAX_LENGTH", "Subject", "Tokens", "classify"]

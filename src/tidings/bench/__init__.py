"""Measurements of this installation with its real roles: what `tidings bench …` runs."""

from tidings.bench._campaign import message_size

__all__ = ["message_size"]

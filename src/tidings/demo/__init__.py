"""A real campaign to simulated people, whose every deed is known: the whole of Tidings in a minute."""

from tidings.demo._run import run

__all__ = ["run"]

"""The command line: `tidings …`.

Files with an underscore declare commands, one a kind of thing, and import late, so that `--help` is there at once; the
others do what a command asks for, and print it.
"""

from tidings.cli._app import app, main

__all__ = ["app", "main"]

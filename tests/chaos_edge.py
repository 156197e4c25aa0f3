"""`tidings role edge` to which one self-made certificate is Amazon's: `python chaos_edge.py PEM WRITER`.

All of the edge but the fetching of that certificate, which would ask Amazon.
"""

import sys
from pathlib import Path

from tidings import cli
from tidings.edge import _certificates


def main(pem: str, writer: str) -> None:
    """Run until told to stop."""
    made = Path(pem).read_bytes()

    async def fetch(_: object, url: str) -> bytes:
        assert url.endswith("-chaos.pem"), url
        return made

    _certificates.SnsClient._fetch = fetch  # type: ignore[method-assign]
    sys.argv[1:] = ["role", "edge", "--writer", writer]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:3])

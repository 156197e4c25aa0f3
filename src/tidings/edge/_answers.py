"""What every answer has: headers, and the pages for what went wrong."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from tidings.edge import _pages

Headers = list[tuple[str, str]]

# A Location is a URI (RFC 9110 §10.2.2): what is not ASCII, or is white space, is percent-encoded, the rest stays as written.
_URI = "!#$%&'()*+,/:;=?@[]~"

_BODY_LIMIT = 64 * 1024
_BODY_SECONDS = 20.0

PRIVATE: Headers = [
    ("cache-control", "no-store, private, max-age=0"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
]
TEXT: Headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")]
JSON: Headers = [("content-type", "application/json"), *PRIVATE]


def html_headers(*, form_action: Sequence[str] = (), frame_ancestors: Sequence[str] = ()) -> Headers:
    """Of a page without scripts. A form may lead here, and, after its POST, to the origins in `form_action`."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action "
        + " ".join(["'self'", *form_action])
        + "; frame-ancestors "
        + (" ".join(frame_ancestors) or "'none'")
    )
    return [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy), *PRIVATE]


HTML = html_headers()

# A message is its author's: in a sandbox, without scripts, forms or the origin's cookies, but with its pictures and styles.
_MESSAGE_POLICY = (
    "default-src 'none'; img-src * data:; style-src 'unsafe-inline' *; font-src * data:; media-src *; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
_SHOWN: Headers = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", _MESSAGE_POLICY)]
MESSAGE: Headers = [*_SHOWN, *PRIVATE]
"""Of a message to one person."""
_PUBLIC: Headers = [("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff")]
PUBLIC_MESSAGE: Headers = [*_SHOWN, *_PUBLIC]
"""Of a message that anybody may read."""
PUBLIC_HTML: Headers = [*(one for one in HTML if one not in PRIVATE), *_PUBLIC]


def location(url: str) -> tuple[str, str]:
    """The header that leads to an address."""
    return "location", quote(url, safe=_URI)


async def read_body(scope: Any, proto: Any, *, limit: int = _BODY_LIMIT) -> bytes | None:
    """The request's body; None if it is larger than any form of ours. Raises TimeoutError when it does not come."""
    length = scope.headers.get("content-length") or "0"
    if not length.isdecimal() or int(length) > limit:
        return None
    if length != "0":
        # As long as it says, which the server sees to: whole, in one step instead of part by part.
        async with asyncio.timeout(_BODY_SECONDS):
            return await proto()
    body = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for part in proto:
            body += part
            if len(body) > limit:
                return None
    return bytes(body)


def not_found(proto: Any, language: str = "en") -> None:
    """This address is none of ours."""
    proto.response_bytes(404, HTML, _pages.message("not_found", language))


def too_large(proto: Any, language: str = "en") -> None:
    """More than a form sends."""
    proto.response_bytes(413, HTML, _pages.message("too_large", language))


def not_allowed(proto: Any, allowed: str) -> None:
    """This address does not take that method."""
    page = _pages.problem("Not possible", "This address cannot do that.")
    proto.response_bytes(405, [("allow", allowed), *HTML], page)


def busy(proto: Any) -> None:
    """The database is away."""
    text = "We could not do this just now. Please try again in a minute."
    proto.response_bytes(503, [("retry-after", "30"), *HTML], _pages.problem("Please try again", text))


def broken(proto: Any) -> None:
    """We failed."""
    text = "Something went wrong on our side. It has been noted; please try again later."
    proto.response_bytes(500, HTML, _pages.problem("That did not work", text))

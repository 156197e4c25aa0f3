"""What is ours in a template that is rendered: whose message it is, what it may cost, and two tags for its URLs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import unescape
from io import StringIO
from types import MappingProxyType
from typing import Any, TextIO

from liquid import RenderContext, Tag, TokenStream
from liquid.ast import BlockNode, Node
from liquid.output import LimitedStringIO
from liquid.parser import get_parser
from liquid.template import BoundTemplate
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG, Token
from markupsafe import escape

from tidings.content._limits import CLOCK, MAX_OUTPUT, Budget

PERSONAL: Mapping[str, str] = MappingProxyType(
    {"unsubscribe_url": "u", "preferences_url": "p", "view_in_browser_url": "v"}
)
"""Variables that are a recipient's own URLs, `{base}/u/{token}`: those are not followed up."""


@dataclass(frozen=True, slots=True)
class RecipientUrls:
    """Where the links of a message lead. `base` is the edge's address without a slash at the end."""

    base: str
    sign: Callable[[str, str], str]
    """(token, destination) to the tail after `/c/{token}/` of a link whose destination is known only now."""

    @property
    def own(self) -> tuple[str, ...]:
        """How the recipient's own URLs begin."""
        return tuple(f"{self.base}/{kind}/" for kind in PERSONAL.values())

    def tracked(self, token: str, destination: str, *, html: bool) -> str:
        """The destination behind a signed redirect if it is a web address, else itself."""
        address = destination.strip()
        if html:
            address = _IGNORED.sub("", address)  # as browsers do
        if not _WEB.fullmatch(address) or address.startswith(self.own):
            return destination
        signed = f"{self.base}/c/{token}/{self.sign(token, address)}"
        return signed if html else destination.replace(address, signed)


_WEB = re.compile(r"https?://[^\x00-\x1f\x7f]+", re.IGNORECASE)
_IGNORED = re.compile(r"[\t\r\n]")


class BoundedContext(RenderContext):
    """A render context that counts loop turns over the whole template, and knows whose message it renders."""

    __slots__ = ("budget", "token", "urls")

    def __init__(self, template: BoundTemplate, **options: Any) -> None:
        super().__init__(template, **options)
        self.budget = Budget()
        self.token = ""
        self.urls = RecipientUrls("", lambda _token, destination: destination)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:  # noqa: ARG002 - python-liquid's signature
        """For the output of a block: bounded, and with line breaks left as they are, unlike python-liquid's own."""
        return LimitedStringIO(limit=MAX_OUTPUT, newline="\n")

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Count `length` turns more."""
        self.budget.loop(length)

    def assign(self, key: str, val: Any) -> None:
        """Set a variable. Unlike python-liquid's own it does not look at all others each time."""
        CLOCK.check()
        self.locals[key] = self.budget.keep(val)

    def copy(self, namespace: Mapping[str, object], *args: Any, **options: Any) -> RenderContext:
        """For what `render` renders: the same budget and recipient."""
        copied = super().copy(namespace, *args, **options)
        assert isinstance(copied, BoundedContext)
        copied.budget, copied.token, copied.urls = self.budget, self.token, self.urls
        return copied


class UrlNode(Node):
    """`{% tidings_url c /3 %}`: one of this recipient's own URLs, `{base}/c/{token}/3`."""

    __slots__ = ("kind", "tail")

    def __init__(self, token: Token, kind: str, tail: str) -> None:
        super().__init__(token)
        self.kind, self.tail = kind, tail
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the URL: nothing in it needs escaping."""
        assert isinstance(context, BoundedContext)
        return buffer.write(f"{context.urls.base}/{self.kind}/{context.token}{self.tail}")


class UrlTag(Tag):
    """Parses `tidings_url`."""

    name = "tidings_url"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        kind, _, tail = stream.expect(TOKEN_EXPRESSION).value.partition(" ")
        return UrlNode(token, kind, tail)


class LinkNode(Node):
    """`{% tidings_link %}…{% endtidings_link %}`: a link whose destination is known only when it is rendered."""

    __slots__ = ("block",)

    def __init__(self, token: Token, block: BlockNode) -> None:
        super().__init__(token)
        self.block = block
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Render the destination, and write it behind a signed redirect."""
        assert isinstance(context, BoundedContext)
        inner = context.get_buffer(buffer)
        self.block.render(context, inner)
        return buffer.write(signed_link(context.urls, context.token, inner.getvalue(), html=context.autoescape))

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> list[Node]:  # noqa: ARG002
        """What is inside."""
        return [self.block]


def signed_link(urls: RecipientUrls, token: str, rendered: str, *, html: bool) -> str:
    """What stands for a rendered destination; in HTML it comes and goes escaped."""
    if not html:
        return urls.tracked(token, rendered, html=False)
    destination = unescape(rendered)
    tracked = urls.tracked(token, destination, html=True)
    return rendered if tracked == destination else str.__str__(escape(tracked))


class LinkTag(Tag):
    """Parses `tidings_link`."""

    name = "tidings_link"
    end = "endtidings_link"

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        block = get_parser(self.env).parse_block(stream, (self.end,))
        stream.expect(TOKEN_TAG, value=self.end)
        return LinkNode(token, block)


class TickNode(Node):
    """Renders nothing, and raises when the time is up."""

    def __str__(self) -> str:
        return ""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:  # noqa: ARG002
        CLOCK.check()
        return 0

"""python-liquid as we use it: strict, bounded, blocks in place of files, two tags of our own for the wire."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from liquid import Environment, Mode, RenderContext, Tag, TokenStream, Undefined
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TablerowNode, TablerowTag
from liquid.exceptions import LiquidSyntaxError, TemplateNotFoundError
from liquid.extra.tags.snippet_tag import SnippetNode, SnippetTag
from liquid.loader import BaseLoader, TemplateSource
from liquid.output import LimitedStringIO
from liquid.parser import get_parser
from liquid.template import BoundTemplate
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG, Token
from markupsafe import escape

from tidings.content._extra_filters import EXTRA
from tidings.content._filters import OURS
from tidings.content._limits import CLOCK, MAX_OUTPUT, Budget, bounded_filter, check_range
from tidings.content._scan import trouble

PERSONAL: Mapping[str, str] = MappingProxyType(
    {"unsubscribe_url": "u", "preferences_url": "p", "view_in_browser_url": "v"}
)
"""Variables that are a recipient's own URLs, `{base}/u/{token}`: those are not followed up."""
NO_BLOCKS: Mapping[str, str] = MappingProxyType({})


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


class BoundedTemplate(BoundTemplate):
    """A template rendered with a BoundedContext."""

    context_class = BoundedContext

    def _get_buffer(self) -> StringIO:
        return LimitedStringIO(limit=MAX_OUTPUT, newline="\n")


class _Loop(LoopExpression):
    """Counts through no range that takes long: python-liquid goes over all that an offset skips."""

    __slots__ = ()

    def _to_iter(self, obj: object, context: RenderContext) -> tuple[Iterator[Any], int]:
        return super()._to_iter(check_range(obj), context)


class _ForNode(ForNode):
    """Looks at the clock in every turn."""

    def __init__(self, token: Token, expression: Any, block: BlockNode, default: BlockNode | None = None) -> None:
        expression.__class__ = _Loop  # python-liquid's parser makes its own
        block.nodes.insert(0, TickNode(token))
        super().__init__(token, expression, block, default)


class TickNode(Node):
    """Renders nothing, and raises when the time is up."""

    def __str__(self) -> str:
        return ""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:  # noqa: ARG002
        CLOCK.check()
        return 0


class _ForTag(ForTag):
    node_class = _ForNode


class _TablerowNode(TablerowNode):
    """Looks at the clock in every turn."""

    def __init__(self, token: Token, expression: Any, block: BlockNode) -> None:
        expression.__class__ = _Loop
        block.nodes.insert(0, TickNode(token))
        super().__init__(token, expression, block)


class _TablerowTag(TablerowTag):
    node_class = _TablerowNode


class InlineNode(SnippetNode):
    """A block within the template, `{% snippet card %}…{% endsnippet %}`, that `{% render card %}` renders."""

    def __init__(self, token: Token, name: Any, block: BlockNode) -> None:
        block.nodes.insert(0, TickNode(token))
        super().__init__(token, name, block)
        self.blank = False

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> list[Node]:
        """What is inside, unless it is looked at where it is rendered."""
        super().children(static_context, include_partials=include_partials)
        return [] if include_partials else [self.block]


class _InlineTag(SnippetTag):
    node_class = InlineNode


class Blocks(BaseLoader):
    """Where `render` and `include` find what they name: each parsed once, and looking at the clock when rendered."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.names = frozenset(sources)
        self._sources = sources
        self._parsed: dict[str, BoundTemplate] = {}

    def get_source(self, env: Environment, template_name: str, **_options: Any) -> TemplateSource:  # noqa: ARG002
        """A block's source. Raises TemplateNotFoundError."""
        try:
            return TemplateSource(self._sources[template_name], template_name, None)
        except KeyError:
            raise TemplateNotFoundError(template_name, token=None) from None

    def load(self, env: Environment, name: str, **_options: Any) -> BoundTemplate:
        """A block as a template. Raises TemplateNotFoundError, LiquidError."""
        if name not in self._parsed:
            source = self.get_source(env, name).text
            if found := trouble(source):
                raise LiquidSyntaxError(found[1], token=Token(TOKEN_TAG, "", found[0], source))
            template = env.from_string(source, name=Path(name).name, path=name)
            template.nodes.insert(0, TickNode(Token(TOKEN_TAG, "", 0, source)))
            self._parsed[name] = template
        return self._parsed[name]


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


class _UrlTag(Tag):
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


class _LinkTag(Tag):
    name = "tidings_link"
    end = "endtidings_link"

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        block = get_parser(self.env).parse_block(stream, (self.end,))
        stream.expect(TOKEN_TAG, value=self.end)
        return LinkNode(token, block)


class ContentEnvironment(Environment):
    """Strict about syntax and filters, bounded in what it costs; `blocks` by name are what `render` and `include` find."""

    template_class = BoundedTemplate
    output_stream_limit = MAX_OUTPUT

    def __init__(
        self,
        *,
        html: bool,
        wire: bool = False,
        blocks: Mapping[str, str] = NO_BLOCKS,
        undefined: type[Undefined] = Undefined,
    ) -> None:
        super().__init__(
            tolerance=Mode.STRICT, strict_filters=True, autoescape=html, loader=Blocks(blocks), undefined=undefined
        )
        self.add_tag(_ForTag)
        self.add_tag(_TablerowTag)
        self.add_tag(_InlineTag)
        if wire:
            self.add_tag(_UrlTag)
            self.add_tag(_LinkTag)
        self.filters |= {**EXTRA, **OURS}
        self.filters = {name: bounded_filter(name, function) for name, function in self.filters.items()}

"""python-liquid as we use it: strict, bounded, blocks in place of files, two tags of our own for the wire."""

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from liquid import Environment, Mode, RenderContext, Undefined
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TablerowNode, TablerowTag
from liquid.exceptions import LiquidSyntaxError, LiquidTypeError, TemplateNotFoundError
from liquid.extra import CallTag, WithTag
from liquid.extra.tags.snippet_tag import SnippetNode, SnippetTag
from liquid.loader import BaseLoader, TemplateSource
from liquid.output import LimitedStringIO
from liquid.template import BoundTemplate
from liquid.token import TOKEN_TAG, Token

from tidings.content._extra_filters import EXTRA
from tidings.content._filters import OURS
from tidings.content._inheritance import BlockTag, ExtendsTag, MacroTag
from tidings.content._limits import CLOCK, MAX_OUTPUT, bounded_filter, check_range
from tidings.content._local_filters import LOCAL
from tidings.content._messages import MessageTag, message_filters
from tidings.content._own_tags import BoundedContext, LinkTag, TickNode, UrlTag
from tidings.content._scan import trouble

NO_BLOCKS: Mapping[str, str] = MappingProxyType({})


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

    def _slice(self, *given: Any, **told: Any) -> tuple[Iterator[Any], int]:
        try:
            return super()._slice(*given, **told)
        except ValueError:
            raise LiquidTypeError("a loop's limit must not be negative", token=self.token) from None


class _ForNode(ForNode):
    """Looks at the clock in every turn."""

    def __init__(self, token: Token, expression: Any, block: BlockNode, default: BlockNode | None = None) -> None:
        expression.__class__ = _Loop  # python-liquid's parser makes its own
        block.nodes.insert(0, TickNode(token))
        super().__init__(token, expression, block, default)


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
        # What renders, or looks for slots to fill, looks no further than python-liquid does.
        return [] if include_partials or isinstance(static_context, BoundedContext) else [self.block]


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
        CLOCK.check()  # a chain of blocks that extend each other is as long as one makes it
        if name not in self._parsed:
            source = self.get_source(env, name).text
            if found := trouble(source):
                raise LiquidSyntaxError(found[1], token=Token(TOKEN_TAG, "", found[0], source))
            template = env.from_string(source, name=Path(name).name, path=name)
            template.nodes.insert(0, TickNode(Token(TOKEN_TAG, "", 0, source)))
            self._parsed[name] = template
        return self._parsed[name]


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
        for tag in (_InlineTag, ExtendsTag, BlockTag, MacroTag, CallTag, WithTag, MessageTag):
            self.add_tag(tag)
        if wire:
            self.add_tag(UrlTag)
            self.add_tag(LinkTag)
        # Ours last: a name that python-liquid's extra filters have too, `money`, means what it meant.
        self.filters |= {**EXTRA, **LOCAL, **message_filters(html=html), **OURS}
        self.filters = {name: bounded_filter(name, function) for name, function in self.filters.items()}

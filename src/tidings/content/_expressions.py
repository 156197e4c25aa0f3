"""Liquid expressions as Python expressions over a recipient's row.

Where the operands' types are known the Python is direct (`'vip' in row[8]`); where they are not it calls python-liquid's
own operators, so that nothing can come out differently. What is not handled raises Unsupported, and python-liquid
renders that node itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Literal, TypeAlias, cast

from liquid import Environment, RenderContext, Undefined
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalNotExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
    _eq,
    _le,
    _lt,
    is_truthy,
)
from liquid.builtin.expressions.path import Path
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    Nil,
    RangeLiteral,
    StringLiteral,
    TrueLiteral,
)
from liquid.context import builtin
from liquid.expression import Expression
from markupsafe import Markup, escape

from tidings.content._context import (
    BLANK,
    CONTACT_FIELDS,
    CONTACT_ID,
    CREATED_AT,
    PERSONAL,
    TAGS,
    TEXT_FIELDS,
    TOP_FIELDS,
    Occasion,
)
from tidings.content._limits import contains


class Unsupported(Exception):
    """The compiler does not know this: python-liquid has to do it."""


@dataclass(frozen=True, slots=True)
class Code:
    """A Python expression, and what is known of its value.

    field: a str that may be empty, and is BlankText then for Liquid · text: a str · texts: a list of str ·
    own_url: a str, one of the recipient's own URLs, of the kind `value` · constant: `value` · absent: nothing, and it
    may be ABSENT · any: nothing.
    """

    source: str
    kind: Literal["field", "text", "texts", "own_url", "constant", "absent", "any"] = "any"
    value: object = None


Scope: TypeAlias = "tuple[list[dict[str, str]], frozenset[str], str, dict[str, Code]]"
"""loops, assigned, local, arguments of Names."""


@dataclass(slots=True)
class Names:
    """What names mean at one place of a template, and the constants that the generated function refers to."""

    environment: Environment
    context: RenderContext
    """Of no recipient: for the rules of looking up items."""
    occasion: Occasion
    assigned: frozenset[str]
    """Names that `assign` and `capture` set anywhere in the template, or in the block that is being compiled."""
    loops: list[dict[str, str]] = field(default_factory=list)
    """Variables of loops round this place, as Python names."""
    local: str = "loc"
    """Where the generated function keeps what is assigned."""
    block: bool = False
    """In a block that `render` has called."""
    outer: "list[Scope]" = field(default_factory=list)
    """What is round a slot: it has variables of its own, and sees all others."""
    arguments: dict[str, "Code"] = field(default_factory=dict)
    """What `render` handed over."""
    globals: dict[str, object] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    """Items of loops round this place to where each stands if it is a plain object; '' as long as nobody asked."""
    needs_attributes: bool = False
    needs_full: bool = False
    needs_campaign: bool = False
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.globals |= {
            "BLANK": BLANK, "truthy": is_truthy, "eq": _eq, "lt": _lt, "le": _le, "contains": contains,
            "walk": partial(_walk, self.context.get_item), "builtin": builtin, "ABSENT": _ABSENT,
        }  # fmt: skip

    def fresh(self, letter: str) -> str:
        """A name that is not taken."""
        return f"{letter}{next(self._numbers)}"

    @property
    def scope(self) -> Scope:
        """Variables of this place."""
        return self.loops, self.assigned, self.local, self.arguments

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self.loops, self.assigned, self.local, self.arguments = scope

    def undefined(self, path: Path) -> str:
        """What stands for a path that leads nowhere."""
        name = str(path) if self.environment.undefined is not Undefined else str(path.head())
        return self.constant(self.environment.undefined(name, token=path.token))

    def constant(self, value: object) -> str:
        """The name of a constant in the generated function."""
        name = self.fresh("k")
        self.globals[name] = value
        return name


_ABSENT = object()
"""A variable that is not there, where more of its path follows: what is undefined may be strict about being looked into."""


def _walk(get_item: Callable[[Any, Any], Any], value: object, path: Sequence[object], undefined: object) -> object:
    """The rest of a path from a value on, as RenderContext.get goes it."""
    if value is _ABSENT:
        return undefined
    try:
        for segment in path:
            value = get_item(value, segment)
    except (KeyError, TypeError, IndexError):
        return undefined
    return value


class Expressions:
    """Translates expressions in one template."""

    def __init__(self, names: Names, *, html: bool) -> None:
        self.names = names
        self._html = html

    def value(self, expression: Expression) -> str:
        """Python for exactly what python-liquid would hand on."""
        code = self.code(expression)
        if code.kind == "field":
            return f"({code.source} or BLANK)"
        return code.source

    def code(self, expression: Expression) -> Code:
        """Python for an expression, and what is known of it. Raises Unsupported."""
        match expression:
            case FilteredExpression():
                return self._filtered(expression)
            case Path():
                return self._path(expression)
            case StringLiteral():
                # As python-liquid has it: what the template's author wrote is markup.
                return self._constant(Markup(expression.value) if self._html else expression.value)  # noqa: S704
            case TrueLiteral() | FalseLiteral() | IntegerLiteral() | FloatLiteral():
                return self._constant(expression.value)
            case Nil():
                return self._constant(None)
            case Empty() | Blank():
                return Code(self.names.constant(expression))
            case RangeLiteral():
                make = self.names.constant(expression._make_range)
                return Code(f"{make}({self.value(expression.start)}, {self.value(expression.stop)})")
            case _:
                raise Unsupported(type(expression).__name__)

    def truth(self, expression: Expression) -> str:
        """Python for whether Liquid takes it as true. Raises Unsupported."""
        match expression:
            case BooleanExpression():
                return self.truth(expression.expression)
            case LogicalAndExpression():
                return f"({self.truth(expression.left)} and {self.truth(expression.right)})"
            case LogicalOrExpression():
                return f"({self.truth(expression.left)} or {self.truth(expression.right)})"
            case LogicalNotExpression():
                return f"(not {self.truth(expression.right)})"
            case EqExpression():
                return self.equal(expression.left, expression.right)
            case NeExpression():
                return f"(not {self.equal(expression.left, expression.right)})"
            case LtExpression():
                return self._compare("lt", expression.token, expression.left, expression.right)
            case GtExpression():
                # Operands in python-liquid's order of evaluation do not matter: they have no effects.
                return self._compare("lt", expression.token, expression.right, expression.left)
            case LeExpression():
                return f"le({self.value(expression.left)}, {self.value(expression.right)})"
            case GeExpression():
                return f"le({self.value(expression.right)}, {self.value(expression.left)})"
            case ContainsExpression():
                return self._contains(expression)
            case _:
                return self._truth_of(self.code(expression))

    def equal(self, left: Expression, right: Expression) -> str:
        """Python for `left == right`."""
        for one, other in ((left, right), (right, left)):
            if isinstance(other, StringLiteral) and isinstance(one, Path):
                # Whatever the path leads to, comparing with a string is Python's own comparison.
                code = self.code(one)
                return f"({code.source} == {other.value!r})"
        return f"eq({self.value(left)}, {self.value(right)})"

    def _compare(self, operator: str, token: object, left: Expression, right: Expression) -> str:
        return f"{operator}({self.names.constant(token)}, {self.value(left)}, {self.value(right)})"

    def _contains(self, expression: ContainsExpression) -> str:
        left, right = expression.left, expression.right
        if isinstance(right, StringLiteral) and right.value:
            code = self.code(left)
            if code.kind in {"texts", "field", "text"}:
                return f"({right.value!r} in {code.source})"
        return self._compare("contains", expression.token, left, right)

    def _truth_of(self, code: Code) -> str:
        match code.kind:
            case "constant":
                return repr(is_truthy(code.value))
            case "field":
                return f"({code.source} != '')"
            case "text" | "texts" | "own_url":
                return "True"
            case "any":  # mostly true, false, or a text, which is true
                return f"((q := {code.source}) is True or q is not False and (type(q) is str or truthy(q)))"
            case "absent":
                return f"truthy({code.source})"

    def _constant(self, value: object) -> Code:
        return Code(self.names.constant(value), "constant", value)

    # paths ------------------------------------------------------------------------------------------------------

    def _path(self, path: Path) -> Code:
        root = path.head()
        if not isinstance(root, str):
            raise Unsupported("a path that begins with a path")
        for frame in reversed(self.names.loops):
            if root in frame:
                if not frame[root]:
                    raise Unsupported("what is in a slot as a value")
                return self._rest(Code(frame[root]), path)
        if root == "partial":  # python-liquid's own, before all others
            return self._rest(self._constant(self.names.block), path)
        if root in self.names.assigned:
            local = self._rest(Code(f"{self.names.local}[{root!r}]"), path)
            outer = self._handed(root, path)
            source = f"({outer.source} or BLANK)" if outer.kind == "field" else outer.source
            return Code(f"({local.source} if {root!r} in {self.names.local} else {source})")
        return self._handed(root, path)

    def _handed(self, root: str, path: Path) -> Code:
        if root in self.names.arguments:
            given = self.names.arguments[root]
            if given.kind == "absent":
                whole = f"({given.source} if {given.source} is not ABSENT else {self.names.undefined(path)})"
                given = Code(given.source if len(path.path) > 1 else whole)
            return self._rest(given, path)
        if self.names.outer:
            return self._outside(path)
        return self._global(root, path)

    def _outside(self, path: Path) -> Code:
        """What a path leads to round the slot it stands in."""
        if any(isinstance(one, Path) for one in path.path):
            raise Unsupported("a path by variables, which the slot may have set")
        names, inner = self.names, self.names.scope
        names.scope = names.outer.pop()
        try:
            return self._path(path)
        finally:
            names.outer.append(names.scope)
            names.scope = inner

    def _global(self, root: str, path: Path) -> Code:
        rest = path.path[1:]
        if self.names.occasion.open:
            if root in {"now", "today"}:
                self.names.needs_attributes = True
                return self._rest(
                    Code(f"(attributes[{root!r}] if {root!r} in attributes else builtin[{root!r}])"), path
                )
            return self._rest(self._attribute(path, root), path)
        if root == "contact":
            if rest and isinstance(rest[0], str) and rest[0] not in {"size", "first", "last"}:
                name = rest[0]
                known = self._contact_field(name) if name in CONTACT_FIELDS else self._attribute(path, name, 2)
                return self._rest(known, path, 2)
        elif root in {"campaign", "workspace"}:
            if len(rest) == 1 and isinstance(rest[0], str):
                return self._occasion(root, rest[0], path)
        elif root in PERSONAL:
            kind = PERSONAL[root]
            head = f"{self.names.occasion.urls.base}/{kind}/"
            return self._rest(Code(f"({head!r} + token)", "own_url", kind), path)
        elif root in CONTACT_FIELDS and root in TOP_FIELDS:
            return self._rest(self._contact_field(root), path)
        elif root not in TOP_FIELDS:
            return self._rest(self._attribute(path, root), path)
        self.names.needs_full = True
        return self._rest(Code(f"full[{root!r}]"), path)

    def _contact_field(self, name: str) -> Code:
        match name:
            case "tags":
                return Code(f"row[{TAGS}]", "texts")
            case "created_at":
                return Code(f"row[{CREATED_AT}]")
            case "id":
                return Code(f"f'contact_{{row[{CONTACT_ID}]}}'", "text")
            case "name":
                first, last = TEXT_FIELDS["first_name"], TEXT_FIELDS["last_name"]
                return Code(f"f'{{row[{first}]}} {{row[{last}]}}'.strip()", "field")
            case "attributes":
                self.names.needs_attributes = True
                return Code("attributes")
            case _:
                return Code(f"row[{TEXT_FIELDS[name]}]", "field")

    def _attribute(self, path: Path, name: str, done: int = 1) -> Code:
        self.names.needs_attributes = True
        if len(path.path) > done and self.names.environment.undefined is not Undefined:
            return Code(f"attributes.get({name!r}, ABSENT)")
        return Code(f"attributes.get({name!r}, {self.names.undefined(path)})")

    def _occasion(self, root: str, name: str, path: Path) -> Code:
        if (root, name) == ("campaign", "subject"):
            return Code("subject", "field")
        occasion = self.names.occasion
        self.names.needs_campaign |= root == "campaign"
        known: Mapping[str, object] = occasion.campaign("") if root == "campaign" else occasion.workspace()
        if name not in known:
            return Code(f"walk({self.names.constant(known)}, ({name!r},), {self.names.undefined(path)})")
        return self._constant(known[name])

    def _rest(self, base: Code, path: Path, done: int = 1) -> Code:
        """What the path leads to from `base` on, which stands for its first segments."""
        rest: Sequence[str | int | Path] = path.path[done:]
        if not rest:
            return base
        if (
            len(rest) == 1
            and isinstance(rest[0], str)
            and rest[0] not in {"size", "first", "last"}
            and base.kind == "any"
        ):
            # What is nearly always so, without a call: an item of a plain object.
            key, items = repr(rest[0]), self.names.items
            if base.source in items:
                name = items[base.source] = items[base.source] or self.names.fresh("d")
                missed = f"walk({base.source}, ({key},), {self.names.undefined(path)})"
                return Code(f"({name}[{key}] if {key} in {name} else {missed})")
            name = self.names.fresh("t")
            missed = f"walk({name}, ({key},), {self.names.undefined(path)})"
            return Code(f"({name}[{key}] if type({name} := {base.source}) is dict and {key} in {name} else {missed})")
        segments = "".join(f"{self.value(one) if isinstance(one, Path) else repr(one)}, " for one in rest)
        source = f"({base.source} or BLANK)" if base.kind == "field" else base.source
        return Code(f"walk({source}, ({segments}), {self.names.undefined(path)})")

    # filters ----------------------------------------------------------------------------------------------------

    def _filtered(self, expression: FilteredExpression) -> Code:
        filters = expression.filters or []
        code = self.code(expression.left)
        for number, one in enumerate(filters, 1):
            simple = self._default(code, one, last=number == len(filters))
            code = simple or Code(self._filter(code, one))
        return code

    def _default(self, code: Code, one: Filter, *, last: bool) -> Code | None:
        """`{{ first_name | default: 'friend' }}`, the commonest filter of all, without a call."""
        if one.name != "default" or code.kind != "field" or len(one.args) != 1 or not last:
            return None
        fallback = one.args[0].value
        if not isinstance(fallback, StringLiteral) or isinstance(one.args[0], KeywordArgument):
            return None
        if self._html and str(escape(fallback.value)) != fallback.value:
            return None  # it is markup: to be written as it stands, unlike the field
        return Code(f"({code.source} or {fallback.value!r})", "text")

    def _filter(self, left: Code, one: Filter) -> str:
        function = self.names.environment.filters.get(one.name)
        if function is None or getattr(function, "with_context", False):
            raise Unsupported(f"filter {one.name}")
        if getattr(function, "with_environment", False):
            function = partial(function, environment=self.names.environment)
        source = f"({left.source} or BLANK)" if left.kind == "field" else left.source
        arguments = [source]
        for argument in one.args:
            value = self.value(argument.value)
            if isinstance(argument, KeywordArgument):
                if not argument.name.isidentifier():
                    raise Unsupported(f"argument {argument.name}")
                value = f"**{{{argument.name!r}: {value}}}"
            arguments.append(value)
        # Python wants keyword arguments after positional ones, Liquid does not care.
        arguments.sort(key=lambda text: text.startswith("**"))
        return f"{self.names.constant(cast('object', function))}({', '.join(arguments)})"

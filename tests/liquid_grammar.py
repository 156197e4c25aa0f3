# ruff: noqa: E501 - tables read better unbroken
"""Random Liquid over every tag and filter that python-liquid has, and data of every kind that JSON has.

What there is comes from an environment of python-liquid: a filter of a new version is tried at once, with as many
arguments as its signature has room for, and a tag of a new version fails `test_every_tag_has_a_form`.
A seed makes a case: that is thirty times as fast as drawing each piece from hypothesis, and most mistakes are rare.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from liquid import Environment
from liquid.extra import SnippetTag

KNOWN = Environment(extra=True)
KNOWN.add_tag(SnippetTag)
del KNOWN.filters["money"]  # of this name we have our own
NAMES = ("a", "b", "c", "d", "x", "y", "k-b", "q_1", "items", "size", "first", "forloop", "tablerowloop", "p", "now_")
SLOTS = ("s", "s", "t")
"""Names of what `block` makes."""
BLOCKS = ("p", "row", "deep")
"""Names of blocks, which `render` and `include` find."""
TEXTS = (
    "", " ", "a", "b", "Ada", "O'Brien & Söhne", "<b>x</b>", "&amp;", "two  words", "a,b,,c", "1", "-2.5", "0x1f", "1e3", "007",
    "2026-11-25", "2026-11-25T23:30:00+02:00", "March 14, 2016", "1152098955", "İstanbul", "straße", "日本語", "👩‍👩‍👧", "שלום",
    "e\u0301", "\u00a0", "\n", "\r\n", "tab\tb", "%41+%zz", "YWJj", "YWJj=", "\x00", "%Y", "true", "nil", "size", "a.b", "{{ x }}", "'\"\\",
    "\u2028", "\ufeff", "x" * 300, "A B C D E F", " lead", "trail ", "z&<>\"'", "<!-- c --><script>s</script>", "ﬁ", "ǅ", "Σ",
)  # fmt: skip
NUMBERS = (
    *range(-3, 12), 100, 2**31, 2**53 + 1, 2**63, 2**64, 10**25, -(10**25),
    0.0, -0.0, 0.1, 2.5, -1.75, 3.999, 1e20, 1.5e-7, 1e308, 1e16, 123456789.123,
)  # fmt: skip
KEYS = ("a", "b", "size", "first", "last", "é", "", "0")
LITERALS = (
    "nil", "true", "false", "0", "1", "-1", "3", "2.5", "-0.5", "''", "'a'", '"b"', "' '", "'size'", "'%Y-%m-%d'",
    "'%A %B %-d %H:%M:%S %j %s %%'", "','", "'é<'", "'2026-02-29'", "99999999999999999999", "(1..3)", "(1..n)", "(3..1)", "('1'..n)", "(n..4)",
)  # fmt: skip
STEPS = (
    ".a",
    ".b",
    ".size",
    ".first",
    ".last",
    "[0]",
    "[-1]",
    "[1]",
    "['a']",
    '["b"]',
    "[x]",
    "[a.b]",
    ".é",
    "['']",
    "[ 'a' ]",
)
LOOPED = ("items", "items", "a", "b", "(1..3)", "(n..4)", "a.b", "nosuch", "'text'", "p", "nil")
LOOP_OPTIONS = (
    "",
    "",
    " limit: 2",
    " offset: 1",
    " reversed",
    " limit: x offset: a",
    " limit:1, offset:1",
    " offset: continue",
    " reversed limit: 2",
)


def arguments_of(function: Callable[..., Any]) -> tuple[int, int, list[str]]:
    """How many arguments a filter must have beside the value, how many it may have, and their names."""
    inner = inspect.unwrap(function)
    if not inspect.isfunction(inner):
        inner = type(inner).__call__
    parameters = [one for one in inspect.signature(inner).parameters.values() if one.name != "self"][1:]
    parameters = [one for one in parameters if one.name not in {"environment", "context"}]
    needed = [
        one for one in parameters if one.default is one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
    ]
    parameters = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
    placed = [one for one in parameters if one.kind is not one.KEYWORD_ONLY]
    return len(needed), len(placed), [one.name for one in parameters]


@dataclass
class Grammar:
    """Writes Liquid; `careless` is how often it makes mistakes that a template's author would be told of."""

    random: Random
    careless: float = 0.02
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=lambda: KNOWN.filters)

    def one(self, *among: str) -> str:
        """One of these."""
        return self.random.choice(among)

    def slip(self) -> bool:
        """Is this a mistake?"""
        return self.random.random() < self.careless

    # data ---------------------------------------------------------------------------------------------------------

    def scalar(self) -> Any:
        """What JSON has that holds nothing."""
        match self.random.randrange(8):
            case 0:
                return self.random.choice((None, True, False))
            case 1 | 2:
                return self.random.choice(NUMBERS)
            case 3:
                return round(self.random.uniform(-100, 100), self.random.randrange(4))
            case 4:
                return "".join(
                    chr(self.random.choice((0x41, 0xE9, 0x5D0, 0x1F600, 0x20, 0x7B, 0x25))) for _ in range(4)
                )
            case _:
                return self.random.choice(TEXTS)

    def value(self, depth: int = 0) -> Any:
        """Anything that JSON has."""
        size = self.random.choice((0, 1, 2, 3, 3, 5))
        match self.random.randrange(9) if depth < 3 else 8:
            case 0:
                return [self.value(depth + 1) for _ in range(size)]
            case 1:
                return {self.random.choice(KEYS): self.value(depth + 1) for _ in range(size)}
            case 2:
                return [{key: self.scalar() for key in KEYS[: self.random.randrange(3)]} for _ in range(size)]
            case 3:
                return [self.random.choice(NUMBERS) for _ in range(size)]
            case 4:
                return [self.random.choice(TEXTS) for _ in range(size)]
            case _:
                return self.scalar()

    def data(self) -> dict[str, Any]:
        """A template's variables."""
        # `n` is what ranges go to: there is no telling what python-liquid would make of 10^25 items.
        small = self.random.choice((*range(-2, 7), "3", "x", None, 2.7, True, [], {}))
        return {"n": small} | {name: self.value() for name in NAMES if self.random.random() < 0.6}

    # expressions --------------------------------------------------------------------------------------------------

    def path(self) -> str:
        """What leads somewhere, or nowhere."""
        head = self.one(*NAMES, *NAMES, "nosuch", "['a']", "[x]", "forloop.index", "forloop.parentloop.index0")
        return head + "".join(self.one(*STEPS) for _ in range(self.random.choice((0, 0, 0, 1, 1, 2))))

    def operand(self) -> str:
        """What can be written out."""
        return self.path() if self.random.random() < 0.6 else self.one(*LITERALS)

    def compared(self) -> str:
        """What can be compared: two of these would tell their address in memory if they were written out."""
        return self.one("empty", "blank") if self.random.random() < 0.15 else self.operand()

    def filter(self, name: str | None = None) -> str:
        """A filter with as many arguments as it takes, seldom with one more or less, or one by name."""
        name = name or self.one(*sorted(self.filters))
        needed, most, named = arguments_of(self.filters[name])
        count = self.random.randint(needed, most) if not self.slip() else self.random.randrange(4)
        arguments = [self.operand() for _ in range(count)]
        if named and (self.slip() or (count < len(named) and self.random.random() < 0.1)):
            arguments.insert(self.random.randrange(len(arguments) + 1), f"{named[-1]}: {self.operand()}")
        return f"{name}: {', '.join(arguments)}" if arguments else name

    def expression(self) -> str:
        """What stands in an output."""
        return " | ".join([self.operand(), *(self.filter() for _ in range(self.random.choice((0, 1, 1, 2, 3))))])

    def condition(self) -> str:
        """What stands in an `if`."""
        text = ""
        for number in range(self.random.choice((1, 1, 1, 2, 3))):
            operator = self.one("", "", "==", "!=", "<>", "<", "<=", ">", ">=", "contains")
            if number:
                text += self.one(" and ", " or ")
            text += f"{self.compared()} {operator} {self.compared()}" if operator else self.operand()
        return text

    # templates ----------------------------------------------------------------------------------------------------

    def template(self, depth: int = 0, pieces: int = 5) -> str:
        """A template, or what is within a tag."""
        return "".join(self.piece(depth) for _ in range(self.random.randint(0 if depth else 1, pieces)))

    def piece(self, depth: int = 0) -> str:
        """A tag with what is in it, an output or text."""
        if depth > 2 or self.random.random() < 0.4:
            return self.one(self.form("output", depth), self.form("content", depth))
        tag = self.one(*(tag for tag in FORMS if tag != "illegal" or self.slip()))
        return self.form(tag, depth)

    def form(self, tag: str, depth: int) -> str:
        """A tag by its name."""
        return FORMS[tag](self, depth + 1)

    def blocks(self) -> dict[str, str]:
        """What `render` and `include` find."""
        return {name: self.template(1, 3) for name in BLOCKS if self.random.random() < 0.9}

    def handed(self) -> str:
        """What follows the name of a block."""
        what = self.one("", "", " with {}", " for {}", " with {} as x", " for {} as row", " for items").format(
            self.path()
        )
        given = ", ".join(
            f"{self.one('a', 'x', 'row', 'k-b')}: {self.operand()}" for _ in range(self.random.choice((0, 0, 1, 2)))
        )
        return what + (f", {given}" if given else "")

    def choice(self, tag: str, depth: int) -> str:
        """`if` and `unless`."""
        dash = self.one("", "", "-")
        text = f"{{%{dash} {tag} {self.condition()} {dash}%}}{self.template(depth, 2)}"
        for _ in range(self.random.choice((0, 0, 1, 2))):
            text += f"{{% elsif {self.condition()} %}}{self.template(depth, 2)}"
        if self.random.random() < 0.5:
            text += f"{{% else %}}{self.template(depth, 2)}"
        return text + f"{{% end{tag} {dash}%}}"

    def case(self, depth: int) -> str:
        """`case`, with more than one `else` now and then, and values that repeat."""
        text = f"{{% case {self.operand()} %}}{self.one('', ' ', 'text')}"
        for part in self.random.choices(("when", "else"), (3, 1), k=self.random.randrange(4)):
            tests = self.one(", ", " or ").join(self.compared() for _ in range(self.random.choice((1, 1, 2, 3))))
            text += f"{{% {part} {tests if part == 'when' else ''} %}}{self.template(depth, 2)}"
        return text + "{% endcase %}"

    def loop(self, depth: int) -> str:
        """`for`."""
        name = self.one("i", "x", "a", "k-b")
        text = f"{{% for {name} in {self.one(*LOOPED)}{self.one(*LOOP_OPTIONS)} %}}{{{{ {name} }}}}{self.template(depth, 2)}"
        text += self.one(
            "",
            "",
            "{% break %}",
            "{{ forloop.index }}{{ forloop.rindex0 }}{{ forloop.name }}",
            "{{ forloop.parentloop.length }}",
        )
        if self.random.random() < 0.3:
            text += f"{{% else %}}{self.template(depth, 2)}"
        return text + "{% endfor %}"

    def rows(self, depth: int) -> str:
        """`tablerow`."""
        options = self.one("", " cols: 2", " cols: x limit: 3", " cols:2 offset: 1", " limit: 1")
        inside = self.one("{{ i }}", "{{ tablerowloop.col }}{{ tablerowloop.last }}", "{{ tablerowloop.row }}")
        return f"{{% tablerow i in {self.one(*LOOPED)}{options} %}}{inside}{self.template(depth, 1)}{{% endtablerow %}}"

    def given(self, *names: str) -> str:
        """Arguments by name."""
        return ", ".join(f"{name}: {self.operand()}" for name in names if self.random.random() < 0.6)

    def macro(self, depth: int) -> str:
        """`macro`, mostly with its call."""
        name = self.one("m", "m", "m2")
        text = f"{{% macro {name} {self.one('', 'x', 'x, a: 1', 'x: y, q_1: 2')} %}}{{{{ x }}}}{self.one('', '{{ args }}{{ kwargs }}')}"
        return f"{text}{self.template(depth, 2)}{{% endmacro %}}{self.call() if self.random.random() < 0.8 else ''}"

    def call(self) -> str:
        """`call`."""
        told = ", ".join(self.operand() for _ in range(self.random.choice((0, 1, 1, 2, 3))))
        return f"{{% call {self.one('m', 'm', 'm2')} {', '.join(filter(None, (told, self.given('a', 'other'))))} %}}"

    def slot(self, depth: int) -> str:
        """`block`."""
        name = self.one(*SLOTS)
        inside = self.template(depth, 2) + self.one(
            "",
            "",
            "{{ block.super }}",
            "{% assign a = block.super %}{{ a | upcase }}",
            "{% if block.super %}y{% endif %}",
        )
        return (
            f"{{% block {name}{self.one('', '', '', '', ' required')} %}}{inside}{{% endblock {self.one('', name)} %}}"
        )

    def message(self) -> str:
        """`translate`."""
        text = "".join(
            self.one(" Hello ", "{{ x }}", "{{ a }}", "\n  you ", "<b> 5% & ", "%(x)s", "%%")
            for _ in range(self.random.randrange(5))
        )
        plural = self.one("", "{% plural %} many {{ count }} {{ x }}")
        return f"{{% translate {self.given('x', 'count', 'context')} %}}{text}{plural}{{% endtranslate %}}"

    def lines(self) -> str:
        """What is in a `liquid` tag."""
        return "\n".join(
            self.one(
                f"echo {self.expression()}",
                f"assign {self.one(*NAMES)} = {self.expression()}",
                f"if {self.condition()}\n  echo a\nelse\n  echo b\nendif",
                f"case {self.operand()}\nwhen {self.compared()}\n echo 1\nendcase",
                "# note", "increment c", "cycle 'a', 'b'", "for i in items\n echo i\nendfor", "render 'p'", "comment\n echo 1\nendcomment", "",
            )
            for _ in range(self.random.randint(1, 3))
        )  # fmt: skip


def _named(quoted: str) -> str:
    return f"'{quoted}'"


FORMS: Mapping[str, Callable[[Grammar, int], str]] = {
    "if": lambda make, depth: make.choice("if", depth),
    "unless": lambda make, depth: make.choice("unless", depth),
    "case": lambda make, depth: make.case(depth),
    "for": lambda make, depth: make.loop(depth),
    "tablerow": lambda make, depth: make.rows(depth),
    "assign": lambda make, _: f"{{% assign {make.one(*NAMES)} = {make.expression()} %}}",
    "capture": lambda make, depth: f"{{% capture {make.one(*NAMES)} %}}{make.template(depth, 2)}{{% endcapture %}}",
    "echo": lambda make, _: f"{{% echo {make.expression()} %}}",
    "cycle": lambda make, _: (
        f"{{% cycle {make.one('', '', 'x: ', 'nosuch: ', '1: ')}{make.operand()}, {make.operand()} %}}"
    ),
    "increment": lambda make, _: f"{{% increment {make.one(*NAMES)} %}}",
    "decrement": lambda make, _: f"{{% decrement {make.one(*NAMES)} %}}",
    "ifchanged": lambda make, depth: f"{{% ifchanged %}}{make.template(depth, 2)}{{% endifchanged %}}",
    "include": lambda make, _: (
        f"{{% include {_named(make.one(*BLOCKS)) if not make.slip() else make.one('x', _named('nosuch'))}{make.handed()} %}}"
    ),
    "render": lambda make, _: (
        f"{{% render {_named(make.one(*BLOCKS)) if not make.slip() else _named('nosuch')}{make.handed()} %}}"
    ),
    "comment": lambda make, depth: f"{{% comment %}}{make.template(depth, 2)}{{% endcomment %}}",
    "doc": lambda make, depth: f"{{% doc %}}{make.template(depth, 2)}{{% enddoc -%}}",
    "raw": lambda make, depth: f"{{% raw -%}} {make.template(depth, 2)}{{% endraw %}}",
    "#": lambda make, _: f"{{% # {make.one('note', 'it is ' + chr(39), '')} %}}",
    "liquid": lambda make, _: f"{{% liquid\n{make.lines()}\n%}}",
    "snippet": lambda make, depth: (
        f"{{% snippet s %}}{make.template(depth, 2)}{{% endsnippet %}}{make.one('', '{% render s %}')}{{% render s{make.handed()} %}}"
        if make.random.random() < 0.3
        else ""
    ),
    "with": lambda make, depth: (
        f"{{% with {make.given('a', 'x', 'forloop')} %}}{make.template(depth, 2)}{{% endwith %}}"
    ),
    "macro": lambda make, depth: make.macro(depth),
    "call": lambda make, _: make.call(),
    "block": lambda make, depth: make.slot(depth),
    "extends": lambda make, depth: (
        f"{{% extends {_named(make.one(*BLOCKS))} %}}{make.slot(depth)}" if make.random.random() < 0.3 else ""
    ),
    "translate": lambda make, _: make.message(),
    "break": lambda make, _: f"{{% if {make.condition()} %}}{{% break %}}{{% endif %}}" if make.slip() else "",
    "continue": lambda make, _: (
        f"{{% for i in items %}}{{% if {make.condition()} %}}{{% continue %}}{{% endif %}}{{{{ i }}}}{{% endfor %}}"
    ),
    "illegal": lambda make, _: make.one(
        "{% nosuch %}", "{% else %}", "{% endif %}", "{% when 1 %}", "{{ a b }}", "{% if %}"
    ),
    "output": lambda make, _: f"{{{{{make.one(' ', ' ', '- ')}{make.expression()}{make.one(' ', ' ', ' -')}}}}}",
    "content": lambda make, _: make.one(
        *(one for one in TEXTS if "{" not in one), "\n  ", "}}", "%}", "{", "<p>", "  "
    ),
}
"""How each tag is written, by python-liquid's own names for them."""

"""Links found and replaced, text derived from HTML: with Liquid in the way."""

from contextlib import suppress
from itertools import pairwise
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.content import TemplateInvalid, compile_liquid, replace_html_links, replace_text_links
from tidings.content._plaintext import plain_text, single_spaced


def found(source: str, *, html: bool) -> list[tuple[str, bool]]:
    """Every link that is offered, and whether it has Liquid in it."""
    seen: list[tuple[str, bool]] = []

    def note(link: str, dynamic: bool) -> None:
        seen.append((link, dynamic))

    unchanged = replace_html_links(source, note) if html else replace_text_links(source, note)
    assert unchanged == source
    return seen


@pytest.mark.parametrize(
    ("source", "links"),
    [
        ('<a href="https://a.example/?x=1&amp;y=2">', [("https://a.example/?x=1&y=2", False)]),
        ("<A CLASS=x HREF='https://a.example'>", [("https://a.example", False)]),
        ("<a href=https://a.example/b>", [("https://a.example/b", False)]),
        ('<a\n title="a > b" href = "https://a.example"\n>', [("https://a.example", False)]),
        (
            '<a title="{{ "x" }}" {% if a > 3 %}class="b"{% endif %} href="https://a.example">',
            [("https://a.example", False)],
        ),
        ('<a href="{{ url | append: "?x=" }}">', [('{{ url | append: "?x=" }}', True)]),
        ('<a href="https://a.example/{% if x %}1{% endif %}">', [("https://a.example/{% if x %}1{% endif %}", True)]),
        (
            '<area href="https://a.example"><v:rect href="https://b.example">',
            [("https://a.example", False), ("https://b.example", False)],
        ),
        ('<!--[if mso]><a href="https://a.example"></a><![endif]-->', [("https://a.example", False)]),
        ('<!-- <a href="https://a.example"> --><script>"<a href=\'x\'>"</script><style>a</style>', []),
        ('<link href="https://a.example"><abbr href="x"><a name="x">', []),
        ('{% raw %}<a href="https://a.example">{% endraw %}', []),
        ('<a data-href="no" href="yes" href="no">', [("yes", False)]),
        ("<a href={{- x -}}>", []),
        ('<a href="\ue000{{ x }}">', [("\ue000{{ x }}", True)]),
    ],
)
def test_links_of_html(source: str, links: list[tuple[str, bool]]) -> None:
    assert found(source, html=True) == links


@pytest.mark.parametrize(
    ("source", "links"),
    [
        ("see https://a.example.", ["https://a.example"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/x_(y)!", ["https://a.example/x_(y)"]),
        ("<https://a.example> 'https://b.example'", ["https://a.example", "https://b.example"]),
        ("https://a.example/{{ id | append: 'b c' }}?x, y", ["https://a.example/{{ id | append: 'b c' }}?x"]),
        ("xhttps://a.example ftp://b.example", []),
    ],
)
def test_links_of_text(source: str, links: list[str]) -> None:
    assert [link for link, _ in found(source, html=False)] == links


def test_links_are_replaced_where_they_stand() -> None:
    source = '{{ a }}<a href="https://a.example">{{ b }}</a> <a href="{{ c }}">{% if d %}x{% endif %}</a>{{ e }}'
    assert replace_html_links(source, lambda link, _: f"[{link}]") == source.replace(
        "https://a.example", "[https://a.example]"
    ).replace("{{ c }}", "[{{ c }}]")
    text = "{{ a }} https://a.example, {% if b %}https://b.example{% endif %} {{ c }}"
    replaced = replace_text_links(text, lambda link, _: None if "endif" in link else f"[{link}]")
    assert replaced == "{{ a }} [https://a.example], {% if b %}[https://b.example]{% endif %} {{ c }}"
    # What may go on after the tag stays whole.
    for text in (
        "https://a.example/?q=1{% increment n %}{% if x %}",
        "{% if a %}https://a.example{% endif %}/path",
        "https://a.example {%- if a %}b{% endif %}",
        "{https://a.example/x {{ b }}",
        "{% if a %}https://a.example{% endif -%} b",
    ):
        assert replace_text_links(text, lambda link, _: None if "{" in link else "wrapped") == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi {{ first_name }},</p><p>bye</p>", "Hi {{ first_name }},\n\nbye\n"),
        ("a<br>b<br/>c<br><br>d", "a\nb\nc\n\nd\n"),
        ("<ul>\n <li>one</li>\n <li>two</li></ul>", "- one\n- two\n"),
        ("<h1>Title</h1>  text <b>bold</b>\n more", "Title\n\ntext bold more\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ('<a href="https://a.example/?x=1&amp;y=2">Shop</a>', "Shop (https://a.example/?x=1&y=2)\n"),
        (
            '<a href="https://a.example/?x=1&amp;y={{ y | replace: "&amp;", "" }}&amp;z=3">Shop</a>',
            'Shop (https://a.example/?x=1&y={{ y | replace: "&amp;", "" }}&z=3)\n',
        ),
        ('<a href="https://a.example">https://a.example</a>', "https://a.example\n"),
        ('<a href="https://a.example"><img src="x"></a>', "https://a.example\n"),
        ('<a href="{{ unsubscribe_url }}">Leave</a>', "Leave ({{ unsubscribe_url }})\n"),
        ('<a href="mailto:a@b.example">Mail</a> <a href="#x">up</a>', "Mail up\n"),
        ("a&nbsp;&amp;&lt;b&gt; &eacute; &#128512;", "a &<b> é 😀\n"),
        ('<a href="https://a.example/"><img src="x.png" alt="A &amp; B"></a>', "A & B (https://a.example/)\n"),
        ('<a href="https://a.example/"><img alt="" src="x.png"></a><img alt="alone">', "https://a.example/\n"),
        (
            '<a href="{{ u }}"><img {% if p %}class="{{ c }}"{% endif %} alt="{{ t }} pot" src="{{ s }}"></a>{{ z }}',
            "{% if p %}{% endif %}{{ t }} pot ({{ u }}){{ z }}\n",
        ),
        ("<p>a</p><div>&#8202;</div><p>&zwnj;&nbsp;&#8203;</p><p>b\u200dc</p>", "a\n\nb\u200dc\n"),
        ("{% if a %}<p>x</p>{% else %}<p>y</p>{% endif %}", "{% if a %}\n\nx\n\n{% else %}\n\ny\n\n{% endif %}\n"),
        ("<style>a{}</style><title>t</title><script>s</script><!-- c -->x", "x\n"),
        ("<head>{% assign a = 1 %}<style>{{ css }}</style></head>{{ a }}", "{% assign a = 1 %}\n{{ a }}\n"),
        ('<td {% if a %}class="b"{% endif %}>x</td>', "{% if a %}{% endif %}x\n"),
        ("&#123;&#123; x }} &lbrace;% y %}", "{{ '{' }}{{ '{' }} x }} {{ '{' }}% y %}\n"),
        ("{% raw %}{{ x }}{% endraw %}", "{% raw %}{{ x }}{% endraw %}\n"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert plain_text(html) == text
    compile_liquid(text)


blank_lines = st.text(alphabet=" \t\n\nab\xa0", max_size=40)


@settings(max_examples=1000, deadline=None)
@given(blank_lines)
def test_at_most_one_empty_line(text: str) -> None:
    spaced = single_spaced(text)
    lines = spaced.split("\n")[:-1]  # what follows the last line break is no line yet
    assert not lines or lines[0].strip(" \t")
    assert not any(not a.strip(" \t") and not b.strip(" \t") for a, b in pairwise(lines))
    assert [one for one in spaced.split("\n") if one.strip(" \t")] == [
        one for one in text.split("\n") if one.strip(" \t")
    ]
    assert single_spaced(spaced) == spaced


@pytest.mark.parametrize(
    "bad",
    [
        "<a ",
        '<a href="',
        "<!--",
        "<style>",
        "<a href='x' ",
        '<a "',
        "{{",
        "{% raw %}",
        "<p>{{ x }}",
        "&#123;",
        "<a href=x>",
        "{{ x }} {% raw %}",
        "{{%",
        "{",
        "{% doc %}",
        "{% comment %}{{",
        "{% comment %}{% raw %}",
        "{% comment %}{% doc %}{%",
        "{% endcomment %}{% comment %}{% a",
    ],
)
def test_no_input_takes_long(bad: str) -> None:
    """Linear: five seconds would be a thousand times the time it takes."""
    source = bad * (100_000 // len(bad))
    started = thread_time()
    replace_html_links(source, lambda _link, _dynamic: None)
    replace_text_links(source, lambda _link, _dynamic: None)
    plain_text(source)
    with suppress(TemplateInvalid):
        compile_liquid(source)
    assert thread_time() - started < 5


@pytest.mark.parametrize("tag", ["<a {}>", "<a {}=>", "<a b{}='c' {}>", "<a {}", "<a b= {}>"])
@pytest.mark.parametrize("filler", ["a", " ", "=", "a=", "a ", "a='' "])
def test_no_tag_takes_long(tag: str, filler: str) -> None:
    source = tag.replace("{}", filler * (100_000 // len(filler)))
    started = thread_time()
    replace_html_links(source, lambda _link, _dynamic: None)
    plain_text(source)
    assert thread_time() - started < 5


@pytest.mark.parametrize(
    "source",
    [
        "{{" + " " * 100_000 + "}}",
        "{% if" + "\n" * 100_000 + "%}",
        "{%" + "a" * 100_000 + "%}",
        "{{ a" + " b" * 50_000 + " }}",
    ],
)
def test_no_piece_of_liquid_takes_long(source: str) -> None:
    started = thread_time()
    with pytest.raises(TemplateInvalid):
        compile_liquid(source)
    assert thread_time() - started < 5


def test_spaces_in_raw_text_are_text() -> None:
    assert compile_liquid("{% raw %}" + " " * 500 + "{{" + "{% endraw %}").render((), "", "", {}, "") == [
        " " * 500 + "{{"
    ]

"""`json`: for the structured data that mail programs read, and never longer than a value may be."""

import json

import pytest

from tidings.content import RenderError, render_liquid

THING = {"name": '"Cup" </script>', "sizes": [1, 2.5, None, True], "of": {"deep": [[]]}}


def _made(source: str, *, html: bool = False) -> str:
    return render_liquid(source, data={"x": THING}, blocks={}, html=html, strict=False)


@pytest.mark.parametrize("source", ["{{ x | json }}", "{{ x | json: 2 }}", "{{ x | json: indent: 3 }}"])
def test_it_is_json(source: str) -> None:
    assert json.loads(_made(source)) == THING
    assert json.loads(_made(source.replace(" }}", " | safe }}"), html=True)) == THING
    assert '"' not in _made(source, html=True)


@pytest.mark.parametrize("indent", ["100000000", "indent: 99999999999"])
def test_no_indentation_takes_the_memory(indent: str) -> None:
    with pytest.raises(RenderError, match="line 1, column 8: what comes out may be 1,000,000 characters at most"):
        _made(f"{{{{ x | json: {indent} }}}}")


def test_what_json_has_no_form_for_is_told() -> None:
    with pytest.raises(RenderError, match="not JSON serializable"):
        _made("{{ nobody | json }}")

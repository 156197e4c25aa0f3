"""Large templates and the API: nobody else waits while one is saved, previewed, checked, compared or sent as a test.

What is measured is what this process computed between two beats of its loop, in all its threads: a wait that somebody else on
this machine caused is no fault of ours.
"""

import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api_client import Client
from loop_heart import watched
from tidings.bootstrap import App

SIZE = 190_000
MOST_SECONDS = 0.05


def _filled(head: str, piece: str, tail: str = "") -> str:
    many = (SIZE - len(head) - len(tail)) // len(piece)
    return head + piece * many + tail


STYLE = "<style>.a{color:red} p{margin:0} .b td{padding:1px} table p.a{font-size:12px}</style>"
CELL = "<table class='b'><tr><td><p class='a'>Hello {{ first_name }}, words <a href='https://example.com/x'>go</a></p></td></tr></table>\n"
SOURCES: dict[str, dict[str, Any]] = {
    "html": {"html_content": _filled(STYLE, CELL)},
    "inlined": {"html_content": _filled(STYLE, CELL), "inline_css": True},
    "mjml": {
        "source_type": "mjml",
        "source": _filled(
            "<mjml><mj-body>",
            "<mj-section><mj-column><mj-text>Hello {{ first_name }}, " + "words and words " * 60 + "</mj-text>"
            "<mj-button href='https://example.com/x'>go</mj-button></mj-column></mj-section>\n",
            "</mj-body></mjml>",
        ),
    },
    "markdown": {
        "source_type": "markdown",
        "source": _filled(
            "# News\n\n", "Hello {{ first_name }}, " + "**words** and words " * 20 + "[go](https://example.com/x)\n\n"
        ),
    },
}


@pytest.fixture
def frozen() -> Iterator[None]:
    """What is there before is not looked through for garbage, as in every role: here it is that of all tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.soak] if kind == "html" else []) for kind in SOURCES]
)  # with its styles inlined it goes the same ways, and one more
async def test_nobody_waits_for_a_large_template(api: Client, app: App, kind: str) -> None:
    del app
    await api("POST", "/providers", {"name": "S", "kind": "sandbox", "is_default": True})
    contact = (await api("POST", "/contacts", {"email": "ann@example.com", "first_name": "Ann"})).json["id"]
    body = {"name": "T", "subject": "S", **SOURCES[kind]}
    small = {"name": "small", "subject": "S", "html_content": "<p>" + "x" * 20_000 + "</p>"}
    await api("POST", "/templates", small)  # the process that reads large ones is there
    told: dict[str, tuple[float, float, float]] = {}

    async def measure(what: str, method: str, path: str, sent: Any = None) -> Any:
        began = time.perf_counter()
        answer, heart = await watched(lambda: api(method, path, sent))
        assert answer.status in {200, 201, 202}, answer
        told[what] = (heart.worst, heart.waited, time.perf_counter() - began)
        return answer.json

    made = await measure("save", "POST", "/templates", body)
    path = f"/templates/{made['id']}"
    field = "html_content" if "html_content" in body else "source"
    changed = {field: body[field].replace("Hello", "Good day", 50), "inline_css": body.get("inline_css", False)}
    await measure("change", "PATCH", path, changed)
    await measure("get", "GET", path)
    await measure("list", "GET", "/templates")
    await measure("diff", "GET", f"{path}/versions/1/diff/2")
    await measure("preview", "POST", f"{path}/preview", {"contact_id": contact, "marked": True})
    await measure("check", "POST", f"{path}/checks", {"links": False, "spam": False, "domain": False})
    unsaved = {name: value for name, value in body.items() if name != "name"}
    await measure("check unsaved", "POST", "/checks", unsaved | {"links": False, "spam": False, "domain": False})
    test = {"to": ["me@example.com"], "contact_id": contact, "sender_email": "s@example.com"}
    await measure("test", "POST", f"{path}/test", test)
    message = {"to": "eve@example.com", "template_id": made["id"], "sender_email": "s@example.com"}
    await measure("message", "POST", "/messages", message)
    lists = (await api("POST", "/lists", {"name": "N"})).json["id"]
    await api("POST", f"/lists/{lists}/contacts", {"contact_ids": [contact]})
    draft = {
        "name": "C",
        "template_id": made["id"],
        "sender_email": "n@example.com",
        "contact_list_ids": [lists],
    }
    campaign = (await measure("campaign", "POST", "/campaigns", draft))["id"]
    await measure("campaign preview", "GET", f"/campaigns/{campaign}/preview")
    await measure("campaign checks", "GET", f"/campaigns/{campaign}/checks")
    await measure("campaign test", "POST", f"/campaigns/{campaign}/test", {"to": ["me@example.com"]})
    await measure("restore", "POST", f"{path}/versions/1/restore")
    await measure("launch", "POST", f"/campaigns/{campaign}/send")
    late = {what: round(times[0], 3) for what, times in told.items() if times[0] >= MOST_SECONDS}
    assert not late, late

"""Forms as mail providers, browsers and HTTP libraries write them, and as nobody should."""

from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_coro
from hypothesis import given
from hypothesis import strategies as st

from tidings.edge._forms import read_form

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
fields = st.dictionaries(
    st.text(
        st.characters(
            codec="utf-8", exclude_characters='"\r\n\0%;\\', exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]
        ),
        min_size=1,
    ),
    st.text(),
    max_size=5,
)


class Collected(bytearray):
    """Where aiohttp writes a body to."""

    async def write(self, part: bytes) -> None:
        self += part

    write_eof = make_mocked_coro(None)


async def multipart(values: dict[str, str]) -> tuple[str, bytes]:
    """Built by aiohttp."""
    writer = aiohttp.MultipartWriter("form-data")
    for name, value in values.items():
        part = writer.append(value)
        part.set_content_disposition("form-data", quote_fields=False, name=name)
    body = Collected()
    await writer.write(body)  # type: ignore[arg-type]
    return writer.headers["Content-Type"], bytes(body)


@given(fields)
def test_urlencoded(values: dict[str, str]) -> None:
    kept = {name: value for name, value in values.items() if value}
    assert read_form("application/x-www-form-urlencoded", urlencode(values).encode()) == kept
    assert read_form("application/x-www-form-urlencoded; charset=UTF-8", urlencode(values).encode()) == kept


@given(fields)
async def test_multipart_by_aiohttp(values: dict[str, str]) -> None:
    assert read_form(*await multipart(values)) == values


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("end", ["", "\r\n"])
def test_multipart_as_in_rfc_8058(quote: str, end: str) -> None:
    # The example of §8.2.
    body = (
        "---FormBoundaryjWmhtjORrn\r\n"
        'Content-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
        f"---FormBoundaryjWmhtjORrn--{end}"
    )
    kind = f"multipart/form-data; boundary={quote}-FormBoundaryjWmhtjORrn{quote}"
    assert read_form(kind, body.encode()) == ONE_CLICK


def test_names_are_not_file_names() -> None:
    head = b'--b\r\nContent-Disposition: form-data; filename="wrong"; name="reason"\r\nContent-Type: text/plain'
    body = head + b"\r\n\r\nx\r\n--b--\r\n"
    assert read_form("Multipart/Form-Data; boundary=b", body) == {"reason": "x"}


def test_the_first_of_each_name_counts() -> None:
    assert read_form("application/x-www-form-urlencoded", b"reason=one&reason=two") == {"reason": "one"}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_what_is_no_form_of_ours_has_no_reason(kind: str) -> None:
    assert "reason" not in read_form(kind, b'{"reason": "x"}')


@given(st.text(), st.binary())
def test_nothing_makes_it_fail(kind: str, body: bytes) -> None:
    read_form(kind, body)


@given(st.text(max_size=80), st.binary(), st.data())
def test_nothing_multipart_makes_it_fail(boundary: str, noise: bytes, data: st.DataObject) -> None:
    whole = f'--{boundary}\r\nContent-Disposition: form-data; name="reason"\r\n\r\nx\r\n--{boundary}--'.encode()
    cut = data.draw(st.integers(0, len(whole)))
    for value in read_form(f"multipart/form-data; boundary={boundary}", whole[:cut] + noise + whole[cut:]).values():
        value.encode()

"""Link tokens: each recipient's comes back, and nobody else can make one."""

import base64
from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from tidings.core.crypto import Keyring
from tidings.core.ids import SendId, WorkspaceId
from tidings.tracking import MAX_LENGTH, Subject, Tokens

TOKENS = Tokens(Keyring("the secret of these tests"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

subjects = st.builds(
    Subject,
    workspace=st.integers(0, 2**32 - 1),
    send=st.integers(0, 2**40 - 1),
    n=st.integers(0, 2**32 - 1),
    contact=st.integers(0, 2**40 - 1),
)
# Lone surrogates, too: a server may hand over what was no UTF-8.
texts = st.text(st.characters(codec=None))


def token_of(subject: Subject, tokens: Tokens = TOKENS) -> str:
    return tokens.for_send(WorkspaceId(subject.workspace), SendId(subject.send))(subject.n, subject.contact)


@given(subjects)
def test_a_token_is_read_as_what_it_was_made_for(subject: Subject) -> None:
    token = token_of(subject)
    assert TOKENS.read(token) == subject
    assert len(token) == MAX_LENGTH
    assert set(token) <= set(ALPHABET)


def test_one_function_serves_a_whole_send() -> None:
    token = TOKENS.for_send(WorkspaceId(3), SendId(4))
    made = {token(n, 1000 + n): n for n in range(1, 500)}
    assert len(made) == 499
    assert all(TOKENS.read(text) == Subject(WorkspaceId(3), SendId(4), n, 1000 + n) for text, n in made.items())  # type: ignore[arg-type]


@given(subjects, st.integers(0, MAX_LENGTH - 1), st.characters(codec=None))
def test_no_character_can_be_another(subject: Subject, at: int, other: str) -> None:
    token = token_of(subject)
    changed = token[:at] + other + token[at + 1 :]
    assert TOKENS.read(changed) == (subject if changed == token else None)


def test_no_bit_can_be_another() -> None:
    token = token_of(Subject(WorkspaceId(1), SendId(2), 3, 4))  # type: ignore[arg-type]
    raw = base64.urlsafe_b64decode(token)
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert TOKENS.read(base64.urlsafe_b64encode(changed).decode()) is None


def test_each_place_takes_only_its_own_character() -> None:
    token = token_of(Subject(WorkspaceId(1), SendId(2), 3, 4))  # type: ignore[arg-type]
    for at, own in enumerate(token):
        for other in {*ALPHABET, *"+/=.% "} - {own}:
            assert TOKENS.read(token[:at] + other + token[at + 1 :]) is None


@given(subjects, st.integers(0, MAX_LENGTH))
def test_no_part_and_no_more_than_the_whole(subject: Subject, length: int) -> None:
    token = token_of(subject)
    assert TOKENS.read(token[:length]) == (subject if length == MAX_LENGTH else None)
    assert TOKENS.read(token + token[:1]) is None
    assert TOKENS.read(token + "=") is None


@given(subjects)
def test_another_installation_cannot_read_it(subject: Subject) -> None:
    assert Tokens(Keyring("another")).read(token_of(subject)) is None


@given(texts)
def test_any_text_is_nobodys(text: str) -> None:
    assert TOKENS.read(text) is None


@given(st.text(alphabet=ALPHABET, min_size=MAX_LENGTH, max_size=MAX_LENGTH))
def test_guesses_of_the_right_form_are_nobodys(text: str) -> None:
    assert TOKENS.read(text) is None


@given(subjects, st.text())
def test_a_carried_destination_comes_back(subject: Subject, url: str) -> None:
    token = token_of(subject)
    u, s = parts_of(TOKENS.dynamic(token, url))
    assert TOKENS.read_dynamic(token, u, s) == url


@given(subjects, st.text(min_size=1), st.data())
def test_a_changed_destination_is_refused(subject: Subject, url: str, data: st.DataObject) -> None:
    token = token_of(subject)
    u, s = parts_of(TOKENS.dynamic(token, url))
    other = st.characters(codec=None)
    at = data.draw(st.integers(0, len(u) - 1))
    changed = u[:at] + data.draw(other) + u[at + 1 :]
    assert TOKENS.read_dynamic(token, changed, s) == (url if changed == u else None)
    at = data.draw(st.integers(0, len(s) - 1))
    changed = s[:at] + data.draw(other) + s[at + 1 :]
    assert TOKENS.read_dynamic(token, u, changed) == (url if changed == s else None)
    assert TOKENS.read_dynamic(token, u[:-1], s) is None
    assert TOKENS.read_dynamic(token, u, s[:-1]) is None


@given(subjects, subjects, st.text())
def test_a_destination_belongs_to_one_token(subject: Subject, other: Subject, url: str) -> None:
    u, s = parts_of(TOKENS.dynamic(token_of(subject), url))
    assert TOKENS.read_dynamic(token_of(other), u, s) == (url if other == subject else None)


@given(texts, texts, texts)
def test_any_texts_lead_nowhere(token: str, u: str, s: str) -> None:
    assert TOKENS.read_dynamic(token, u, s) is None


def parts_of(tail: str) -> tuple[str, str]:
    path, _, query = tail.partition("?")
    assert path == "x"
    fields = parse_qs(query, strict_parsing=True, keep_blank_values=True)
    return fields["u"][0], fields["s"][0]

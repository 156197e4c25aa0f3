"""Settings of the providers over HTTP: what is wrong is told at once, and no credential is ever shown."""

from typing import Any

import pytest

from scripted_http import CONFIGS, SECRETS
from tidings.core.errors import Invalid
from tidings.delivery.providers import check_config, open_provider
from tidings.delivery.providers._http import Answer
from tidings.delivery.providers._mailgun import MailgunConfig
from tidings.delivery.providers._sendgrid import SendgridConfig
from tidings.delivery.providers._ses import SesConfig

_PARSE: dict[str, Any] = {"ses": SesConfig, "sendgrid": SendgridConfig, "mailgun": MailgunConfig}
every_kind = pytest.mark.parametrize("kind", sorted(CONFIGS))


@every_kind
def test_good_settings_and_no_secret_in_sight(kind: str) -> None:
    check_config(kind, CONFIGS[kind], SECRETS[kind])
    config = _PARSE[kind].parse(CONFIGS[kind], SECRETS[kind])
    shown = repr(config) + repr(open_provider(kind, CONFIGS[kind], SECRETS[kind]))
    assert not any(value in shown for value in SECRETS[kind].values())


@every_kind
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"connections": 0}, "connections"),
        ({"connections": True}, "connections"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": "5"}, "timeout_seconds"),
        ({"endpoint": "http://api.example.com"}, "endpoint"),  # the key would travel in clear
        ({"endpoint": "https://user@api.example.com"}, "endpoint"),
        ({"endpoint": "https://api.example.com/path"}, "endpoint"),
        ({"endpoint": "https://a:99999999"}, "endpoint"),
        ({"endpoint": 5}, "endpoint"),
        ({"region": ["us"]}, "region"),
        ({"region": "moon"}, "region"),
        ({"host": "smtp.example.com"}, "host"),
    ],
)
def test_what_is_wrong_is_named(kind: str, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_config(kind, {**CONFIGS[kind], **change}, SECRETS[kind])
    assert caught.value.fields[0].field == field


@every_kind
def test_credentials_belong_to_the_secret_and_stay_out_of_errors(kind: str) -> None:
    for name, value in SECRETS[kind].items():
        with pytest.raises(Invalid) as caught:
            check_config(kind, {**CONFIGS[kind], name: value}, {})
        assert value not in str(caught.value)
        with pytest.raises(Invalid) as caught:
            check_config(kind, CONFIGS[kind], {**SECRETS[kind], name: value + "\r\nX: y"})
        assert caught.value.fields[0].field == name
        assert value not in str(caught.value)
        without = {key: other for key, other in SECRETS[kind].items() if key != name}
        with pytest.raises(Invalid) as caught:
            check_config(kind, CONFIGS[kind], without)
        assert caught.value.fields[0].field == name


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("ses", {"configuration_set": "a b"}, "configuration_set"),
        ("ses", {"tags": {"a b": "c"}}, "tags"),
        ("ses", {"tags": {"a": "c d"}}, "tags.a"),
        ("ses", {"tags": []}, "tags"),
        ("ses", {"test_mode": True}, "test_mode"),
        ("sendgrid", {"categories": [""]}, "categories"),
        ("sendgrid", {"categories": "news"}, "categories"),
        ("sendgrid", {"sandbox_mode": "yes"}, "sandbox_mode"),
        ("sendgrid", {"require_tls": True}, "require_tls"),
        ("mailgun", {"domain": "mg.example.com/x"}, "domain"),
        ("mailgun", {"tags": ["a\r\nb"]}, "tags"),
        ("mailgun", {"ip_pool": "a"}, "ip_pool"),
        ("mailgun", {"test_mode": 1}, "test_mode"),
    ],
)
def test_options_of_one_kind(kind: str, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_config(kind, {**CONFIGS[kind], **change}, SECRETS[kind])
    assert caught.value.fields[0].field == field


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"__type":"SignatureDoesNotMatch","message":"The signature\\n does not match"}', "The signature does not match"),
        (b'{"Message":"Forbidden"}', "Forbidden"),
        (
            b'{"errors":[{"message":"no such sender","field":"from"},{"message":"too large","field":null}]}',
            "from: no such sender; too large",
        ),
        (b'{"errors":[]}', '{"errors":[]}'),
        (b'{"errors":["strange", {"message": 5}]}', '{"errors":["strange", {"message": 5}]}'),
        (b"Forbidden\r\n", "Forbidden"),
        (b'{"message": "cut', '{"message": "cut'),
        (b"[1]", "[1]"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)  # fmt: skip
def test_answers_are_told_in_their_own_words(body: bytes, words: str) -> None:
    assert Answer(400, {}, body).words == words

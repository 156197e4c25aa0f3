"""Settings that follow from others."""

import pytest

from tidings.core.settings import Settings


def test_recipients_reach_the_edge_where_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDINGS_PUBLIC_URL", raising=False)
    monkeypatch.setenv("TIDINGS_EDGE_PORT", "18081")
    assert Settings().public_url == "http://127.0.0.1:18081"
    monkeypatch.setenv("TIDINGS_PUBLIC_URL", "https://go.example.com")
    assert Settings().public_url == "https://go.example.com"

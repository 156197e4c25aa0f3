"""The command line says what is wrong in a sentence, and nothing is lost between two starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidings.up import clear, free_ports


def _tidings(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    return subprocess.run(
        [sys.executable, "-m", "tidings.cli", *words],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (("key", "create"), {"TIDINGS_LOG_LEVEL": "loud"}, "TIDINGS_LOG_LEVEL: input should be"),
        (("up",), {"TIDINGS_SEND_WORKERS": "0"}, "TIDINGS_SEND_WORKERS: input should be greater"),
        (("up",), {"TIDINGS_SEND_WORKER": "2"}, "did you mean TIDINGS_SEND_WORKERS?"),
        (("up",), {"TIDINGS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, "PostgreSQL cannot be reached"),
        (("key", "create"), {}, "is it running? `tidings up` runs"),
        (("provider", "add", "x", "--host", "h"), {}, "is it running? `tidings up` runs"),
        (("role", "send"), {}, "this needs TIDINGS_DATABASE_URL"),
        (("role", "nonsense"), {}, "there is no role 'nonsense'"),
        (("bench", "send", "--smtp", "nonsense"), {}, "give HOST:PORT"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], sentence: str
) -> None:
    done = _tidings(*words, **({"TIDINGS_DATA_DIR": str(tmp_path / "data")} | environment))
    assert done.returncode not in {0, None}
    assert "Traceback" not in done.stderr
    assert sentence in " ".join(done.stderr.split())


async def test_the_first_key_is_shown_though_a_role_cannot_start(tmp_path: Path) -> None:
    api, edge, smtp, http = map(str, free_ports(4))
    environment = {
        "TIDINGS_DATA_DIR": str(tmp_path / "data"),
        "TIDINGS_API_HOST": "192.0.2.1",  # of nobody: the API cannot listen there
        "TIDINGS_API_PORT": api,
        "TIDINGS_EDGE_PORT": edge,
        "TIDINGS_CATCHER_SMTP_PORT": smtp,
        "TIDINGS_CATCHER_HTTP_PORT": http,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings.cli", "up"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"tk_")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
        await clear(tmp_path / "data")

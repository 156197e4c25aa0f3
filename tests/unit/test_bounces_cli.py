"""`tidings classify`: one JSON object a message, whatever the files are."""

import json
import os
from pathlib import Path

from typer.testing import CliRunner

from bounce_mails import GROUP, dsn
from bounce_notices import NOTICES
from tidings.cli import app


def run(*args: str, given: bytes = b"") -> list[dict[str, object]]:
    done = CliRunner().invoke(app, ["classify", *args], input=given)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_files_folders_mailboxes_and_standard_input(tmp_path: Path) -> None:
    qmail = NOTICES["qmail"][0]
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1.eml").write_text(dsn(GROUP))
    (tmp_path / "new" / "2.eml").write_bytes(b"\xff\x00 nothing")
    box = tmp_path / "in.mbox"
    box.write_text(
        f"From x@y.example Wed Nov 25 10:00:00 2026\n{qmail}\nFrom x@y.example Wed Nov 25 10:00:00 2026\n{dsn(GROUP)}\n"
    )
    told = run(str(tmp_path / "new"), str(box))
    assert [(Path(str(t["file"])).name, t["kind"]) for t in told] == [
        ("1.eml", "bounce"),
        ("2.eml", "other"),
        ("in.mbox", "bounce"),
        ("in.mbox", "bounce"),
    ]
    assert told[0] == {
        "file": str(tmp_path / "new" / "1.eml"),
        "kind": "bounce",
        "recipients": [
            {
                "address": "ada@reader.example",
                "action": "failed",
                "status": "5.1.1",
                "permanent": True,
                "class": "hard",
                "reason": "550 5.1.1 User unknown",
            }
        ],
    }
    assert run("-", given=qmail.encode())[0]["file"] == "-"


def test_a_file_that_is_not_there_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "there.eml").write_bytes(b"Subject: Hello\n\nHi\n")
    done = CliRunner().invoke(app, ["classify", "/nowhere/at/all.eml", str(tmp_path / "there.eml")])
    assert done.exit_code == 1
    assert done.stderr == "/nowhere/at/all.eml: cannot be read: No such file or directory\n"
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(tmp_path / "there.eml")]


def test_a_folder_is_read_whatever_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "empty.eml").touch()
    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "deep.eml").write_text(dsn(GROUP))
    (tmp_path / "gone.eml").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait forever
    done = CliRunner().invoke(app, ["classify", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path}/gone.eml: cannot be read: No such file or directory\n"
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(t["file"]).name, t["kind"]) for t in told] == [("empty.eml", "other"), ("deep.eml", "bounce")]

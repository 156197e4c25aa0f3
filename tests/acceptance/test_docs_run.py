"""What the tutorial and the how-to pages tell people to type works, in the order in which people would type it."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from running_system import RunningSystem, running_system
from small_images import small_png

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^( *)```bash\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PROBLEM = re.compile(r'"type":"(urn:tidings:problem:\w+)"')

INVALID, STATE = "urn:tidings:problem:invalid_template", "urn:tidings:problem:campaign_wrong_state"

PAGES: dict[str, list[str]] = {
    "tutorials/first-campaign": [INVALID],  # the mistake that it shows
    "how-to/preview-and-test": [],
    "how-to/check-before-sending": [],
    "how-to/images-and-attachments": [],
    "how-to/import-contacts": [],
    "how-to/work-with-contacts": [],
    "how-to/send-to-a-segment": [],
    "how-to/send-a-message": [],
    "how-to/let-people-sign-up": [],
    "how-to/suppress-and-export": [],
    "how-to/several-providers": [],
    "how-to/real-smtp-server": [],
    "how-to/receive-notifications": [],
    "how-to/sign-with-dkim": [],
    "how-to/receive-bounces": [],
    "how-to/when-a-campaign-fails": [STATE],  # nothing has failed here, so nothing is paused
}
"""Pages, and the problems that their commands may answer with, in order."""

BEFORE: dict[str, str] = {
    "how-to/send-to-a-segment": """call $API/lists -d '{"name": "Others"}'""",
    "how-to/several-providers": "TIDINGS_SMTP_PASSWORD=x tidings provider add Second --host 127.0.0.1 --username me",
}
"""What a page takes for granted."""

NAMED: dict[str, tuple[str, str]] = {
    "how-to/import-contacts": ("import_1", "import_2"),
    "how-to/receive-bounces": ("…", "secret"),
}
"""What a reader puts in the place of something."""

FILES: dict[str, bytes] = {
    "contacts.csv": b"Email,Vorname,Notes\nnew@example.com,Nia,-\nann@example.com,Ann,-\nno address,Ned,-\n",
    "blocked.csv": b"never@example.com\n",
    "newsletter.html": b"<p>Hello, <a href='{{ unsubscribe_url }}'>leave</a></p>",
    "newsletter.mjml": b"<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>",
    "logo.png": small_png(),
    "terms.pdf": b"%PDF-1.4\n%%EOF\n",
}


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages say curl")
async def test_what_the_pages_say_works(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    here = tmp_path / "here"
    (here / ".venv").mkdir(parents=True)
    (here / ".venv/bin").symlink_to(Path(sys.executable).parent)
    for name, content in FILES.items():
        (here / name).write_bytes(content)
    async with running_system(data) as system:
        for page, expected in PAGES.items():
            said = await _run(system, page, here)
            assert PROBLEM.findall(said) == expected, said


async def _run(system: RunningSystem, page: str, here: Path) -> str:
    """What the page's commands print. Fails if one ends with an error."""
    blocks = [found[2].replace(f"\n{found[1]}", "\n") for found in BLOCK.finditer((DOCS / f"{page}.md").read_text())]
    assert blocks, page
    ports = {"8080": "TIDINGS_API_PORT", "8081": "TIDINGS_EDGE_PORT", "8025": "TIDINGS_CATCHER_HTTP_PORT"}
    script = "\n".join([BEFORE.get(page, ""), *blocks]).replace(*NAMED.get(page, ("", "")))
    for port, setting in ports.items():
        script = script.replace(f"127.0.0.1:{port}", f"127.0.0.1:{system.environment[setting]}")
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        f"""API={system.api} KEY={system.key}
            call() {{ curl -sS -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' "$@"; echo; }}
{script}""",
        cwd=here,
        env=os.environ | system.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said = (await shell.communicate())[0].decode()
    assert shell.returncode == 0, f"{page}: {said}"
    return said

"""Puts every page that mkdocs.yml does not name at the end of its folder's section, so that none is forgotten."""
# ruff: noqa: INP001

from pathlib import Path
from typing import Any

_SECTIONS = {
    "tutorials": "Tutorials",
    "how-to": "How to",
    "reference": "Reference",
    "explanation": "Explanation",
    "decisions": "Decisions",
}


def on_config(config: Any) -> Any:
    """Complete the navigation. Called by MkDocs."""
    docs = Path(config["docs_dir"])
    for entry in config["nav"]:
        if not isinstance(entry, dict):
            continue
        for title, pages in entry.items():
            folder = next((name for name, section in _SECTIONS.items() if section == title), None)
            if folder is not None:
                known = {page if isinstance(page, str) else next(iter(page.values())) for page in pages}
                found = sorted(path.relative_to(docs).as_posix() for path in (docs / folder).glob("*.md"))
                pages.extend(page for page in found if page not in known)
    return config

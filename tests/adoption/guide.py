"""The commands of how-to pages, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
#: What the pages name: the settings module, the folder of the emitted files, and the place of the project.
MODULE, FOLDER, PLACE = "mysite.settings.production", "/etc/multihost", "/srv/mysite"


def commands_of(page: str, word: str = "manage.py") -> list[str]:
    """Return the lines of a page's shell blocks that have ``word``."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    lines = [line.strip() for _, kind, block in BLOCK.findall(text) if kind == "shell" for line in block.splitlines()]
    return [line for line in lines if word in line]


def python_of(page: str, word: str) -> str:
    """Return the one block of Python that has ``word``."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    [block] = [block for _, kind, block in BLOCK.findall(text) if kind == "python" and word in block]
    return block

"""Sphinx: sphinx-build -W -b html docs docs/_build. Nothing is fetched, and nothing is written beside the output."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = METADATA["urls"]["Source"]

project = METADATA["name"]
author = METADATA["authors"][0]["name"]
project_copyright = author
version = release = METADATA["version"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"{project} {release}"
html_theme_options = {
    "source_repository": f"{REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "docs/",
}
myst_enable_extensions = ["alert"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
toc_object_entries = False
highlight_language = "python"  # of blocks in docstrings; pages name theirs

#: A page in the list of an index page. The lists are plain Markdown, so that a code host shows them as links.
LISTED = re.compile(r"^- \[[^\]]+\]\(([\w/-]+)\.md\)", re.MULTILINE)


def read_page(app: Sphinx, name: str, source: list[str]) -> None:
    if name == "changelog":
        source[0] = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    elif name.endswith("index"):
        source[0] += contents_of(source[0])


def contents_of(text: str) -> str:
    """Return the table of contents of an index page, which Sphinx needs, from the list that readers see."""
    return "\n".join(["", "```{toctree}", ":hidden:", ":maxdepth: 2", "", *LISTED.findall(text), "```", ""])


def setup(app: Sphinx) -> None:
    app.connect("source-read", read_page)

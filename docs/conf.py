"""Sphinx: sphinx-build -W -b html docs docs/_build. Nothing is fetched, and nothing is written beside the output."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generated
from sphinx.application import Sphinx

project = "wagtail-multihost"
author = "The authors of wagtail-multihost"
project_copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = project
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
toc_object_entries = False


def fill_in(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = generated.filled_in(source[0])


def setup(app: Sphinx) -> None:
    generated.probe_classes(all_extras=True)
    app.connect("source-read", fill_in)

"""Registries in files of a temporary folder."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import wagtail_multihost
from wagtail_multihost.registry import Registry, open_registry

PLATFORM_KEY = "platform-key-0123456789-0123456789-0123456789"
HEAD = f'[platform]\nname = "aviary"\nsecret_key = "{PLATFORM_KEY}"\n'
AURORA = '[sites.aurora]\nhostnames = ["aurora.example.org"]\n'
BOREALIS = '[sites.borealis]\nhostnames = ["borealis.example.org"]\n'

RegistryMaker = Callable[..., Registry]
PACKAGE = Path(wagtail_multihost.__file__).parent


def shown_by_error_pages(error: BaseException) -> str:
    """Return the traceback with the variables of every frame of the package, including earlier exceptions."""
    trace = error.__traceback__
    while trace and not Path(trace.tb_frame.f_code.co_filename).is_relative_to(PACKAGE):
        trace = trace.tb_next
    assert trace, "The error was not raised by the package."
    shown = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    before = shown_by_error_pages(error.__context__) if error.__context__ else ""
    return "".join(shown.format(chain=False)) + before


@pytest.fixture
def registry(tmp_path: Path) -> RegistryMaker:
    """Write ``sites.toml`` and open it."""

    def make(text: str, environ: Mapping[str, str] | None = None) -> Registry:
        path = tmp_path / "sites.toml"
        path.write_text(text, encoding="utf-8", newline="")
        return open_registry(path, environ or {})

    return make

"""Another package's target, installed in a folder of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import call, registry  # noqa: F401  # fixtures
from tests.emitters.conftest import matches_golden  # noqa: F401  # a fixture
from wagtail_multihost.emitters import emitters
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.targets import options_of_target

HERE = Path(__file__).parent
#: Reads what a parser would: the program of the target is not on every machine.
PROGRAM = '#!/bin/sh\nif grep -rq zstd "${5%/*}"; then echo "zstd is not built in"; exit 1; fi\n'


def forget() -> None:
    """Let installed targets be searched again, which a process does only once."""
    for cached in (emitters, declared, options_of_target):
        cached.cache_clear()
    for module in ("multihost_caddy", "other"):
        sys.modules.pop(module, None)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install a module for a target as pip does: its file, and metadata that announce it."""

    def announce(target: str = "caddy", module: str = "multihost_caddy", text: str | None = None) -> Path:
        folder = tmp_path / "site-packages"
        metadata = folder / f"{module}-1.0.dist-info"
        metadata.mkdir(parents=True)
        metadata.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        points = f"[wagtail_multihost.emitters]\n{target} = {module}:EMITTER\n"
        metadata.joinpath("entry_points.txt").write_text(points)
        if text is None:
            shutil.copy(HERE / f"{module}.py", folder)
        else:
            folder.joinpath(f"{module}.py").write_text(text)
        program = tmp_path / "bin/caddy"
        program.parent.mkdir()
        program.write_text(PROGRAM)
        program.chmod(0o755)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        forget()
        return folder

    yield announce
    monkeypatch.undo()
    forget()

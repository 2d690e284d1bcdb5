"""What the cases share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the accounts of servers may pass through, with a short path, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)

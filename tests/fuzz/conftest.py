"""A folder for registries, and what must be true of the result of reading one."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuzz.strategies import HERE, MARKER
from tests.registry.conftest import shown_by_error_pages
from wagtail_multihost.exceptions import MultihostError


class Workshop:
    """A folder with everything that the documents name: links, secret files, a pipe."""

    def __init__(self, folder: Path) -> None:
        import os

        self.folder = folder
        (folder / "real").mkdir()
        (folder / "link").symlink_to("real")
        (folder / "secret").write_text(f"{MARKER}-in-a-file-0123456789-0123456789-0123456789-0123456789\n")
        (folder / "secret").chmod(0o600)
        os.mkfifo(folder / "pipe", 0o600)
        self.environ = {"MARKED": f"{MARKER}-in-a-variable-0123456789-0123456789-0123456789-0123456789", "BLANK": " "}

    def write(self, text: str) -> Path:
        path = self.folder / "sites.toml"
        path.write_text(text.replace(HERE, str(self.folder)), encoding="utf-8", newline="")
        return path


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("fuzz"))


@contextmanager
def nothing_told(*errors: type[Exception]) -> Iterator[list[object]]:
    """
    Allow the package's errors, and ``errors``; whatever is put into the list, raised or logged must not have a
    secret in it: not its text, its representation, its pickle, nor the page that Django shows for an error.
    """
    told: list[object] = []
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        yield told
    except (MultihostError, *errors) as error:
        told += [error, error.args, "".join(traceback.format_exception(error)), getattr(error, "problems", "")]
        told.append(shown_by_error_pages(error))
    finally:
        logging.getLogger().removeHandler(handler)
    for value in [*told, log.getvalue()]:
        assert_untold(value)


def assert_untold(value: object) -> None:
    assert MARKER not in (value if isinstance(value, str) else f"{value}{value!r}")
    if not isinstance(value, str):
        assert MARKER.encode() not in pickle.dumps(value)

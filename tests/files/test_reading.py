"""What may have been put into a file's place is told without following it or waiting for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wagtail_multihost.files.reading import has_mode_and_owner, read_no_follow


def test_regular_files_alone_have_a_content(tmp_path: Path) -> None:
    """Nothing waits for a pipe's writer, and a link is an error."""
    (tmp_path / "file").write_bytes(b"\xff" * 3_000_000)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    data, status = read_no_follow(tmp_path / "file")
    assert (len(data), status.st_size) == (3_000_000, 3_000_000)
    data, status = read_no_follow(tmp_path / "pipe")
    assert (data, stat.S_ISFIFO(status.st_mode)) == (b"", True)
    with pytest.raises(OSError):
        read_no_follow(tmp_path / "link")


@pytest.mark.parametrize(
    ("wanted", "owner", "group", "mode", "expected"),
    [
        ((0, 7), 0, 7, 0o100440, True),
        ((0, 7), 1, 7, 0o100440, False),
        ((0, 7), 0, 8, 0o100440, False),
        ((0, 7), 0, 7, 0o100400, False),
        (None, 5, 8, 0o100440, True),
        (None, 5, 8, 0o100640, False),
    ],
)
def test_file_has_the_access_that_it_should(
    wanted: tuple[int, int] | None, owner: int, group: int, mode: int, expected: bool
) -> None:
    """The mode counts, and the owner and the group where any are wanted."""
    status = os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert has_mode_and_owner(status, 0o440, wanted) is expected

"""Writing many files at once."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from wagtail_multihost.emitters.files import EmittedFile
from wagtail_multihost.emitters.output import Change, State, compare, write
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files import writing

FILES = [EmittedFile(PurePosixPath("uwsgi", f"site-{number}.ini"), f"{OWNERSHIP_LINE}\n") for number in range(3)]


@pytest.mark.parametrize("most", [0, 100])
def test_write_of_many_files_renames_after_all_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Every draft is synced, one by one or all at once, before the first rename, and the new names after the last."""
    calls: list[str] = []
    for name in ("sync", "fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args)))
    monkeypatch.setattr(writing, "MOST_SINGLE_SYNCS", most)
    write(tmp_path, *compare(tmp_path, FILES))
    assert calls == [*(["fsync"] * 3 if most else ["sync"]), *["replace"] * 3, "fsync" if most else "sync"]
    assert [change.state for change in compare(tmp_path, FILES)] == [State.SAME] * 3


def test_write_that_fails_before_the_renames_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last draft cannot be written no file is new, changed or removed."""
    kept = tmp_path / "uwsgi" / "old.ini"
    kept.parent.mkdir()
    kept.write_text(OWNERSHIP_LINE)
    real, calls = os.fchmod, []

    def fail_third(*args: int) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(os, "fchmod", fail_third)
    with pytest.raises(EmitError, match=r"site-2\.ini: No space left on device"):
        write(tmp_path, *compare(tmp_path, FILES), Change(PurePosixPath("uwsgi/old.ini"), State.STALE, OWNERSHIP_LINE))
    assert os.listdir(kept.parent) == ["old.ini"]

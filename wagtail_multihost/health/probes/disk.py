"""Whether there is space on the disks that the process writes to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from django.conf import settings

from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.running import current


@dataclass(frozen=True, kw_only=True)
class DiskProbe(Probe):
    """Compares the free bytes or the free inodes, whichever are scarcer, with limits."""

    is_shared: ClassVar[bool] = True
    component: ClassVar[str] = "system"
    codes: ClassVar[Mapping[str, str]] = {
        "few_bytes": "There is little space left for data.",
        "few_inodes": "There are few inodes left for more files.",
        "missing": "The folder is missing, or cannot be accessed.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    paths: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "meaning": "Folders by the labels to show; none: that of the site (`data`) and that of temporary files "
            "(`temporary`)."
        },
    )
    warn_percent: float = field(default=10, metadata={"meaning": "The percentage left below which it warns."})
    fail_percent: float = field(default=5, metadata={"meaning": "The percentage left below which it fails."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.paths, Mapping) or not all(map(is_labelled_folder, self.paths.items())):
            raise ValueError("The option paths is not accepted: it must be a dictionary of labels and folders.")
        if not 0 <= self.fail_percent <= self.warn_percent <= 100:
            raise ValueError("The limits are not accepted: 0 <= fail_percent <= warn_percent <= 100.")

    def measure(self) -> Iterator[Outcome]:
        for label, path in (self.paths or own_folders()).items():
            yield self.outcome(label, path)

    def outcome(self, label: str, path: str | Path) -> Outcome:
        try:
            status = os.statvfs(path)
        except OSError:
            log_failure("The folder %s (%s) cannot be examined.", label, path, subject=label, traceback=True)
            return failed("missing", subject=label)
        left, code = min(percentages_left(status))
        if left < self.fail_percent:
            return failed(code, left, "percent", subject=label)
        if left < self.warn_percent:
            return warned(code, left, "percent", subject=label)
        return passed(left, "percent", subject=label)


def is_labelled_folder(item: tuple[object, object]) -> bool:
    """Return whether ``item`` is a label and a folder. A number would be taken for a file descriptor."""
    label, path = item
    return isinstance(label, str) and isinstance(path, str | os.PathLike) and "\0" not in str(path)


def percentages_left(status: os.statvfs_result) -> Iterator[tuple[float, str]]:
    """Yield the percentages left for an unprivileged process, computed as by df(1)."""
    used = status.f_blocks - status.f_bfree
    yield percentage_left(status.f_bavail, used), "few_bytes"
    if status.f_files:  # file systems such as Btrfs have no fixed number of inodes
        yield percentage_left(status.f_favail, status.f_files - status.f_ffree), "few_inodes"


def percentage_left(left: int, used: int) -> float:
    return round(100 * left / (left + used), 1) if left + used else 100.0


def own_folders() -> dict[str, str | Path]:
    """Return the folders that this process writes to."""
    folders: dict[str, str | Path] = {}
    running = current()
    if running and running.platform and running.site:
        folder = running.platform.data / "sites" / running.site.id
        # A site whose data is all on servers has none.
        if folder.is_dir():
            folders["data"] = folder
    return {**folders, "temporary": settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir()}

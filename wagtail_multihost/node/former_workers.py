"""
nginx's former workers. After a reload its master starts new ones, waits for 100 ms and only then tells the former ones
to leave (ngx_master_process_cycle in nginx's src/os/unix/ngx_process_cycle.c): until then either may be who answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from wagtail_multihost.launch.descendants import PROC, descendants

#: Seconds that the former workers have to hear it.
LEAVING_SECONDS = 10.0
PAUSE = 0.02
#: Of a worker's title, which /proc shows as its command.
WORKER, LEAVING = b"nginx: worker process", b"is shutting down"


def find_workers(pid_file: Path) -> frozenset[int]:
    """Return the process ids of an nginx's workers; none where it does not run or its master's id is in no file."""
    try:
        master = int(pid_file.read_text())
    except (OSError, ValueError):
        return frozenset()
    return frozenset(pid for pid, parent in descendants(master) if parent == master and takes_connections(pid))


def takes_connections(pid: int) -> bool:
    """Return whether a process is a worker of nginx that was not told to leave."""
    try:
        title = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(WORKER) and LEAVING not in title


def wait_until_left(
    workers: Collection[int], is_stopping: Callable[[], bool], seconds: float = LEAVING_SECONDS
) -> bool:
    """Wait until none of the workers takes connections any more; return whether that is so."""
    deadline = time.monotonic() + seconds
    while any(map(takes_connections, workers)):
        if is_stopping() or time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True

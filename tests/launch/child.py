"""Something that is done in a forked child: what changes a process for good, or its descriptors."""

from __future__ import annotations

import json
import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

#: Where a child tells what it has found, out of the way of the numbers that the tests use.
TOLD = 200


def in_child(work: Callable[[], object], told: int = TOLD) -> Any:
    """Return what ``work`` returns in a child of this process; JSON must be able to carry it."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: other threads of the run do not matter
        pid = os.fork()
    if not pid:
        code = 1
        try:
            if write != told:
                os.dup2(write, told, inheritable=False)
                os.close(write)
            os.write(told, json.dumps(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        said = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return json.loads(said)

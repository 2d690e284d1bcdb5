"""How something is to be launched."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wagtail_multihost.launch.account import Account

#: No memory of a site is written to a file, and nobody takes all of the machine's descriptors and processes. The last
#: counts all processes and threads of the account, those of its servers too (getrlimit(2)).
LIMITS = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 4096, resource.RLIMIT_NPROC: 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """
    The ``account``, the variables (``environ``), and the words of the program (``words``; an absolute path comes
    first; none for a child that is forked).

    ``folders`` are where it may work: the first that the account can enter. ``reads`` are files that the account must
    be able to read. ``takes_input`` passes standard input on, ``has_terminal`` gives it a terminal of its own, ``raw``
    leaves its output as it is. ``seconds`` is how long it may take. ``descriptors`` stay open. ``private`` is a folder
    that is removed at the end, whatever ends it.
    """

    account: Account
    environ: Mapping[str, str]
    words: tuple[str, ...] = ()
    folders: tuple[Path, ...] = (Path("/"),)
    reads: tuple[Path, ...] = ()
    takes_input: bool = False
    has_terminal: bool = False
    raw: bool = False
    seconds: float | None = None
    limits: Mapping[int, int] = field(default_factory=lambda: dict(LIMITS))
    descriptors: tuple[int, ...] = ()
    private: Path | None = None

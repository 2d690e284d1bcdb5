"""How something is to be launched."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wagtail_multihost.launch.account import Account

#: No core dump of a site is written, and no site uses up the machine's descriptors and processes. The last counts all
#: processes and threads of the account, including those of its servers (getrlimit(2)).
LIMITS = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 4096, resource.RLIMIT_NPROC: 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """
    The ``account``, the variables (``environ``), and the command line (``words``, which start with an absolute path;
    none for a child that is forked).

    ``folders`` are possible working folders: the first that the account can enter is used. ``reads`` are files that the
    account must be able to read. ``takes_input`` passes standard input on, ``has_terminal`` gives the program its own
    terminal, ``raw`` passes its output on unchanged. ``seconds`` is how long it may take. ``descriptors`` stay open.
    ``private`` is a folder that is removed at the end, however the program ends.
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

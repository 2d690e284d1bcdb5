"""Having nginx test a scratch copy of its files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from wagtail_multihost.emitters.emitter import Stage, Validation
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.nginx.front import version_of
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.permissions import ROOT

# https://nginx.org/en/docs/switches.html
HAS_ERROR_LOG_SWITCH = (1, 19, 5)
#: The folders of administrators' programs, which are not on every user's path.
PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"
UNPRIVILEGED = "unprivileged"
#: The files that no plan yields, with the pattern by which nginx.conf includes them.
GENERATIONS = "generation*.conf"


def check_commands(stage: Stage, emit: Callable[[Plan], Iterator[EmittedFile]]) -> Iterator[Validation]:
    """
    Yield ``nginx -t`` of the stage. It opens the configured logs and pid file, creates missing folders for temporary
    files, and binds addresses. Only root may do that: for others a copy is tested that has paths and addresses of its
    own for these, and is otherwise the same.
    """
    folder = stage.folder if os.geteuid() == ROOT else unprivileged_copy(stage, emit)
    main = folder / "nginx/nginx.conf"
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{PROGRAMS}") or "nginx"
    # Without it nginx opens its compiled-in error log before it reads any file.
    switch = ("-e", "stderr") if version_of(stage.plan.options(NginxOptions).version) >= HAS_ERROR_LOG_SWITCH else ()
    yield Validation((program, "-t", "-q", *switch, "-c", str(main)), str(main))


def unprivileged_copy(stage: Stage, emit: Callable[[Plan], Iterator[EmittedFile]]) -> Path:
    """Write a copy of the files, with its own logs, temporary files and addresses, below the stage."""
    folder = stage.folder / UNPRIVILEGED
    places = {name: folder / name for name in ("logs", "temp", "cache_path")}
    for path in places.values():
        path.mkdir(parents=True, exist_ok=True)
    nginx = stage.plan.options(NginxOptions)
    own = replace(
        nginx,
        **places,  # type: ignore[arg-type]
        pid=folder / "nginx.pid",
        http=own_addresses("http", nginx.http),
        https=own_addresses("https", nginx.https),
    )
    plan = replace(stage.plan, platform=stage.plan.platform.with_options(own), directory=folder)
    for file in emit(plan):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.text.encode())
    for path in (stage.folder / "nginx").glob(GENERATIONS):
        shutil.copy(path, folder / "nginx")
    return folder


def own_addresses(name: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return loopback addresses of high ports, as many as there are ``addresses``."""
    first = 42000 if name == "http" else 43000
    return tuple(f"127.0.0.1:{first + number}" for number, _ in enumerate(addresses))

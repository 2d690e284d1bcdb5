"""
Running a command of the project for a job, as the site. Its code is hostile: it runs under the site's account, by a
process of its own between the agent and it, and what it prints is bounded and loses every address before it is kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.launch.account import PATH
from wagtail_multihost.node.jobs import LeaseKeeper
from wagtail_multihost.nodeapi.job_list import Ending
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE
from wagtail_multihost.registry.snapshot import PUBLIC_KEY_VARIABLE
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

PROGRAM = ("-P", "-m", "wagtail_multihost.node.site_command")
MOST_OUTPUT = 16_384
#: Seconds. A node does one job at a time: a site's code that never ends keeps no job of its neighbours waiting until
#: that is too late.
LONGEST = 120.0
#: Seconds that what was started has to end when it is told to.
END_SECONDS = 15
#: Matched word by word: hostile text must not make one search grow with the square of its length.
WORD = re.compile(r"\S+")
ADDRESS_SHOWN = "[an address]"
NO_ACCOUNT = (
    "The site has no account of its own on this node: state the platform's user in the node file. Root runs no code of "
    "sites."
)


def run_site_command(
    platform: PlatformSpec,
    site: SiteSpec,
    codebase: Codebase,
    words: tuple[str, ...],
    keeper: LeaseKeeper,
    environ: Mapping[str, str],
) -> Ending:
    """Run ``python -m django`` with ``words`` as the site; return how it ended. Raises MultihostError and OSError."""
    order = make_order(platform, site, codebase, words, keeper.seconds, environ)
    process = subprocess.Popen(  # noqa: S603  # the agent's own program
        [sys.executable, *PROGRAM],
        env={"PATH": PATH, **({"LANG": environ["LANG"]} if "LANG" in environ else {})},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise MultihostError("The command could not be started.")
        with process.stdin as given:
            given.write(json.dumps(order).encode())
        text = read_output(process, process.stdout.fileno(), keeper)
        code = process.wait()
    finally:
        end_process(process)
    log = without_addresses(text)
    return Ending(f"The command ended with the exit code {code}; the log has what it said." if code else "", log)


def make_order(
    platform: PlatformSpec,
    site: SiteSpec,
    codebase: Codebase,
    words: tuple[str, ...],
    seconds: float,
    environ: Mapping[str, str],
) -> dict[str, object]:
    """Return what :mod:`~wagtail_multihost.node.site_command` reads: which account runs what, and where."""
    own = codebase_of(site, codebase)
    user = platform.account_of(site.id)
    if not user and os.geteuid() == ROOT:
        raise MultihostError(NO_ACCOUNT)
    variables = {
        **dict(site.env),
        SITE_VARIABLE: site.id,
        REGISTRY_VARIABLE: f"{platform.snapshots}/",
        "DJANGO_SETTINGS_MODULE": own.settings_module,
        "TMPDIR": str(platform.local_path(site.id, "tmp")),
        **({"PYTHONPATH": os.pathsep.join(own.pythonpath)} if own.pythonpath else {}),
        **({PUBLIC_KEY_VARIABLE: environ[PUBLIC_KEY_VARIABLE]} if PUBLIC_KEY_VARIABLE in environ else {}),
    }
    return {
        "user": user,
        "group": platform.own_group_of(site.id),
        "words": [f"{own.virtualenv}/bin/python3", "-m", "django", *words],
        "folder": str(own.directory),
        "variables": variables,
        "seconds": min(seconds, LONGEST),
    }


def codebase_of(site: SiteSpec, codebase: Codebase) -> Codebase:
    return replace(codebase, **dict(site.code)) if site.code else codebase  # type: ignore[arg-type]


def read_output(process: subprocess.Popen[bytes], source: int, keeper: LeaseKeeper) -> str:
    """Return the beginning of what a process prints, once it has ended; the rest is read, and thrown away."""
    data = b""
    os.set_blocking(source, False)
    ended = os.pidfd_open(process.pid)
    try:
        while True:
            keeper.pause(keeper.seconds or 0.1, source, ended)
            try:
                block = os.read(source, 1 << 16)
            except BlockingIOError:
                if process.poll() is not None:
                    break
                continue
            if not block:
                break
            data = (data + block)[:MOST_OUTPUT]
        while process.poll() is None:
            keeper.pause(keeper.seconds or 0.1, ended)
    finally:
        os.close(ended)
    return data.decode("utf-8", "backslashreplace")


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End what was started, with all that it has started in its turn."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def without_addresses(text: str) -> str:
    """Return what a command printed without any address: one may be a link that lets its reader in."""
    return WORD.sub(lambda word: ADDRESS_SHOWN if "://" in word[0] else word[0], text)

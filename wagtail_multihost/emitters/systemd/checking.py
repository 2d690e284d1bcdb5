"""Having systemd check staged units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wagtail_multihost.emitters.emitter import Stage, Validation

# Each takes some milliseconds, and they consist of the same few lines.
MOST_SITES = 50
PARSE = "import ast, sys; ast.parse(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1])"


def validate(stage: Stage) -> Iterator[Validation]:
    """Yield the commands that check the stage: all shared units, and those of the first changed sites."""
    folder = stage.folder / "systemd"
    units = [str(folder / name) for name in units_to_check(stage, folder)]
    # Without --recursive-errors it exits with 0 whatever it finds (systemd-analyze(1)).
    verify = ("systemd-analyze", "verify", "--man=no", "--generators=no", "--recursive-errors=no")
    if units:
        yield Validation((*verify, *units), "the units")
    config = folder / "gunicorn.conf.py"
    if config.is_file():
        python = str(stage.plan.codebase.virtualenv / "bin" / "python3")
        yield Validation((python, "-I", "-c", PARSE, str(config)), "gunicorn.conf.py")


def units_to_check(stage: Stage, folder: Path) -> Iterator[str]:
    # Units whose drop-in is removed may have no template any more.
    there = (path for path in stage.changed if path.name == "50-site.conf" and (stage.folder / path).is_file())
    changed = {path.parent.name.removesuffix(".d") for path in there}
    for path in sorted(folder.glob("multihost*")):
        if path.is_file():
            yield path.name
    yield from sorted(changed)[:MOST_SITES]

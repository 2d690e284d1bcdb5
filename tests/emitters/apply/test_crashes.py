"""A process that is killed at any of its steps, and the run after it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emitters.apply.conftest import World
from tests.emitters.apply.test_transaction import LEFT

#: Whatever changes something on the disk, or starts a program.
STEPS = (
    "replace",
    "rename",
    "link",
    "unlink",
    "rmdir",
    "mkdir",
    "fsync",
    "sync",
    "fchmod",
    "utime",
    "ftruncate",
    "write",
)
KILLED = 9


def dying(step: int, name: str, real: Callable[..., object], count: list[int]) -> Callable[..., object]:
    def counted(*args: object, **options: object) -> object:
        count[0] += 1
        if count[0] == step:
            os._exit(KILLED)
        return real(*args, **options)

    return counted


def killed_at(step: int, run: Callable[[], object]) -> bool:
    """Run in a child that dies at its n-th step; return whether it did, and not come to its end."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
    count = [0]
    for name in STEPS:
        setattr(os, name, dying(step, name, getattr(os, name), count))
    subprocess.Popen.__init__ = dying(step, "Popen", subprocess.Popen.__init__, count)  # type: ignore[method-assign]
    try:
        run()
    finally:
        os._exit(0)


def ages(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns // 10**9 for path in folder.rglob("conf/**/*") if path.is_file()}


@pytest.mark.projects
@pytest.mark.parametrize("ending", ["works", "is refused by the server"])
def test_the_run_after_a_crash_at_any_step_completes(tmp_path: Path, ending: str) -> None:
    """
    Wherever a run dies, also while it rolls back, the next one brings all files to what they should be, leaves
    nothing of the dead one, and reloads after the last change.
    """
    died = 0
    for step in range(1, 400):
        world = World(tmp_path / str(step), {"conf/main": "one", "conf/sites/aurora": "a", "conf/sites/borealis": "b"})
        world.folder.mkdir()
        world.apply(reload=world.hook)
        world.texts |= {"conf/main": "two", "conf/sites/corona": "c"}
        del world.texts["conf/sites/borealis"]
        options = {} if ending == "works" else {"verify": "unix:/no/socket:/", "verify_timeout": 0.01}
        was_killed = killed_at(step, lambda world=world, options=options: world.apply(reload=world.hook, **options))
        died += was_killed
        for path in world.directory.glob("conf/**/*"):
            assert path.is_dir() or path.name.endswith(".tmp") or path.read_text().endswith("\n"), step
        world.apply(reload=world.hook)
        assert world.found() == world.texts, step
        assert world.reloads[-1].endswith("|two"), step
        assert world.remembered() == LEFT, step
        assert os.listdir(world.directory / ".multihost/tickets") == [], step
        assert world.apply(reload=world.hook).changed == (), step
        if not was_killed:
            break
    assert died > 30
    assert not was_killed


def test_a_crash_that_is_undone_makes_the_files_newer(world: World) -> None:
    """The old files that a recovery brings back are newer in whole seconds than the new ones that were there."""
    world.apply()
    world.texts["conf/main"] = "two"
    main = world.directory / "conf/main"

    def at_reload() -> None:
        world.apply(reload=("sh", "-c", f"cp -p {main} {world.folder}/seen; kill -9 $PPID; sleep 600"))

    pid = os.fork()
    if not pid:
        at_reload()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -KILLED
    assert main.read_text() == (world.folder / "seen").read_text()
    world.texts["conf/main"] = "one"
    world.apply()
    assert int(main.stat().st_mtime) > int((world.folder / "seen").stat().st_mtime)

"""The list of guards is true of the code; ``python -m tests.mutate`` shows that the tests hold them."""

from __future__ import annotations

import ast
import contextlib
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import wagtail_multihost
from tests import mutate, workspace
from tests.mutate import ROOT, Guard, guards

GUARDS = guards()
#: Where the package is installed: the source tree, or site-packages.
PARENT = Path(wagtail_multihost.__file__).parents[1]


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.guard for guard in GUARDS])
def test_guard_is_in_its_file_exactly_once(guard: Guard) -> None:
    """The snippet that a mutation replaces is there, once, and the replacement differs and is Python."""
    folder = PARENT if guard.file.startswith("wagtail_multihost/") else ROOT
    text = (folder / guard.file).read_text(encoding="utf-8")
    assert text.count(guard.original) == 1
    assert guard.mutated != guard.original
    if guard.file.endswith(".py"):
        ast.parse(text.replace(guard.original, guard.mutated))


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.guard for guard in GUARDS])
def test_guard_names_tests_that_exist(guard: Guard) -> None:
    """Each guard has at least one test, whose file has a function of that name."""
    assert guard.tests
    for test in guard.tests:
        path, _, name = test.partition("::")
        function = name.rpartition("::")[2].partition("[")[0]
        assert f"def {function}(" in Path(ROOT, path).read_text(encoding="utf-8"), test


def test_guards_are_each_said_once() -> None:
    """No guard is listed twice, and each is a sentence."""
    sentences = [guard.guard for guard in GUARDS]
    assert len(set(sentences)) == len(sentences) >= 20
    assert all(sentence.endswith(".") for sentence in sentences)


HOUSE = {
    "house.py": "closed = True\n",
    "tests/house.py": "def test_closed():\n    pass\n\ndef test_other():\n    pass\n",
}
CLOSED = Guard("The house is closed.", "house.py", "True", "False", ("tests/house.py::test_closed[front-door]",))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with one guard, whose tests pass and notice it, and which is in the record."""
    (tmp_path / "tests").mkdir()
    for name, text in HOUSE.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setattr(mutate, "PROVEN", tmp_path / "proven.txt")
    monkeypatch.setattr(mutate, "guards", lambda: [CLOSED])
    monkeypatch.setattr(mutate, "workspace", lambda: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(mutate, "run", lambda *_: SimpleNamespace(returncode=0, stdout="", stderr=""))
    monkeypatch.setattr(mutate, "survives", lambda guard, cluster: "")
    assert mutate.main(["--changed"]) == 0
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))
    mutate.parsed.cache_clear()


@pytest.mark.parametrize(
    ("name", "old", "new", "is_tried"),
    [
        ("house.py", "closed", "shut", True),
        ("tests/house.py", "test_closed():\n    pass", "test_closed():\n    assert 1", True),
        ("tests/house.py", "test_other", "test_another", False),
    ],
)
def test_guard_is_tried_again_when_its_file_or_test_changed(
    house: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, is_tried: bool
) -> None:
    """What is not in the record as it is now is tried, and what bites is in the record afterwards."""
    tried: list[Guard] = []

    def note(guard: Guard, cluster: Path) -> str:
        tried.append(guard)
        return ""

    monkeypatch.setattr(mutate, "survives", note)
    edit(house / name, old, new)
    assert [mutate.main(["--changed"]) for _ in range(2)] == [0, 0]
    assert tried == [CLOSED] * is_tried


def test_guard_that_survives_is_not_recorded(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails, and so does the next one."""
    monkeypatch.setattr(mutate, "survives", lambda guard, cluster: "It passes.")
    edit(house / "house.py", "closed", "shut")
    assert [mutate.main(["--changed"]) for _ in range(2)] == [1, 1]
    assert mutate.proven()[1] == set()


def test_mutation_that_never_ends_is_not_waited_for(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It proves nothing: the test must fail."""

    def never(*_: object, seconds: float) -> None:
        raise subprocess.TimeoutExpired("pytest", seconds)

    monkeypatch.undo()
    monkeypatch.setattr(mutate, "workspace", lambda: contextlib.nullcontext(house))
    monkeypatch.setattr(mutate, "run", never)
    reason = mutate.survives(CLOSED, house / "postgres")
    assert reason == "tests/house.py::test_closed[front-door] does not end within 300 seconds"


def test_run_of_tests_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is interrupted, and what it started can be stopped."""
    # A shell starts what runs in its background with interrupts ignored.
    sleep = "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    sleep += "try:\n    time.sleep(100)\nfinally:\n    open('stopped', 'w')"
    monkeypatch.setattr(workspace, "RUN", sleep)
    with pytest.raises(subprocess.TimeoutExpired):
        workspace.run(tmp_path, [], seconds=2)
    assert (tmp_path / "stopped").exists()


def test_guard_that_no_time_was_left_for_fails_the_run(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a limit nothing is taken on trust: a guard that was not tried is listed, and not proven."""
    edit(house / "house.py", "closed", "shut")
    assert mutate.main(["--changed", "--minutes", "1e-9"]) == 1
    assert "left     The house is closed." in capsys.readouterr().out
    assert mutate.proven()[1] == set()


def test_a_check_writes_nothing(house: Path) -> None:
    """As in CI, whose tree nobody commits."""
    edit(house / "house.py", "closed", "shut")
    before = mutate.PROVEN.read_text()
    assert mutate.main(["--changed", "--check"]) == 0
    assert mutate.PROVEN.read_text() == before


def test_tests_that_fail_by_themselves_prove_nothing(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would fail without any guard being taken away."""
    edit(house / "house.py", "closed", "shut")
    failed = SimpleNamespace(returncode=1, stdout="FAILED", stderr="")
    monkeypatch.setattr(mutate, "run", lambda *_: failed)
    assert mutate.main(["--changed"]) == 1
    assert mutate.proven()[1] != {mutate.digest(CLOSED)}

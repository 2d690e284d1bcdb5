"""What ``tests/run`` repeats at its end."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

import pytest

from tests.workspace import ROOT


@pytest.fixture
def script() -> ModuleType:
    loader = SourceFileLoader("tests_run", str(ROOT / "tests" / "run"))
    specification = importlib.util.spec_from_loader(loader.name, loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    loader.exec_module(module)
    return module


def result(retcode: int | None, output: str, stage: str = "test") -> dict[str, Any]:
    command = {"command": ["python", "-m", "pytest"], "output": output, "err": "", "retcode": retcode}
    return {"testenvs": {"once": {stage: [command]}, ".pkg": {}}}


def test_failed_tests_are_named_again(script: ModuleType) -> None:
    output = "....F.\nE   assert 1 == 2\nslowest 25 durations\nFAILED tests/test_one.py::test_one - assert 1 == 2\n"
    assert script.failures(result(1, output)).splitlines() == [
        "In once, python -m pytest:",
        "E   assert 1 == 2",
        "FAILED tests/test_one.py::test_one - assert 1 == 2",
    ]


def test_environment_that_could_not_be_made_is_named(script: ModuleType) -> None:
    text = script.failures(result(1, "No solution found", "setup"))
    assert text.splitlines() == ["In once, python -m pytest:", "No solution found"]


def test_other_programs_are_quoted_by_their_last_lines(script: ModuleType) -> None:
    text = script.failures(result(2, "\n".join(f"line {number}" for number in range(100))))
    assert text.splitlines()[1:] == [f"line {number}" for number in range(40, 100)]


@pytest.mark.parametrize("retcode", [0, None])  # None: a command of the build, which tox asks otherwise
def test_nothing_is_said_of_what_passed(script: ModuleType, retcode: int | None) -> None:
    assert script.failures(result(retcode, "E   as shown by a passing test")) == ""

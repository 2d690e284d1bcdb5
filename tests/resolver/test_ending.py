"""How a process ends whose settings cannot be resolved."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import resolve
from wagtail_multihost.resolver.ending import GUNICORN, ReportHook, drop_frames, end_with_report

ERROR = ConfigurationError.because("It is broken.", where="sites.toml")


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """What was left to the hook of before; hook and filter are taken away again."""
    found: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: found.append(error))
    monkeypatch.delitem(sys.modules, "uwsgi", raising=False)
    yield found
    logging.getLogger(GUNICORN).removeFilter(drop_frames)


def end(error: BaseException) -> None:
    sys.excepthook(type(error), error, None)


def test_error_of_the_registry_ends_the_process_with_its_report(
    told: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, and nobody else tells the error."""
    end_with_report()
    with pytest.raises(SystemExit) as ended:
        end(ERROR)
    assert (ended.value.code, told, capsys.readouterr().err) == (2, [], f"{ERROR}\n")


def test_other_errors_are_told_as_before(told: list[BaseException]) -> None:
    """A second failure puts no second hook over the first."""
    end_with_report()
    hook = sys.excepthook
    end_with_report()
    assert sys.excepthook is hook and isinstance(hook, ReportHook)
    error = ValueError()
    end(error)
    assert told == [error]


@pytest.mark.parametrize("where", ["uwsgi", "ps1"])
def test_process_that_is_not_ours_goes_on(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """uWSGI ends its workers by a code of its own, and a session at a terminal is not ended."""
    if where == "uwsgi":
        monkeypatch.setitem(sys.modules, "uwsgi", ModuleType("uwsgi"))
    else:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    end_with_report()
    end(ERROR)
    assert capsys.readouterr().err == f"{ERROR}\n"


def test_log_of_gunicorn_has_the_report_and_no_frames(caplog: pytest.LogCaptureFixture) -> None:
    """Other errors keep theirs."""
    end_with_report()
    logger = logging.getLogger(GUNICORN)
    for error in (ERROR, ValueError("other")):
        try:
            raise error
        except Exception:
            logger.exception("Exception in %s", "worker process")
    ours, others = caplog.records
    assert ours.getMessage() == f"Exception in worker process: {ERROR}" and ours.exc_info is None
    assert others.getMessage() == "Exception in worker process" and others.exc_info


@pytest.mark.parametrize(("site", "is_told"), [("dromos", True), ("aurora", False)])
def test_resolve_that_fails_has_the_process_end_so(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch, site: str, is_told: bool
) -> None:
    """One that does not fail changes nothing, nor does one that is given variables: it is its caller's."""
    monkeypatch.delenv("PYTEST_VERSION")
    with pytest.raises(ConfigurationError):
        resolve(registry_file, environ={"MULTIHOST_SITE": "dromos"})
    assert not isinstance(sys.excepthook, ReportHook)
    monkeypatch.setenv("MULTIHOST_SITE", site)
    if is_told:
        with pytest.raises(ConfigurationError):
            resolve(registry_file)
    else:
        resolve(registry_file)
    assert isinstance(sys.excepthook, ReportHook) is is_told

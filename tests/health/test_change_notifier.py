"""Which changes are told of, when they come at an unlucky moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.health.samplers import until
from wagtail_multihost.health import change_notifier as telling
from wagtail_multihost.health.change_notifier import ChangeNotifier
from wagtail_multihost.health.report import Report
from wagtail_multihost.health.status import Status

PASS, FAIL = Report(status=Status.PASS), Report(status=Status.FAIL)


def test_change_in_the_last_moment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that comes when nothing more was found to tell, and before that thread has ended, is told of."""
    heard: list[Any] = []
    news = ChangeNotifier(lambda before, after: heard.append((before, after)))
    late = threading.Thread(target=news.notify, args=(FAIL,))
    compare = telling.has_same_statuses

    def compare_slowly(one: Report | None, other: Report) -> bool:
        is_same = compare(one, other)
        if is_same and threading.current_thread() is not late and late.ident is None:
            late.start()
            late.join(0.3)  # it ends where it has been missed, and waits where it has to
        return is_same

    monkeypatch.setattr(telling, "has_same_statuses", compare_slowly)
    news.notify(PASS)
    until(lambda: late.ident is not None and not late.is_alive())
    until(lambda: len(heard) == 2)
    assert heard == [(None, PASS), (PASS, FAIL)]


def test_changes_after_one_that_ends_the_thread_are_told() -> None:
    """Even what SystemExit is raised for leaves the next to be told of."""
    heard: list[Report] = []

    def exits(before: Report | None, after: Report) -> None:
        heard.append(after)
        raise SystemExit

    news = ChangeNotifier(exits)
    news.notify(PASS)
    until(lambda: heard == [PASS])
    news.notify(FAIL)
    until(lambda: heard == [PASS, FAIL])

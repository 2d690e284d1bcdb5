"""The probe of waiting tasks, where django-tasks-db is missing."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

from wagtail_multihost.health import contrib
from wagtail_multihost.health.options import read_probe

MODULE = "wagtail_multihost.health.contrib.tasks_db"


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the probe without its package reads which extra to install."""
    find_spec = importlib.util.find_spec

    def find(name: str, *rest: Any) -> Any:
        return None if name == "django_tasks_db" else find_spec(name, *rest)

    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.delattr(contrib, "tasks_db", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(ImportError, match=r"wagtail-multihost\[tasks\]"):
        read_probe("tasks", {"BACKEND": f"{MODULE}.TaskQueueProbe"})
    assert MODULE not in sys.modules

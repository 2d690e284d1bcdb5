"""Settings for mypy: every app of the package at once, which no project has."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["wagtail_multihost.control", *INSTALLED_APPS]

"""The control project that ``benchmarks.control`` measures; its database is the one that the benchmark serves."""

from __future__ import annotations

import os

from tests.control.settings import *  # noqa: F403  # the project of the tests

ROOT_URLCONF = "benchmarks.control_urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["BENCHMARK_SOCKET"],
        "NAME": os.environ["BENCHMARK_DATABASE"],
        "USER": os.environ["BENCHMARK_USER"],
    }
}

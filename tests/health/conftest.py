"""What no test of health may leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.health.samplers import SECONDS, sampler_threads
from wagtail_multihost.health import process


class Boom(Exception):
    """An error of a driver, with a secret in it."""


def boom(*arguments: object, **options: object) -> NoReturn:
    raise Boom("password=secret")


@pytest.fixture(autouse=True)
def no_sampler_is_left() -> Iterator[None]:
    """End the sampler of the process's endpoint; the next test finds another."""
    yield
    process.forget_endpoint()
    for thread in sampler_threads():
        thread.join(SECONDS)
        assert not thread.is_alive()

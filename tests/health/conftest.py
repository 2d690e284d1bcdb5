"""What no test of health may leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.health.samplers import await_end_of_threads, own_threads, sampler_threads, until
from wagtail_multihost.health import process


class Boom(Exception):
    """An error of a driver, with a secret in it."""


def boom(*arguments: object, **options: object) -> NoReturn:
    raise Boom("password=secret")


@pytest.fixture(autouse=True)
def no_sampler_is_left() -> Iterator[None]:
    """End the sampler of the process's endpoint, also one that a test elsewhere has left; each test finds another."""
    process.forget_endpoint()
    until(lambda: not sampler_threads())
    before = own_threads()
    yield
    process.forget_endpoint()
    await_end_of_threads(before)

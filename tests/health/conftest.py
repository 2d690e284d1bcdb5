"""No test of health may leave a sampler behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.health.samplers import await_end_of_threads, own_threads, sampler_threads, until


class Boom(Exception):
    """An error of a driver, with a secret in it."""


def boom(*arguments: object, **options: object) -> NoReturn:
    raise Boom("password=secret")


def forget_endpoint() -> None:
    """Forget the endpoint of the process. If its module is not loaded there is none, and perhaps no Django."""
    process = sys.modules.get("wagtail_multihost.health.process")
    if process:
        process.forget_endpoint()


@pytest.fixture(autouse=True)
def no_sampler_is_left() -> Iterator[None]:
    """End the sampler of the process's endpoint before and after each test, even one left by a test elsewhere."""
    forget_endpoint()
    until(lambda: not sampler_threads())
    before = own_threads()
    yield
    forget_endpoint()
    await_end_of_threads(before)

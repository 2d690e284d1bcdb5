"""The servers that run sites' processes."""

from __future__ import annotations

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site
from wagtail_multihost.spec.platform import RUNNER_NAMES
from wagtail_multihost.spec.runner import RUNNERS
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions


def test_runners_are_those_that_a_platform_may_name() -> None:
    """Each is found by the name that a registry states."""
    assert {name: runner.name for name, runner in RUNNERS.items()} == {name: name for name in RUNNER_NAMES}


@pytest.mark.parametrize(
    ("name", "protocol", "has_units", "seconds", "workers"),
    [("uwsgi", "uwsgi", False, (30, 31), (3, 4)), ("gunicorn", "http", True, (40, 41), (5, 6))],
)
def test_runner_says_how_it_is_asked_and_how_long_it_may_take(
    name: str, protocol: str, has_units: bool, seconds: tuple[int, int], workers: tuple[int, int]
) -> None:
    """Its numbers are of the options of its own target: a site's over the platform's."""
    own = make_site("a", uwsgi=(("harakiri", 31), ("processes", 4)), systemd=(("timeout", 41), ("workers", 6)))
    platform = make_platform(
        runner=name, uwsgi=UwsgiOptions(harakiri=30, processes=3), systemd=SystemdOptions(timeout=40, workers=5)
    )
    plan = make_plan(own, platform=platform)
    runner = plan.runner
    assert (runner.name, runner.protocol, runner.has_units) == (name, protocol, has_units)
    assert (plan.request_seconds(), plan.request_seconds(own)) == seconds
    assert tuple(runner.workers_of(plan.options(runner.options, site)) for site in (None, own)) == workers

"""DEFAULT_EXCEPTION_REPORTER_FILTER."""

from __future__ import annotations

import pytest

from tests.resolver.conftest import values_of
from wagtail_multihost.resolver.reports import DJANGOS, NAME, SITE_FILTER, report_settings


@pytest.mark.parametrize("project", [{}, {NAME: DJANGOS}])
def test_report_filter_takes_the_place_of_djangos(project: dict[str, object]) -> None:
    """A project with no filter of its own gets the one that masks addresses too."""
    assert values_of(report_settings(project)) == {NAME: SITE_FILTER}


def test_report_filter_of_the_project_stays() -> None:
    """A project that has written a filter keeps it."""
    assert values_of(report_settings({NAME: "project.reports.Filter"})) == {}

"""DEFAULT_EXCEPTION_REPORTER_FILTER."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting

NAME = "DEFAULT_EXCEPTION_REPORTER_FILTER"
DJANGOS = "django.views.debug.SafeExceptionReporterFilter"
SITE_FILTER = "wagtail_multihost.backends.reports.SiteExceptionReporterFilter"


def report_settings(project: Project) -> Iterator[Setting]:
    """Yield the filter of error reports, unless the project has one of its own."""
    if project.get(NAME) in (None, DJANGOS):
        yield Setting(NAME, SITE_FILTER, "error reports mask credentials in URLs and lists too", "")

"""``multihost_explain --against``: what would change for a project that runs already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from django.conf import global_settings

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.management.present_settings import read_present_settings
from wagtail_multihost.resolver.differences import Difference, find_differences, settings_of_site
from wagtail_multihost.resolver.explain import Row
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

REFUSED = "What the project's settings must not have, because every site would share it"
REMOVE = "Take it out of the module that calls resolve(). Below, it is left out."


def rows_against(module: str, platform: PlatformSpec, site: SiteSpec, own: Mapping[str, object]) -> list[Row]:
    """
    Return a row of the kind ``refused`` for each problem, and one of the kind ``difference`` for each setting that
    would change. ``own`` are the settings to which the site's are added; without any, they are those of ``module``.
    """
    now = read_present_settings(module)
    then, problems = settings_of_site(ResolvedSettings(platform, site), own or now)
    found = find_differences(now, then, vars(global_settings), site)
    return [*map(row_of_problem, problems), *map(row_of_difference, found)]


def row_of_problem(problem: Problem) -> Row:
    return row_of_difference(Difference(problem.where, None, None, problem.message, REFUSED), kind="refused")


def row_of_difference(found: Difference, kind: str = "difference") -> Row:
    return {"kind": kind, **found._asdict()}


def lines_against(module: str, rows: list[Row], *, has_own: bool) -> Iterator[list[str]]:
    """Yield for readers what the rows say, the first line of each as a heading."""
    refused = [row for row in rows if row["kind"] == "refused"]
    if refused:
        yield [f"# {REFUSED}"]
        yield from ([str(row["setting"]), str(row["meaning"]), REMOVE] for row in refused)
    found = [row for row in rows if row["kind"] == "difference"]
    ending = "" if has_own else ", with resolve().apply(globals()) as its last line"
    yield [f"# What changes for a project that runs with {module}{ending}: {len(found)} differences"]
    part = ""
    for row in found:
        if row["part"] != part:
            part = str(row["part"])
            yield [f"# {part}"]
        values = [f"now:  {json.dumps(row['now'])}", f"then: {json.dumps(row['then'])}"]
        yield [str(row["setting"]), *values, str(row["meaning"]), *keeping(row)]


def keeping(row: Row) -> list[str]:
    if row["keep"]:
        return [f"To keep it: {row['keep']}"]
    return [f"Stated by: {row['key']}"] if row["key"] else []

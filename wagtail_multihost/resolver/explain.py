"""Every setting of a site, and where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import Project
from wagtail_multihost.spec.secret import MASK, Secret

JsonValue = object

# As Django's error pages do (django.views.debug.SafeExceptionReporterFilter).
TELLING_KEY = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE", re.IGNORECASE)
OPEN_KEYS = frozenset({"KEY_PREFIX", "passfile"})
CREDENTIALS = re.compile(r"(://)[^/@\s]*@")


def explain(resolved: ResolvedSettings, project: Project) -> list[dict[str, JsonValue]]:
    """
    Return one table per setting: ``name``, ``value`` (secrets as ``***``), ``rule``, ``source``, and
    ``overrides`` (whether the project had another value).
    """
    rows = []
    for setting in sorted(resolved.settings(project), key=lambda setting: setting.name):
        differs = setting.name in project and masked(setting.value) != masked(project[setting.name])
        rows.append(
            {
                "name": setting.name,
                "value": masked(setting.value),
                "rule": setting.rule,
                "source": setting.source,
                "overrides": differs,
            }
        )
    return rows


def masked(value: object) -> JsonValue:
    """
    Return ``value`` in the types of JSON, with every secret as ``***``: our own, and what the project's
    settings hold under a telling key or in a URL.
    """
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): masked(inner) if is_open(str(key), inner) else MASK for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    if isinstance(value, str):
        return CREDENTIALS.sub(rf"\1{MASK}@", value)
    return value if isinstance(value, int | float | bool | None) else str(value)


def is_open(key: str, value: object) -> bool:
    return not value or key in OPEN_KEYS or not TELLING_KEY.search(key)

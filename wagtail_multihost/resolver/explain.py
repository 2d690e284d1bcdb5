"""Every setting of a site, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping

from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import Project
from wagtail_multihost.spec.secret import MASK, Secret

JsonValue = object


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
    """Return ``value`` in the types of JSON, with every secret as ``***``."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)

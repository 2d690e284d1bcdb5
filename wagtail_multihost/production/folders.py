"""Where a project and its platform keep their files."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.production.build_context import has_project_secret, has_secret, own_paths, project_folder
from wagtail_multihost.registry import DEFAULT_FILE, open_registry
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.site import SiteSpec


def find_platform_files(
    directory: Path, data: Path | None, sites: Iterable[SiteSpec], registries: Collection[Path]
) -> tuple[Path, list[Path], list[Path]]:
    """
    Return the folder of the project whose code is in ``directory``, the platform's files that exist, and those of
    them that must not be in a repository: a registry may be in one if it contains no secret. A registry outside the
    project is not read.
    """
    project = project_folder(directory)
    local = [path for site in sites for path in (site.database.path, site.storage.path) if path]
    outside = [path for path in local if data is None or not path.is_relative_to(data)]
    paths = own_paths(project, data, [*registries, *outside])
    inside = [path for path in (*registries, project / DEFAULT_FILE) if path.is_relative_to(project)]
    safe = {path for path in inside if not file_has_secret(path)}
    return project, paths, [path for path in paths if path not in safe]


def file_has_secret(path: Path) -> bool:
    """Return whether the file of a registry has a secret as a value, or cannot be read."""
    try:
        registry = open_registry(path, {})
        if not isinstance(registry, TomlRegistry):
            return True
        document = registry.document()
        return has_secret(document) or has_project_secret(document)
    except ConfigurationError:
        return True

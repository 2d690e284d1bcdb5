"""STORAGES, MEDIA_ROOT and MEDIA_URL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Project, Setting, aliases_of
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

STORAGE_DEFAULT = "default"
STATIC = "staticfiles"
FILES = "wagtail_multihost.backends.files.SiteFileSystemStorage"
SITE_S3 = "wagtail_multihost.backends.storage.SiteS3Storage"
STATIC_DEFAULT = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
ALIAS = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
FILE_MODE = 0o640
FOLDER_MODE = 0o750
MEDIA_URL = "/media/"
SERVE_METHOD = "WAGTAILDOCS_SERVE_METHOD"
RENDITIONS = "WAGTAILIMAGES_RENDITION_STORAGE"


def storage_settings(site: SiteSpec, data: Path, project: Project) -> Iterator[Setting]:
    """
    Yield STORAGES, MEDIA_ROOT and MEDIA_URL. The project's ``staticfiles`` stays; its
    other aliases become folders of the site's own storage. Raises ConfigurationError for one that cannot.
    """
    source = site.sources.get("storage", "")
    aliases = aliases_of(project, "STORAGES")
    value: dict[str, object] = {STORAGE_DEFAULT: storage_backend(site), STATIC: aliases.pop(STATIC, STATIC_DEFAULT)}
    aliases.pop(STORAGE_DEFAULT, None)
    for alias in aliases:
        value[alias] = scope_storage(alias, site, data)
    yield Setting("STORAGES", value, "the site's own folder or bucket; staticfiles is the project's", source)
    # With a bucket too: code that writes to MEDIA_ROOT directly must not reach another site's files.
    yield Setting(
        "MEDIA_ROOT", str(site.storage.path or default_media_folder(site, data)), "the site's own folder", source
    )
    yield Setting("MEDIA_URL", media_url(project), "the project's, or /media/", "")
    refuse_foreign_renditions(site, project, value)
    yield from document_settings(site, project)


def refuse_foreign_renditions(site: SiteSpec, project: Project, storages: Mapping[str, object]) -> None:
    """Raise ConfigurationError for renditions in a storage that is not one of the site's."""
    stated = project.get(RENDITIONS)
    own = sorted(storages.keys() - {STATIC})
    if stated and not (isinstance(stated, str) and stated in own):
        raise ConfigurationError.because(
            f"It is not the alias of one of the site's storages. Accepted: {', '.join(map(shown, own))}.",
            where=RENDITIONS,
            site=site.id,
        )


def document_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield WAGTAILDOCS_SERVE_METHOD for a bucket behind a domain. There a file's address is public and permanent, so
    Wagtail serves documents, and checks who may read them. Addresses without a domain are signed and expire.
    """
    if not site.storage.domain:
        return
    if project.get(SERVE_METHOD) == "direct":
        raise ConfigurationError.because(
            "With \"direct\", pages would link to documents at the storage's domain, bypassing Wagtail's permissions. "
            "Remove it.",
            where=SERVE_METHOD,
            site=site.id,
        )
    yield Setting(
        SERVE_METHOD,
        "serve_view",
        "the storage has a domain, whose addresses are public: Wagtail checks permissions",
        site.sources.get("storage", ""),
    )


def media_url(project: Project) -> str:
    """Return the project's MEDIA_URL (a path gets a leading slash), or ``/media/``."""
    url = str(project.get("MEDIA_URL") or MEDIA_URL)
    return url if "//" in url or url.startswith("/") else f"/{url}"


def default_media_folder(site: SiteSpec, data: Path) -> Path:
    return data / "sites" / site.id / "media"


def storage_backend(site: SiteSpec, location: str = "") -> dict[str, object]:
    if site.storage.backend == "s3":
        # No credentials: Wagtail queues the storage's options with the task that deletes a file.
        return {"BACKEND": SITE_S3, "OPTIONS": {"site": site.id, "location": location}}
    return {"BACKEND": FILES, "OPTIONS": {"site": site.id, **mode_options()}}


def mode_options() -> dict[str, object]:
    return {"file_permissions_mode": FILE_MODE, "directory_permissions_mode": FOLDER_MODE}


def scope_storage(alias: str, site: SiteSpec, data: Path) -> dict[str, object]:
    if not re.fullmatch(ALIAS, alias):
        raise ConfigurationError.because(
            f"The alias {shown(alias)} is not accepted: it names a folder, so use at most 63 letters, digits, hyphens "
            "and underscores, the first of them a letter or digit.",
            where="STORAGES",
            site=site.id,
        )
    if site.storage.backend == "s3":
        return storage_backend(site, location=alias)
    folder = str(data / "sites" / site.id / "storages" / alias)
    return {"BACKEND": FILES, "OPTIONS": {"site": site.id, "location": folder, **mode_options()}}

"""STORAGES, MEDIA_ROOT and MEDIA_URL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError, Problem
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
#: Options of django-storages' S3Storage that say how files are stored: they are the project's to state
#: (https://django-storages.readthedocs.io/en/stable/backends/amazon-S3.html).
HOW = frozenset(
    {
        "client_config",
        "file_name_charset",
        "gzip",
        "gzip_content_types",
        "max_memory_size",
        "object_parameters",
        "proxies",
        "querystring_expire",
        "signature_version",
        "transfer_config",
        "use_ssl",
        "use_threads",
        "verify",
    }
)
#: Those that say where they are and who asks, with what they are called in a site's storage.
WHERE = {
    "access_key": "access_key",
    "addressing_style": "addressing_style",
    "bucket_name": "bucket",
    "cloudfront_key": "",
    "cloudfront_key_id": "",
    "cloudfront_signer": "",
    "custom_domain": "domain",
    "endpoint_url": "endpoint",
    "location": "",
    "region_name": "region",
    "secret_key": "secret_key",
    "security_token": "",
    "session_profile": "",
}


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
    keep_options(value, aliases_of(project, "STORAGES"), site)
    yield Setting("STORAGES", value, "the site's own folder or bucket; staticfiles is the project's", source)
    # With a bucket too: code that writes to MEDIA_ROOT directly must not reach another site's files.
    yield Setting(
        "MEDIA_ROOT", str(site.storage.path or default_media_folder(site, data)), "the site's own folder", source
    )
    yield Setting("MEDIA_URL", media_url(project), "the project's, or /media/", "")
    refuse_foreign_renditions(site, project, value)
    yield from document_settings(site, project)


def keep_options(storages: Mapping[str, object], aliases: Mapping[str, Mapping[str, object]], site: SiteSpec) -> None:
    """
    Give the site's storages the project's options on how files are stored in buckets. Raises ConfigurationError for
    options on where they are or who asks for them, which are the site's.
    """
    if site.storage.backend != "s3":
        return
    problems: list[Problem] = []
    for alias, stated in aliases.items():
        options = stated.get("OPTIONS")
        if alias == STATIC or not isinstance(options, Mapping):
            continue
        # A class of the project's own, which the site's class replaces, may have any options.
        if "s3" in str(stated.get("BACKEND")).lower():
            problems.extend(place_problems(alias, options, site))
        storages[alias]["OPTIONS"].update({name: value for name, value in options.items() if name in HOW})  # type: ignore[index]
    if problems:
        raise ConfigurationError(problems)


def place_problems(alias: str, options: Mapping[str, object], site: SiteSpec) -> Iterator[Problem]:
    """Yield an alias's options on where files are or who asks for them, if they differ from what the site says."""
    for name, key, stated in stated_places(options):
        own = site.storage.style if key == "addressing_style" else getattr(site.storage, key, None)
        # Secrets are not compared: one in the project belongs to all sites.
        if not stated or (isinstance(own, str) and own == stated):
            continue
        instead = f", and state {key} in the site's storage" if key else ""
        yield Problem(
            "STORAGES",
            f"The alias {shown(alias)} has the option {name}, which all sites would share. Remove it{instead}.",
            site.id,
        )


def stated_places(options: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    """Yield each option that says where or who, with its name in a site's storage (blank: none) and its value."""
    for name in sorted(options.keys() & WHERE.keys()):
        yield name, WHERE[name], options[name]
    # botocore's Config, which is not loaded here.
    config = options.get("client_config")
    yield "client_config", "region", getattr(config, "region_name", None)
    yield "client_config", "addressing_style", (getattr(config, "s3", None) or {}).get("addressing_style")


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

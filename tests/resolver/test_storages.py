"""STORAGES, MEDIA_ROOT and MEDIA_URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.resolver.conftest import values_of
from tests.spec.hostile import HOSTILE_TEXT
from tests.spec.samples import ACCESS_KEY, BUCKET_KEY, a_site, files, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.storages import storage_settings
from wagtail_multihost.spec import SiteSpec, StorageSpec

DATA = Path("/srv/data")
FILES = "django.core.files.storage.FileSystemStorage"
SITE_FILES = "wagtail_multihost.backends.files.SiteFileSystemStorage"
SITE_S3 = "wagtail_multihost.backends.storage.SiteS3Storage"
MODES = {"file_permissions_mode": 0o640, "directory_permissions_mode": 0o750}
MANIFEST = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}


def settings_of(site: SiteSpec, project: dict[str, object]) -> dict[str, object]:
    return values_of(storage_settings(site, DATA, project))


def test_storage_of_files_is_the_sites_folder() -> None:
    """Uploads go to the site's folder with modes that let the front server's group read."""
    assert settings_of(a_site(storage=files(path=Path("/srv/media"))), {}) == {
        "STORAGES": {
            "default": {"BACKEND": SITE_FILES, "OPTIONS": {"site": "aurora", **MODES}},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        "MEDIA_ROOT": "/srv/media",
        "MEDIA_URL": "/media/",
    }


def test_storage_of_s3_has_the_site_id_and_no_credential() -> None:
    """STORAGES, which Wagtail puts into task queues, name the site only."""
    settings = settings_of(a_site(storage=s3()), {})
    assert settings["STORAGES"] == {
        "default": {"BACKEND": SITE_S3, "OPTIONS": {"site": "aurora", "location": ""}},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    assert str(settings["MEDIA_ROOT"]).endswith("/sites/aurora/media")
    assert ACCESS_KEY not in repr(settings)
    assert BUCKET_KEY not in repr(settings)


@pytest.mark.parametrize(
    ("storage", "scoped"),
    [
        (
            files(),
            {
                "BACKEND": SITE_FILES,
                "OPTIONS": {"site": "aurora", "location": "/srv/data/sites/aurora/storages/exports", **MODES},
            },
        ),
        (s3(), {"BACKEND": SITE_S3, "OPTIONS": {"site": "aurora", "location": "exports"}}),
    ],
)
def test_storage_aliases_of_the_project_are_folders_of_the_sites_storage(storage: object, scoped: object) -> None:
    """The project's staticfiles stays; its default gives way, and other aliases go to the site's own storage."""
    own = {
        "default": {"BACKEND": FILES, "OPTIONS": {"location": "/shared"}},
        "staticfiles": MANIFEST,
        "exports": {"BACKEND": FILES, "OPTIONS": {"location": "/shared"}},
    }
    storages = settings_of(a_site(storage=storage), {"STORAGES": own})["STORAGES"]
    assert isinstance(storages, dict)
    assert storages["staticfiles"] == MANIFEST
    assert storages["exports"] == scoped
    assert "/shared" not in repr(storages)


@pytest.mark.parametrize("alias", [text for text in HOSTILE_TEXT if "x" * 60 not in text], ids=ascii)
def test_storage_alias_that_cannot_be_a_folder_is_refused(alias: str) -> None:
    """An alias whose folder could lie outside the site's is an error."""
    with pytest.raises(ConfigurationError) as refused:
        settings_of(a_site(), {"STORAGES": {alias: {"BACKEND": FILES}}})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("STORAGES", "aurora")]
    assert str(refused.value.problems[0]).isprintable()


@pytest.mark.parametrize(
    ("own", "url"),
    [
        ("", "/media/"),
        ("files/", "/files/"),
        ("/files/", "/files/"),
        ("https://cdn.example/", "https://cdn.example/"),
    ],
)
def test_storage_url_of_the_project_is_kept(own: str, url: str) -> None:
    """MEDIA_URL is the project's, with the slash that it needs."""
    assert settings_of(a_site(), {"MEDIA_URL": own})["MEDIA_URL"] == url


@pytest.mark.parametrize("own", [None, "redirect", "serve_view"])
def test_documents_behind_a_domain_are_served_by_wagtail(own: str | None) -> None:
    """Addresses at a CDN are public and for good, so Wagtail checks permissions and sends documents itself."""
    project: dict[str, object] = {"WAGTAILDOCS_SERVE_METHOD": own} if own else {}
    settings = settings_of(a_site(storage=s3(domain="cdn.example.org")), project)
    assert settings["WAGTAILDOCS_SERVE_METHOD"] == "serve_view"


def test_documents_that_pages_link_to_at_the_domain_are_refused() -> None:
    """Links past Wagtail's permissions are an error."""
    with pytest.raises(ConfigurationError) as refused:
        settings_of(a_site(storage=s3(domain="cdn.example.org")), {"WAGTAILDOCS_SERVE_METHOD": "direct"})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        ("WAGTAILDOCS_SERVE_METHOD", "aurora")
    ]


@pytest.mark.parametrize("storage", [files(), s3()])
@pytest.mark.parametrize("own", ["direct", "redirect", None])
def test_documents_without_a_domain_are_served_as_the_project_says(storage: StorageSpec, own: str | None) -> None:
    """Signed addresses expire, and a folder's are the project's matter."""
    settings = settings_of(a_site(storage=storage), {"WAGTAILDOCS_SERVE_METHOD": own})
    assert "WAGTAILDOCS_SERVE_METHOD" not in settings


@pytest.mark.parametrize("alias", ["default", "renditions"])
def test_renditions_in_an_alias_are_accepted(alias: str) -> None:
    """Aliases of STORAGES are the site's own."""
    project: dict[str, object] = {
        "STORAGES": {"renditions": {"BACKEND": FILES}},
        "WAGTAILIMAGES_RENDITION_STORAGE": alias,
    }
    assert "renditions" in str(settings_of(a_site(), project)["STORAGES"])


@pytest.mark.parametrize("stated", ["staticfiles", FILES, "project.storage.Renditions", "renditions", object()])
def test_renditions_elsewhere_are_refused(stated: object) -> None:
    """A class, an object or the static files are every site's."""
    with pytest.raises(ConfigurationError) as refused:
        settings_of(a_site(), {"WAGTAILIMAGES_RENDITION_STORAGE": stated})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        ("WAGTAILIMAGES_RENDITION_STORAGE", "aurora")
    ]

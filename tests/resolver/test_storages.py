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


S3_BACKENDS = ("storages.backends.s3.S3Storage", "storages.backends.s3boto3.S3Boto3Storage")


@pytest.mark.parametrize("backend", [*S3_BACKENDS, "project.storage.Uploads"])
@pytest.mark.parametrize("alias", ["default", "exports"])
def test_options_of_the_project_on_how_files_are_stored_are_kept(alias: str, backend: str) -> None:
    """What the project states of transfers reaches each alias; of where files are, only what the site says anyway."""
    how = {"object_parameters": {"CacheControl": "max-age=60"}, "querystring_expire": 60, "verify": "/etc/ssl/s3.pem"}
    where = {"bucket_name": "aviary--aurora", "location": "", "custom_domain": None, "addressing_style": "virtual"}
    project: dict[str, object] = {"STORAGES": {alias: {"BACKEND": backend, "OPTIONS": {**how, **where}}}}
    storages = settings_of(a_site(storage=s3()), project)["STORAGES"]
    location = "" if alias == "default" else alias
    assert isinstance(storages, dict)
    assert storages[alias] == {"BACKEND": SITE_S3, "OPTIONS": {"site": "aurora", "location": location, **how}}


class ClientConfig:
    """What botocore's Config is to the resolver."""

    region_name = "us-gov-west-1"
    s3 = {"addressing_style": "path"}


@pytest.mark.parametrize("backend", S3_BACKENDS)
def test_options_of_the_project_on_where_files_are_are_refused_by_name(backend: str) -> None:
    """Each is named, with the key that takes its place, and no value is repeated."""
    stated = {
        **{"bucket_name": "shared", "endpoint_url": "https://shared.example", "access_key": "AKIDSHARED"},
        **{"location": "media", "session_profile": "shared", "client_config": ClientConfig()},
    }
    project: dict[str, object] = {"STORAGES": {"exports": {"BACKEND": backend, "OPTIONS": stated}}}
    with pytest.raises(ConfigurationError) as refused:
        settings_of(a_site(storage=s3(region="eu-central-1")), project)
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("STORAGES", "aurora")] * 7
    messages = [problem.message for problem in refused.value.problems]
    named = [*sorted(stated.keys() - {"client_config"}), "client_config", "client_config"]
    assert [message.split("the option ")[1].partition(",")[0] for message in messages] == named
    assert not any(value in " ".join(messages) for value in ("AKIDSHARED", "shared.example"))


def test_options_of_the_project_for_buckets_are_nothing_to_local_files() -> None:
    """A site with a folder takes none of them, and is not refused for them."""
    project: dict[str, object] = {
        "STORAGES": {"default": {"BACKEND": S3_BACKENDS[0], "OPTIONS": {"bucket_name": "shared", "gzip": True}}}
    }
    storages = settings_of(a_site(), project)["STORAGES"]
    assert isinstance(storages, dict)
    assert storages["default"] == {"BACKEND": SITE_FILES, "OPTIONS": {"site": "aurora", **MODES}}


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

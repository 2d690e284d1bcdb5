"""From MULTIHOST_SITE to the settings of its process."""

from __future__ import annotations

import copy
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import CACHE_PASSWORD, DATABASE_PASSWORD, SECRETS
from wagtail_multihost import resolver
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import ResolvedSettings, resolve
from wagtail_multihost.running import current

AMBIENT = {
    "DATABASE_URL": "postgresql://evil:evil@evil.example/evil",
    "REDIS_URL": "redis://evil.example/0",
    "CACHE_URL": "redis://evil.example/0",
    "PGHOST": "evil.example",
    "PGPASSWORD": "evil",
    "PGUSER": "evil",
    "PGDATABASE": "evil",
    "AWS_ACCESS_KEY_ID": "evil",
    "AWS_SECRET_ACCESS_KEY": "evil",
    "AWS_STORAGE_BUCKET_NAME": "evil",
    "AWS_S3_ENDPOINT_URL": "https://evil.example",
    "SECRET_KEY": "evil",
    "DJANGO_SECRET_KEY": "evil",
    "ALLOWED_HOSTS": "evil.example",
    "MULTIHOST_SITE_HOSTNAMES": "evil.example",
    "MULTIHOST_PLATFORM_SECRET_KEY": "evil" * 10,
}


def settings_of(path: Path, site: str, **environ: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    resolve(path, environ={"MULTIHOST_SITE": site, **environ}).apply(namespace)
    return namespace


def test_resolve_gives_the_settings_of_the_named_site(registry_file: Path) -> None:
    """One line sets everything that must differ per site."""
    settings = settings_of(registry_file, "aurora")
    assert settings["DATABASES"]["default"]["NAME"] == "aviary__aurora"
    assert settings["DATABASES"]["default"]["PASSWORD"] == DATABASE_PASSWORD
    credentials = {"username": "aurora", "password": CACHE_PASSWORD}
    assert settings["CACHES"]["default"]["OPTIONS"].items() >= credentials.items()
    assert settings["STORAGES"]["default"]["OPTIONS"] == {"site": "aurora", "location": ""}
    assert settings["ALLOWED_HOSTS"][0] == "aurora.example.org"
    assert len(settings["SECRET_KEY_FALLBACKS"]) == 1
    assert settings["TIME_ZONE"] == "Europe/Berlin"


def test_resolve_gives_two_sites_no_value_in_common_that_must_differ(registry_file: Path) -> None:
    """Of two sites every setting that says where or who differs."""
    aurora, borealis = settings_of(registry_file, "aurora"), settings_of(registry_file, "borealis")
    for name in (
        "SECRET_KEY",
        "DATABASES",
        "CACHES",
        "STORAGES",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SESSION_COOKIE_NAME",
        "CSRF_COOKIE_NAME",
        "WAGTAILADMIN_BASE_URL",
        "WAGTAIL_SITE_NAME",
    ):
        assert aurora[name] != borealis[name], name
    assert aurora["CACHES"]["default"]["KEY_PREFIX"] != borealis["CACHES"]["default"]["KEY_PREFIX"]


@pytest.mark.parametrize("site", ["", " ", "\t\n"], ids=ascii)
def test_resolve_refuses_a_blank_site(registry_file: Path, site: str) -> None:
    """A blank MULTIHOST_SITE is an error, and neither build mode nor a default."""
    with pytest.raises(ConfigurationError) as refused:
        resolve(registry_file, environ={"MULTIHOST_SITE": site}, command="test")
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_SITE"]
    assert "blank" in str(refused.value)


@pytest.mark.parametrize("site", ["corona", "dromos", "aurora "])
def test_resolve_refuses_a_site_that_is_disabled_or_unknown(registry_file: Path, site: str) -> None:
    """A disabled or unknown site has no settings."""
    with pytest.raises(ConfigurationError, match=r"disabled|has no site"):
        resolve(registry_file, environ={"MULTIHOST_SITE": site})


def test_resolve_takes_nothing_from_ambient_variables(registry_file: Path) -> None:
    """Variables of other programs, and of the environment registry, reach no setting of a file's site."""
    for site in ("aurora", "borealis"):
        settings = settings_of(registry_file, site, **AMBIENT)
        assert settings == settings_of(registry_file, site)
        assert "evil" not in repr(settings)


def test_resolve_never_writes_the_environment(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.environ is the same before and after, and so is a mapping that is given."""
    monkeypatch.setenv("MULTIHOST_SITE", "aurora")
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(registry_file))
    before = dict(os.environ)
    resolve().apply({})
    assert dict(os.environ) == before
    given = {"MULTIHOST_SITE": "borealis"}
    resolve(registry_file, environ=given).apply({})
    assert given == {"MULTIHOST_SITE": "borealis"}
    assert dict(os.environ) == before


def test_resolve_reads_the_environment_of_the_process(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the variables of the process name the site and the registry."""
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setenv("MULTIHOST_SITE", "borealis")
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(registry_file))
    site = resolve().site
    assert site is not None
    assert site.id == "borealis"


def test_resolve_keeps_a_success_for_the_life_of_the_process(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call gives the same object, whatever has become of the registry."""
    monkeypatch.setenv("MULTIHOST_SITE", "aurora")
    first = resolve(registry_file)
    registry_file.unlink()
    monkeypatch.setenv("MULTIHOST_SITE", "borealis")
    assert resolve(registry_file) is first


def test_resolve_keeps_a_failure_for_the_life_of_the_process(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call raises the same error without reading again, and its traceback does not grow."""
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setenv("MULTIHOST_SITE", "corona")
    errors, depths = [], []
    for _ in range(3):
        with pytest.raises(ConfigurationError) as refused:
            resolve(registry_file)
        errors.append(refused.value)
        depths.append(len(refused.traceback))
        registry_file.unlink(missing_ok=True)
    assert errors[0] is errors[1] is errors[2]
    assert len(set(depths)) == 1


def test_resolve_opens_a_registry_once(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often settings.py is run, the registry is opened once."""
    monkeypatch.delenv("PYTEST_VERSION")
    opened: list[object] = []

    def counting(url: object, environ: Any) -> Any:
        opened.append(url)
        return open_registry(url, environ)  # type: ignore[arg-type]

    monkeypatch.setattr(resolver, "open_registry", counting)
    monkeypatch.setenv("MULTIHOST_SITE", "aurora")
    for _ in range(3):
        resolve(registry_file).apply({})
    assert opened == [registry_file]


def test_resolve_with_an_environment_given_keeps_nothing(registry_file: Path) -> None:
    """With environ= every call reads anew."""
    environ = {"MULTIHOST_SITE": "aurora"}
    assert resolve(registry_file, environ=environ) is not resolve(registry_file, environ=environ)


def test_apply_leaves_the_projects_tables_as_they_are(registry_file: Path) -> None:
    """The dictionaries of the project, which other modules may hold, are not written to."""
    project: dict[str, Any] = {
        "DATABASES": {"default": {"ENGINE": "x", "CONN_MAX_AGE": 1}},
        "CACHES": {"default": {"BACKEND": "x"}, "other": {"BACKEND": "y"}},
        "STORAGES": {"staticfiles": {"BACKEND": "z"}},
        "lower": {"a": 1},
    }
    before, namespace = copy.deepcopy(project), dict(project)
    resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}).apply(namespace)
    assert project == before
    assert namespace["lower"] == {"a": 1}
    assert namespace["DATABASES"]["default"]["CONN_MAX_AGE"] == 1


def test_apply_remembers_what_it_set(registry_file: Path) -> None:
    """The last apply of the process is known, with copies that later changes do not reach."""
    assert current() is None
    namespace: dict[str, Any] = {"DEBUG": True, "helper": 1}
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    resolved.apply(namespace)
    namespace["ALLOWED_HOSTS"].append("*")
    made = current()
    assert made is not None
    assert (made.platform, made.site, made.registry) == (resolved.platform, resolved.site, registry_file)
    assert made.opened is resolved.opened
    assert made.project == {"DEBUG": True}
    assert "*" not in made.values["ALLOWED_HOSTS"]  # type: ignore[operator]
    assert not [secret for secret in SECRETS if secret in repr(made)]


def test_apply_that_fails_sets_nothing(registry_file: Path) -> None:
    """A project with something that all sites would share is refused as it was."""
    namespace: dict[str, Any] = {"CACHES": {"default": {"KEY_FUNCTION": "x"}}}
    with pytest.raises(ConfigurationError):
        resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}).apply(namespace)
    assert namespace == {"CACHES": {"default": {"KEY_FUNCTION": "x"}}}
    assert current() is None


def test_single_settings_are_those_of_apply(registry_file: Path) -> None:
    """Who assigns single settings gets the values that apply sets."""
    settings = settings_of(registry_file, "aurora")
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    assert resolved.databases == settings["DATABASES"]
    assert resolved.caches == settings["CACHES"]
    assert resolved.storages == settings["STORAGES"]
    assert resolved.allowed_hosts == settings["ALLOWED_HOSTS"]
    assert resolved.secret_key == settings["SECRET_KEY"]
    with pytest.raises(KeyError, match="INSTALLED_APPS"):
        resolved.value("INSTALLED_APPS")


def test_resolved_settings_print_no_secret(registry_file: Path) -> None:
    """The representation of what resolve returns is safe to log."""
    text = repr(resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}))
    assert "aviary" in text
    assert not [secret for secret in SECRETS if secret in text]
    assert (
        repr(ResolvedSettings()) == "ResolvedSettings(platform=None, site=None, registry=None, command='', serves=True)"
    )


def test_variable_is_stronger_than_the_registry_of_the_settings_module(registry_file: Path, tmp_path: Path) -> None:
    """MULTIHOST_REGISTRY says where the registry is, and the argument of resolve where it does not."""
    environ = {"MULTIHOST_SITE": "aurora", "MULTIHOST_REGISTRY": str(registry_file)}
    assert resolve(tmp_path / "missing.toml", environ=environ).site is not None


def test_apply_twice_is_apply_once(registry_file: Path) -> None:
    """The line may stand in a base module and in the one that imports it."""
    namespace: dict[str, object] = {}
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    resolved.apply(namespace)
    once = dict(namespace)
    resolved.apply(namespace)
    assert namespace == once


def test_folders_of_a_local_site_are_made_for_it_alone(registry_file: Path, tmp_path: Path) -> None:
    """The folder of a site is closed to other sites' users, whatever the umask; those above can be passed through."""
    umask = os.umask(0o077)
    try:
        resolve(registry_file, environ={"MULTIHOST_SITE": "borealis"})
    finally:
        os.umask(umask)
    modes = [
        stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("data", "data/sites", "data/sites/borealis")
    ]
    assert modes == [0o711, 0o711, 0o750]


def test_folders_that_exist_are_left_as_they_are(registry_file: Path, tmp_path: Path) -> None:
    """A folder whose mode the operator chose keeps it."""
    (tmp_path / "data/sites/borealis").mkdir(parents=True)
    (tmp_path / "data/sites/borealis").chmod(0o700)
    resolve(registry_file, environ={"MULTIHOST_SITE": "borealis"})
    assert stat.S_IMODE((tmp_path / "data/sites/borealis").stat().st_mode) == 0o700


def test_folders_are_not_made_for_a_site_on_servers(registry_file: Path, tmp_path: Path) -> None:
    """A site that keeps nothing locally has no folder."""
    resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("blocked", ["data", "data/sites", "data/sites/borealis"])
def test_folders_that_cannot_be_made_are_an_error(registry_file: Path, tmp_path: Path, blocked: str) -> None:
    """A file in the way of a folder is an error that names the folder."""
    (tmp_path / blocked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / blocked).write_text("")
    with pytest.raises(ConfigurationError, match="cannot be created") as refused:
        resolve(registry_file, environ={"MULTIHOST_SITE": "borealis"})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("data", "borealis")]

"""The checks that run with ``check --deploy``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.checks.conftest import ids_of
from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost import running
from wagtail_multihost.checks.deployment import (
    check_folders,
    check_links,
    check_platform,
    check_settings,
    check_transport,
)
from wagtail_multihost.checks.hosted import KnownDeployment, is_served_here, known_deployment
from wagtail_multihost.production.platform import environment_findings
from wagtail_multihost.production.settings import is_for_development
from wagtail_multihost.registry import open_registry
from wagtail_multihost.running import Running
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.tls import TlsSpec

SERVERS = {"database": postgresql(), "cache": redis(), "storage": s3()}
TLS = TlsSpec(certificate="/etc/ssl/a.pem", key="/etc/ssl/a.key")
Become = Callable[..., None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Make this process that of a site of a platform, read from ``registry``."""

    def make(platform: PlatformSpec, site: SiteSpec | None, registry: Path | None = None) -> None:
        opened = open_registry(registry, {}) if registry else None
        made = Running(platform=platform if site else None, site=site, registry=registry, opened=opened)
        monkeypatch.setattr(running, "_current", made)
        monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)

    return make


def production(**changes: Any) -> PlatformSpec:
    sources = {"secret_key_file": "sites.toml: platform.secret_key_file"}
    return a_platform(**{"environment": "production", "sources": sources, **changes})


def test_platform_that_is_ready_is_quiet(become: Become) -> None:
    """In production, with servers and a stated key, there is nothing to say."""
    become(production(), a_site(**SERVERS))
    assert ids_of(check_platform(None)) == []


@pytest.mark.parametrize("host", ["localhost", "db.localhost", "127.0.0.1", "127.1", "::1", "0.0.0.0"])
def test_password_for_whoever_listens_on_this_machine_is_w026(become: Become, host: str) -> None:
    """Every spelling of the machine itself, for each of the servers."""
    become(production(), a_site(**SERVERS | {"database": postgresql(host=host)}))
    assert ids_of(check_platform(None)) == ["W026"]
    for verified in ({}, {"tls": True, "verify": "none"}):
        become(production(), a_site(**SERVERS | {"cache": redis(host=host, password=Secret("p"), **verified)}))
        assert ids_of(check_platform(None)) == ["W026"]


@pytest.mark.parametrize(
    "servers",
    [
        {"database": postgresql(host="/run/postgresql")},
        {"database": postgresql(host="localhost", options=(("require_auth", "scram-sha-256"),))},
        {"database": postgresql(host="localhost", options=(("sslmode", "verify-full"),))},
        {"database": postgresql(host="localhost", options=(("sslmode", "verify-ca"),))},
        {"database": postgresql(host="localhost", password=None, options=(("sslcert", "/c"), ("sslkey", "/k")))},
        {"cache": redis(host="/run/redis/redis.sock", password=Secret("p"))},
        {"cache": redis(host="localhost", password=Secret("p"), tls=True)},
        {"cache": redis(host="localhost", password=None)},
    ],
)
def test_password_for_a_server_that_shows_who_it_is_is_quiet(become: Become, servers: dict[str, Any]) -> None:
    """A socket in the server's folder, a certificate or SCRAM; without a password there is nothing to tell."""
    become(production(), a_site(**SERVERS | servers))
    assert ids_of(check_platform(None)) == []


@pytest.mark.parametrize("option", [("require_auth", "password"), ("sslmode", "require"), ("sslmode", "prefer")])
def test_option_that_asks_nobody_who_it_is_is_w026(become: Become, option: tuple[str, str]) -> None:
    """TLS without a look at the certificate, and the clear text by name, hand the password over."""
    become(production(), a_site(**SERVERS | {"database": postgresql(host="localhost", options=(option,))}))
    assert ids_of(check_platform(None)) == ["W026"]


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_environment_that_is_not_production_is_w008(become: Become, environment: str) -> None:
    """Whatever else it is called, it asks for less than production does."""
    become(production(environment=environment), a_site(**SERVERS))
    assert ids_of(check_platform(None)) == ["W008"]


def test_registry_that_others_can_read_is_w009(become: Become, tmp_path: Path) -> None:
    """With no site named the file of the registry is looked at, unless its sites share it."""
    registry = tmp_path / "sites.toml"
    head = '[platform]\nname = "aviary"\nenvironment = "production"\nsecret_key_file = "/run/k"\n'
    site = '[sites.aurora]\nhostnames = ["a.example.org"]\n'
    registry.write_text(head + site)
    registry.chmod(0o644)
    become(production(), None, registry)
    assert ids_of(check_platform(None)) == ["W009", "W011"]
    registry.chmod(0o600)
    assert "W009" not in ids_of(check_platform(None))
    registry.write_text(f"{head}shares_registry = true\n{site}")
    registry.chmod(0o644)
    assert "W009" not in ids_of(check_platform(None))


def test_key_that_was_made_is_w010(become: Become, tmp_path: Path) -> None:
    """A platform that states no key has one beside its data; a site with a key of its own does not mind."""
    registry = tmp_path / "sites.toml"
    registry.write_text("")
    registry.chmod(0o600)
    made = production(sources={"secret_key": "/srv/data/platform.key"})
    for platform in (made, production(sources={})):
        become(platform, a_site(**SERVERS), registry)
        assert ids_of(check_platform(None)) == ["W010"]
    become(made, a_site(**SERVERS, secret_key=postgresql().password), registry)
    assert ids_of(check_platform(None)) == []


@pytest.mark.parametrize("part", SERVERS)
def test_each_local_part_is_w011(become: Become, part: str) -> None:
    """SQLite, local memory and local files are told where nobody said how many machines there are."""
    own = {name: value for name, value in SERVERS.items() if name != part}
    local = a_site(**own)
    become(production(), local)
    assert ids_of(check_platform(None)) == ["W011"]
    become(production(nodes=(("app-1", "10.0.0.5:8080"),)), local)
    assert ids_of(check_platform(None)) == []


@pytest.mark.parametrize(
    ("platform", "site", "django", "ids"),
    [
        ({}, {"tls": TLS}, {"SECURE_HSTS_SECONDS": 3600}, []),
        ({"origin": "http://{hostname}"}, {"tls": TLS}, {"SECURE_HSTS_SECONDS": 3600}, []),
        ({"origin": "http://{hostname}"}, {}, {}, ["W012"]),
        ({}, {"tls": replace(TLS, pending=("aurora.example.org",))}, {}, ["W012"]),
        ({}, {"tls": TLS}, {}, ["W015"]),
        ({}, {}, {}, ["W013", "W014", "W015"]),
        ({}, {}, {"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 3600}, ["W014"]),
        (
            {"secure_proxy_ssl_header": ("HTTP_X_FORWARDED_PROTO", "https")},
            {},
            {"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 3600},
            [],
        ),
    ],
)
def test_transport_is_judged_by_who_ends_tls(
    become: Become,
    settings: Any,
    platform: dict[str, Any],
    site: dict[str, Any],
    django: dict[str, Any],
    ids: list[str],
) -> None:
    """Where the registry has certificates nginx redirects; elsewhere Django must, and must learn the scheme."""
    settings.SECURE_PROXY_SSL_HEADER = None
    for name, value in django.items():
        setattr(settings, name, value)
    become(production(**platform), a_site(hostnames=("aurora.example.org",), aliases=(), **site))
    assert ids_of(check_transport(None)) == ids


@pytest.mark.parametrize(("debug", "ids"), [(True, ["E022"]), (False, [])])
def test_debug_is_e022(become: Become, settings: Any, debug: bool, ids: list[str]) -> None:
    """Visitors would see settings."""
    settings.DEBUG = debug
    become(production(), a_site())
    assert ids_of(check_settings(None)) == ids


def test_module_of_development_is_e023(become: Become, settings: Any) -> None:
    """The module of this process, and the one of a site's own code, are both looked at."""
    settings.SETTINGS_MODULE = "mysite.settings.dev"
    become(production(), a_site(code=(("settings_module", "aurora.settings.local"),)))
    messages = check_settings(None)
    assert ids_of(messages) == ["E023", "E023"]
    assert "sites.aurora.code.settings_module" in messages[1].msg
    settings.SETTINGS_MODULE = "mysite.settings.production"
    become(production(), a_site())
    assert check_settings(None) == []


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        *((f"mysite.settings.{name}", True) for name in ("dev", "development", "local", "debug", "test", "Dev")),
        ("mysite.settings_dev", True),
        ("mysite.local_settings", True),
        ("mysite.settings", False),
        ("mysite.settings.production", False),
        ("dev.settings", False),
        ("mysite.settings.devices", False),
        ("mysite.settings.latest", False),
    ],
)
def test_module_says_what_it_is_for_by_its_last_part(module: str, expected: bool) -> None:
    """Each name is one, and none that only begins or ends like one."""
    assert is_for_development(module) is expected


def test_build_context_is_e024_and_repository_w016(
    become: Become, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are found by the platform's data folder, wherever the project is."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "platform.key").write_text("")
    (tmp_path / "Dockerfile").write_text("")
    (tmp_path / "manage.py").write_text("")
    monkeypatch.setattr("wagtail_multihost.production.folders.project_folder", lambda _: tmp_path)
    become(production(data=data), a_site(**SERVERS))
    assert ids_of(check_folders(None)) == ["E024", "W016"]
    for name in (".dockerignore", ".gitignore"):
        (tmp_path / name).write_text("data/\n")
    assert check_folders(None) == []


def test_test_runs_and_settings_without_apply_are_quiet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> None:
    """What was never applied is E005's, and a throw-away site is nobody's."""
    settings.DEBUG = True
    for made in (None, Running(platform=a_platform(), site=a_site(), ephemeral=True)):
        monkeypatch.setattr(running, "_current", made)
        assert known_deployment() is None and is_served_here() is False
        for check in (check_settings, check_platform, check_transport, check_folders):
            assert check(None) == []


def a_registry(folder: Path, head: str = "", site: str = "", mode: int = 0o600) -> Path:
    """Return the file of a registry of one site."""
    path = folder / "sites.toml"
    path.write_text(f'[platform]\nname = "aviary"\n{head}\n[sites.aurora]\nhostnames = ["a.example.org"]\n{site}')
    path.chmod(mode)
    return path


def test_process_of_a_site_knows_that_site_and_its_registry(become: Become, tmp_path: Path) -> None:
    """Of a process with a site that site alone is looked at, with the files that it was read from."""
    platform, site = production(), a_site(**SERVERS)
    become(platform, site, path := a_registry(tmp_path))
    assert known_deployment() == KnownDeployment(platform, (site,), (path,), has_keys=True, is_of_site=True)
    become(platform, site)
    assert known_deployment() == KnownDeployment(platform, (site,), (), has_keys=False, is_of_site=True)


def test_process_of_no_site_knows_the_whole_registry(become: Become, tmp_path: Path) -> None:
    """In build mode all enabled sites of the file are looked at; one that is not pinned yet is no mistake there."""
    more = '[sites.borealis]\nhostnames = ["b.example.org"]\nenabled = false\n'
    path = a_registry(tmp_path, 'environment = "production"\nsecret_key_file = "/run/k"', more)
    become(production(), None, path)
    found = known_deployment()
    assert found is not None
    assert ([site.id for site in found.sites], found.files) == (["aurora"], (path,))
    assert (found.platform.environment, found.has_keys, found.is_of_site) == ("production", True, False)


@pytest.mark.parametrize(("platform", "site"), [(a_platform(), None), (None, a_site())], ids=["platform", "site"])
def test_platform_or_site_alone_is_no_process_of_a_site(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: PlatformSpec | None, site: SiteSpec | None
) -> None:
    """Both are known of a site's process; else the registry's file is looked at."""
    made = Running(platform=platform, site=site, registry=a_registry(tmp_path))
    monkeypatch.setattr(running, "_current", made)
    monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)
    found = known_deployment()
    assert found is not None and found.is_of_site is False


@pytest.mark.parametrize("text", [None, "not TOML", '[platform]\nname = "aviary"\nnonsense = 1\n'])
def test_registry_that_cannot_be_read_leaves_the_settings_to_be_checked(
    become: Become, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, text: str | None
) -> None:
    """Where images are built there is none, and of one with a mistake E007 tells; the project's module is here."""
    path = tmp_path / "sites.toml"
    become(production(), None)
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(path))
    if text is not None:
        path.write_text(text)
    settings.DEBUG, settings.SETTINGS_MODULE = True, "mysite.settings.dev"
    assert known_deployment() is None and is_served_here() is True
    assert (check_platform(None), check_transport(None)) == ([], [])
    assert ids_of(check_settings(None)) == ["E022", "E023"]
    (tmp_path / "manage.py").write_text("")
    monkeypatch.setattr("wagtail_multihost.production.folders.project_folder", lambda _: tmp_path)
    # What cannot be read as a registry may have a secret in it.
    assert ids_of(check_folders(None)) == (["W016"] if text == "not TOML" else [])


@pytest.mark.parametrize(("environment", "ids"), [("staging", ["W008", "W009"]), ("production", [])])
def test_registry_that_a_site_reads_is_w009_outside_production(
    become: Become, tmp_path: Path, environment: str, ids: list[str]
) -> None:
    """In production E006 says it of the process of a site, and more strongly."""
    become(production(environment=environment), a_site(**SERVERS), a_registry(tmp_path, mode=0o644))
    assert ids_of(check_platform(None)) == ids


def test_key_that_a_snapshot_does_not_tell_of_is_not_w010(become: Become) -> None:
    """A snapshot has the site's own key, and nothing on where the platform's is."""
    become(production(sources={}), a_site(**SERVERS))
    assert ids_of(check_platform(None)) == []


def test_messages_are_what_was_found(become: Become, settings: Any) -> None:
    """Each message has the sentence and the hint of its finding."""
    settings.SECURE_PROXY_SSL_HEADER = None
    site = a_site(hostnames=("aurora.example.org",), aliases=())
    become(production(environment="staging"), site)
    (first, *_) = check_platform(None)
    (finding,) = environment_findings(production(environment="staging"))
    assert (first.msg, first.hint) == (finding.sentence, finding.hint)
    become(production(), site)
    assert len({(message.msg, message.hint) for message in check_transport(None)}) == 3


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        ("https://{hostname}", []),
        ("http://{hostname}:8000", []),
        ("https://{hostname}:8443", ["W027"]),
        ("http://{hostname}:443", ["W027"]),
    ],
)
def test_port_that_wagtail_takes_for_another_scheme_is_w027(become: Become, origin: str, found: list[str]) -> None:
    """Once, with what visitors use and what Wagtail writes."""
    become(a_platform(origin=origin), a_site(tls=None))
    messages = check_links(None)
    assert ids_of(messages) == found
    if found:
        assert messages[0].msg.startswith(f"Visitors use {origin.format(hostname='aurora.example.org')}, but Wagtail ")

"""What is refused, and what is told, of a platform on its way to where visitors come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import a_codebase, a_platform, a_site, postgresql, redis, s3, sqlite
from wagtail_multihost.emitters import Plan
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.management import production
from wagtail_multihost.management.production import (
    platform_findings,
    production_cautions,
    refuse_development,
    settings_findings,
    transport_findings,
)
from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.production.folders import file_has_secret, find_platform_files
from wagtail_multihost.running import Running
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

SERVERS = {"database": postgresql(), "cache": redis(), "storage": s3()}
PUBLIC = a_site(**SERVERS)
PRIVATE = a_site(**SERVERS, hostnames=("aurora.localhost",), aliases=())
STATED = {"secret_key_file": "sites.toml: platform.secret_key_file"}


def in_production(**changes: Any) -> PlatformSpec:
    values = {"environment": "production", "sources": STATED, "snapshots": Path("/run/sites")}
    return a_platform(**{**values, **changes})


def a_plan(platform: PlatformSpec, *sites: SiteSpec, **changes: Any) -> Plan:
    values = {"codebase": a_codebase(), "registry": "/run/sites", "directory": Path("/etc/multihost")}
    return Plan(platform=platform, sites=sites or (PUBLIC,), **{**values, **changes})


@pytest.fixture(autouse=True)
def of_a_project(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Path:
    """A project in a folder of its own, with settings for production."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "manage.py").write_text("")
    monkeypatch.setattr(production, "own_codebase", lambda: a_codebase(directory=project))
    monkeypatch.setattr(production, "current", Running)
    settings.DEBUG = False
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    return project


def test_platform_that_is_ready_has_no_cautions() -> None:
    """In production, with snapshots, a stated key and settings for it, there is nothing to say."""
    plan = a_plan(in_production())
    refuse_development(plan)
    assert list(production_cautions(plan)) == []


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_settings_of_development_are_refused_in_production_alone(
    settings: Any, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    """Each of them is named, with what to do about the first."""
    settings.DEBUG = True
    codebase = a_codebase(settings_module="example.settings.dev")
    monkeypatch.setattr(production, "own_codebase", lambda: codebase)
    refuse_development(a_plan(in_production(environment=environment), codebase=codebase))
    plan = a_plan(in_production(), codebase=codebase)
    found = list(settings_findings(plan))
    assert len(found) == 2
    with pytest.raises(EmitError) as caught:
        refuse_development(plan)
    expected = f"The platform's environment is production. {found[0].sentence} {found[1].sentence} {found[0].hint}"
    assert str(caught.value) == expected


def test_settings_of_the_command_are_of_no_meaning_for_another_codebase(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release's file names what servers start with; DEBUG and a missing resolve() are the command's own."""
    settings.DEBUG = True
    monkeypatch.setattr(production, "current", lambda: None)
    assert len(list(settings_findings(a_plan(in_production())))) == 2
    other = a_plan(in_production(), codebase=a_codebase(settings_module="example.settings.production"))
    assert list(settings_findings(other)) == []


def test_module_of_a_site_is_looked_at() -> None:
    """A site's own code may have settings of its own."""
    site = a_site(code=(("settings_module", "aurora.settings.local"),))
    with pytest.raises(EmitError, match=r"aurora\.settings\.local"):
        refuse_development(a_plan(in_production(), site))


def test_platform_without_visitors_is_left_alone() -> None:
    """Names that lead to one's own machine are no reason for cautions, unless it says that it is in production."""
    assert list(production_cautions(a_plan(a_platform(), PRIVATE))) == []
    assert list(production_cautions(a_plan(a_platform(), PRIVATE, PUBLIC))) != []
    assert list(production_cautions(a_plan(in_production(snapshots=None), PRIVATE))) != []


def test_caution_is_a_sentence_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three kinds are told, in their order."""
    for kind in ("platform", "transport", "folder"):
        found = (ProductionFinding(f"The {kind} is wrong.", "Mend it."),)
        monkeypatch.setattr(production, f"{kind}_findings", lambda plan, found=found: iter(found))
    assert list(production_cautions(a_plan(in_production()))) == [
        f"The {kind} is wrong. Mend it." for kind in ("platform", "transport", "folder")
    ]


def test_environment_that_somebody_chose_is_not_told(settings: Any) -> None:
    """A platform in development may be one by mistake; staging, with settings of its own, was somebody's choice."""
    settings.DEBUG = True
    sentences = [found.sentence for found in platform_findings(a_plan(a_platform(sources=STATED)))]
    assert ["development" in sentences[0], "DEBUG is true" in sentences[1], len(sentences)] == [True, True, 2]
    assert list(platform_findings(a_plan(in_production(environment="staging", snapshots=None)))) == []


def test_key_that_was_made_is_told_in_every_environment() -> None:
    """Unless each site has a key of its own."""
    for environment in ("staging", "production"):
        (found,) = platform_findings(a_plan(in_production(environment=environment, sources={})))
        assert "has no secret_key" in found.sentence
    own = a_site(**SERVERS, secret_key=postgresql().password)
    assert list(platform_findings(a_plan(in_production(sources={}), own))) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"snapshots": None}, True),
        ({"snapshots": None, "shares_registry": True}, False),
        ({"snapshots": None, "environment": "staging"}, False),
        ({}, False),
    ],
)
def test_registry_that_all_processes_read_is_told(changes: dict[str, Any], told: bool) -> None:
    """In production they would refuse to serve with it, unless the sites trust each other."""
    found = list(platform_findings(a_plan(in_production(**changes))))
    assert [finding.sentence.startswith("Each site's process reads the whole registry") for finding in found] == (
        [True] if told else []
    )


def test_transport_is_told_in_production_alone(settings: Any) -> None:
    """Each of the four findings is one of it."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS, settings.SECURE_PROXY_SSL_HEADER = False, 0, None
    plain = a_site(id="plain", hostnames=("plain.example.org",), aliases=())
    plan = a_plan(in_production())
    assert len(list(transport_findings(plan))) == 3
    http = a_plan(in_production(origin="http://{hostname}"), plain)
    (found,) = transport_findings(http)
    assert "http at plain.example.org" in found.sentence
    assert list(transport_findings(replace(plan, platform=a_platform()))) == []


def test_files_of_a_platform_are_looked_at_where_they_are(of_a_project: Path, tmp_path: Path) -> None:
    """The data folder's, the registry, and what sites keep elsewhere; what is not there is not."""
    data, kept = tmp_path / "data", tmp_path / "kept"
    (data / "sites").mkdir(parents=True)
    kept.mkdir()
    for name in ("a.sqlite3", "b.sqlite3"):
        (kept / name).touch()
    (data / "sites" / "c.sqlite3").touch()
    (of_a_project / "sites.toml").write_text('[platform]\nsecret_key = "a"\n')
    registry = tmp_path / "registry.toml"
    registry.write_text('[platform]\nname = "aviary"\n')
    sites = [
        a_site(database=sqlite(path=kept / "a.sqlite3"), storage=s3()),
        a_site(database=sqlite(path=kept / "missing.sqlite3"), storage=s3()),
        a_site(database=sqlite(path=data / "sites" / "c.sqlite3"), storage=s3()),
        PUBLIC,
    ]
    project, paths, committed = find_platform_files(of_a_project, data, sites, [registry])
    usual = of_a_project / "sites.toml"
    assert project == of_a_project
    assert paths == [data / "sites", usual, registry, kept / "a.sqlite3"]
    assert committed == [data / "sites", usual, registry, kept / "a.sqlite3"]
    # Without a data folder each file of a site is one by itself.
    assert find_platform_files(of_a_project, None, sites, [])[1] == [
        usual,
        kept / "a.sqlite3",
        data / "sites" / "c.sqlite3",
    ]
    usual.write_text('[platform]\nname = "aviary"\n')
    assert find_platform_files(of_a_project, data, [], [registry])[2] == [data / "sites", registry]
    inside = of_a_project / "registry.toml"
    inside.write_text('[platform]\nsecret_key = "env:KEY"\n')
    assert find_platform_files(of_a_project, data, [], [inside])[2] == [data / "sites"]
    inside.write_text('[platform]\nsecret_key = "a"\n')
    assert find_platform_files(of_a_project, data, [], [inside])[2] == [data / "sites", inside]


def test_folders_are_told_of_the_registry_that_is_read(of_a_project: Path, tmp_path: Path) -> None:
    """It is in the image that is built above it, and in the repository where it has a secret."""
    registry = of_a_project / "own.toml"
    registry.write_text('[platform]\nsecret_key = "a"\n')
    (of_a_project / "Dockerfile").touch()
    platform = in_production(data=tmp_path / "data")
    cautions = list(production_cautions(a_plan(platform, source=str(registry))))
    assert ["build context" in text for text in cautions] == [True, False]
    assert "a commit would contain" in cautions[1]
    assert list(production_cautions(a_plan(platform))) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[platform]\nname = "aviary"\n', False),
        ('[platform]\nsecret_key = "a"\n', True),
        ("not TOML", True),
        (None, True),
    ],
)
def test_registry_has_a_secret_until_it_is_known_to_have_none(tmp_path: Path, text: str | None, expected: bool) -> None:
    """What cannot be read, and what is another kind of registry, may have one."""
    path = tmp_path / "sites.toml"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    assert file_has_secret(path) is expected

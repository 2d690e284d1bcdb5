"""Whatever a registry says: no traceback, no secret told, no two sites with one thing."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.conftest import Workshop, nothing_told
from tests.fuzz.strategies import (
    ENDPOINTS,
    SERVERS,
    SITES,
    damaged,
    document_text,
    hostile_documents,
    nearly_sound_documents,
    sound_documents,
    urls,
    variables,
)
from wagtail_multihost import running
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import Registry, open_registry
from wagtail_multihost.resolver.explain import explain
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import reveal_secrets

pytestmark = pytest.mark.projects

PROJECT: dict[str, object] = {
    "CACHES": {"default": {}, "renditions": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}},
    "STORAGES": {"default": {}, "private": {"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "WAGTAILSEARCH_BACKENDS": {"default": {"BACKEND": "wagtail.search.backends.elasticsearch8", "INDEX": "shared"}},
}
COMMANDS = (
    ["multihost_sites"],
    ["multihost_sites", "--json"],
    ["multihost_explain", "aurora"],
    ["multihost_explain", "aurora", "--json", "--all"],
    ["multihost_explain", "aurora", "--rotation"],
    ["multihost_emit", "nginx", "uwsgi"],
    ["multihost_emit", "uwsgi", "--site", "borealis"],
    ["multihost_as", "borealis", "check"],
)


def fuzzed(examples: int) -> settings:
    """Return settings for so many examples, or FUZZ_TIMES as many: FUZZ_TIMES=20 finds what is rare."""
    return settings(
        max_examples=examples * int(os.environ.get("FUZZ_TIMES", "1")),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no example decide which site this process has, or take its place."""
    monkeypatch.setattr(running, "_current", running.current())
    monkeypatch.setattr(running, "_resets", {})
    monkeypatch.setattr(os, "execve", lambda *arguments: None)


def read_all(registry: Registry, sites: Iterable[str]) -> None:
    """Do with a registry what processes do."""
    for requires_pins in (True, False):
        with nothing_told() as told:
            told += [*registry.load(requires_pins=requires_pins)]
    for site in sites:
        for reads_secrets in (True, False):
            with nothing_told() as told:
                platform, spec = registry.site(site, reads_secrets=reads_secrets)
                own = ResolvedSettings(platform, spec)
                told += [platform, spec, own, explain(own, PROJECT), list(own.settings(PROJECT))]
                if reads_secrets:
                    own.apply(dict(PROJECT))


@fuzzed(200)
@given(document=st.one_of(hostile_documents(), nearly_sound_documents(), sound_documents()))
def test_hostile_registry_gives_reports_and_tells_no_secret(workshop: Workshop, document: dict[str, Any]) -> None:
    """Whatever a TOML file says, reading it ends in specs or in a report, and neither has a secret in it."""
    registry = open_registry(workshop.write(document_text(document)), workshop.environ)
    sites = document["sites"] if isinstance(document["sites"], dict) else {}
    read_all(registry, {**sites, "aurora": None})


@fuzzed(150)
@given(document=st.one_of(sound_documents(), hostile_documents()), command=st.sampled_from(COMMANDS))
def test_commands_give_reports_and_tell_no_secret(
    workshop: Workshop, document: dict[str, Any], command: list[str]
) -> None:
    """Whatever a registry says, a command prints no secret, and fails with a CommandError alone."""
    registry = workshop.write(document_text(document))
    output = io.StringIO()
    with nothing_told(CommandError) as told:
        try:
            call_command(*command, "--registry", str(registry), stdout=output, stderr=output, no_color=True)
        finally:
            told.append(output.getvalue())


@fuzzed(50)
@given(text=st.one_of(st.text(max_size=40), st.binary(max_size=40), hostile_documents().map(damaged)))
def test_text_that_is_no_registry_gives_a_report(workshop: Workshop, text: str | bytes) -> None:
    """A file that is not TOML, or not text, is one problem with a place and nothing of the file."""
    path = workshop.folder / "no.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    read_all(open_registry(path, {}), ["aurora"])


@fuzzed(250)
@given(environ=variables())
def test_hostile_variables_give_reports_and_tell_no_secret(
    workshop: Workshop, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the variables of a process say, reading them ends in a spec or in a report, without a secret."""
    monkeypatch.chdir(workshop.folder)
    read_all(open_registry("env:", environ), [environ["MULTIHOST_SITE"]])


@fuzzed(100)
@given(url=st.one_of(st.text(max_size=20), urls()))
def test_place_of_a_registry_gives_a_report(workshop: Workshop, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever MULTIHOST_REGISTRY says, it is read or refused, and a password in it is not repeated."""
    monkeypatch.chdir(workshop.folder)
    with nothing_told():
        read_all(open_registry(None, {"MULTIHOST_REGISTRY": url}), ["aurora"])


def shared_things(sites: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what two sites' settings have in common, told by the settings alone."""
    for first, second in combinations(sites, 2):
        for thing, claim in CLAIMS.items():
            if claim(first) & claim(second):
                yield thing
        for thing, starts in RANGES.items():
            if any(one.startswith(other) or other.startswith(one) for one in starts(first) for other in starts(second)):
                yield thing
        for one, other in ((first, second), (second, first)):
            if any(code.startswith(file) or file.startswith(code) for code in code_of(one) for file in files(other)):
                yield "code"


def databases(site: dict[str, Any]) -> set[object]:
    own = site["DATABASES"]["default"]
    if own["ENGINE"].endswith("sqlite3"):
        return set()
    server = SERVERS[own["HOST"]], own["PORT"]
    return {(*server, own["NAME"]), (*server, own["TEST"]["NAME"]), (*server, "user", own["USER"])}


def buckets(site: dict[str, Any]) -> set[object]:
    storage = site["spec"].storage
    if storage.backend != "s3":
        return set()
    endpoint = ENDPOINTS[storage.endpoint]
    keys = {(endpoint, key, getattr(storage, key).reveal()) for key in ("access_key", "secret_key")}
    return {(endpoint, storage.bucket), *keys}


def files(site: dict[str, Any]) -> list[str]:
    """Return the folders and files of a site, without links and with a slash at their ends."""
    own = site["DATABASES"]["default"]
    paths = [site["MEDIA_ROOT"], site["STORAGES"].get("private", {}).get("OPTIONS", {}).get("location")]
    paths += [f"{own['NAME']}{suffix}" for suffix in ("", "-wal")] if own["ENGINE"].endswith("sqlite3") else []
    return [f"{os.path.realpath(path)}/" for path in paths if path and os.path.isabs(path)]


def code_of(site: dict[str, Any]) -> list[str]:
    """Return the folders of a site's own code, without links and with a slash at their ends."""
    values = dict(site["spec"].code)
    paths = [values.get("directory"), values.get("virtualenv"), *values.get("pythonpath", ())]
    return [f"{os.path.realpath(path)}/" for path in paths if path]


CLAIMS: dict[str, Callable[[dict[str, Any]], set[object]]] = {
    "host": lambda site: {*site["ALLOWED_HOSTS"], *filter(None, [site["spec"].storage.domain])},
    "key": lambda site: {site["SECRET_KEY"], *site["SECRET_KEY_FALLBACKS"]},
    "probe key": lambda site: {key.reveal() for key in (site["spec"].probe_key,) if key},
    "cookie": lambda site: {site["SESSION_COOKIE_NAME"], site["CSRF_COOKIE_NAME"], site["LANGUAGE_COOKIE_NAME"]},
    "socket": lambda site: {site["spec"].names.socket},
    "uid": lambda site: {site["spec"].uid},
    "database": databases,
    "bucket": buckets,
}
RANGES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "cache": lambda site: [f"{alias['KEY_PREFIX']}:" for alias in site["CACHES"].values()],
    "index": lambda site: [site["WAGTAILSEARCH_BACKENDS"]["default"]["INDEX_PREFIX"]],
    "file": files,
}
# Cookies of two hosts may have one name: they never meet.
MAY_BE_SHARED = {"cookie"}


def settings_of(registry: Registry, site: str) -> dict[str, Any]:
    platform, spec = registry.site(site)
    own = {
        setting.name: reveal_secrets(setting.value) for setting in ResolvedSettings(platform, spec).settings(PROJECT)
    }
    return {**own, "spec": spec}


def test_registry_that_is_accepted_has_no_two_sites_with_one_thing(workshop: Workshop) -> None:
    """What load() accepts gives settings that share no resource, and what they would share is refused."""
    seen: Counter[str] = Counter()

    @fuzzed(500)
    @given(document=sound_documents())
    def accepts_only_what_is_apart(document: dict[str, Any]) -> None:
        registry = open_registry(workshop.write(document_text(document)), {})
        try:
            ids = [site.id for site in registry.load().enabled]
        except ConfigurationError as error:
            assert all(problem.site in SITES for problem in error.problems)
            seen["refused"] += 1
            return
        sites = [settings_of(registry, site) for site in ids]
        assert list(shared_things(sites)) == []
        seen["accepted"] += len(sites) > 1

    accepts_only_what_is_apart()
    assert seen["accepted"] > 10
    assert seen["refused"] > 10

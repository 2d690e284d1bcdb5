"""What the emitted front servers close for the health endpoint, and whom they let through."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.health.options import PREFIX_FORM, read_prefix, read_settings
from wagtail_multihost.project import own_codebase
from wagtail_multihost.spec.codebase import PLAIN_PATH
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

ODD = ("", "/", "-", "/-", "-/", "//", "/x//y/", "/../x/", "/x/../", "/./", "/x y/", "/%2d/", "/x;/", "/$uri/", "/x\n/")


@pytest.mark.parametrize("prefix", ODD)
def test_prefix_that_servers_would_read_otherwise_is_refused(prefix: str) -> None:
    """What is no plain path, or becomes another one on the way, is a mistake in the settings and in the codebase."""
    with pytest.raises(ConfigurationError, match="health_prefix"):
        make_codebase(health_prefix=prefix)
    with pytest.raises(ConfigurationError, match="PREFIX"):
        read_prefix({"PREFIX": prefix})


@pytest.mark.parametrize("prefix", ["/-/files/", "/-/purge/", "/.well-known/acme-challenge/health/"])
def test_prefix_among_the_front_servers_own_paths_is_refused(prefix: str) -> None:
    """The endpoint cannot be where nginx has pages, files and challenges of its own."""
    with pytest.raises(ConfigurationError, match="front servers use what is below it otherwise"):
        make_codebase(health_prefix=prefix)


@pytest.mark.parametrize("key", ["static_url", "media_url"])
@pytest.mark.parametrize("url", ["/-/", "/-/x/", "/ops/health/", "/ops/health/x/"])
def test_files_below_a_closed_path_are_refused(key: str, url: str) -> None:
    """Neither static files nor uploads can be at the prefix or below it, nor below the front servers' own path."""
    with pytest.raises(ConfigurationError, match=f"{key}: .*closed to visitors"):
        make_codebase(health_prefix="/ops/health/", **{key: url})


def test_prefix_below_files_is_accepted() -> None:
    """A longer path wins: nothing of the prefix is shown, and the files beside it are."""
    codebase = make_codebase(static_url="/s/", health_prefix="/s/health/")
    rules = texts("nginx", make_plan(make_site("aurora"), codebase=codebase))["nginx/rules.conf"]
    assert "location ^~ /s/health/ {\n    return 404;\n}" in rules


def test_settings_and_emitters_accept_the_same_prefixes() -> None:
    """One pattern holds for both: what a site can state, its front server can close."""
    assert PREFIX_FORM.pattern == PLAIN_PATH.pattern


def test_stated_prefix_looks_at_nothing_else() -> None:
    """The prefix is read where the rest has mistakes, and is the default where none is stated."""
    assert read_prefix({"PREFIX": "/ops/", "TOKENS": 5, "PROBES": {"x": {"BACKEND": "no.such.Probe"}}}) == "/ops/"
    assert [read_prefix(stated) for stated in (None, {}, {"QUORUM": 5}, 7)] == ["/-/"] * 4
    assert read_settings({"PREFIX": "/ops/", "PROBES": {}}).options.prefix == "/ops/"


def test_command_states_the_projects_prefix(settings: Any) -> None:
    """What is emitted closes the prefix that the settings state."""
    assert own_codebase().health_prefix == "/-/"
    settings.MULTIHOST_HEALTH = {"PREFIX": "/ops/health/"}
    assert own_codebase().health_prefix == "/ops/health/"


@pytest.mark.parametrize("prefix", ["/-/", "/ops/health/"])
def test_every_server_of_nginx_closes_the_prefix_and_its_own_path(prefix: str) -> None:
    """The rules, which shared and own servers include, close both, with and without the final slash."""
    plan = make_plan(
        make_site("aurora"), make_site("borealis", nginx=(("access_log", True),)),
        codebase=make_codebase(health_prefix=prefix),
    )  # fmt: skip
    files = texts("nginx", plan)
    for url in ("/-/", prefix):
        for closed in (f"= {url[:-1]}", f"^~ {url}"):
            assert files["nginx/rules.conf"].count(f"location {closed} {{\n    return 404;\n}}") == 1
    assert [files[name].count("include rules.conf;") for name in ("nginx/nginx.conf", "nginx/sites/borealis.conf")] == [
        1,
        1,
    ]
    assert not [text for text in files.values() if "multihost_health" in text or "multihost_probe" in text]


def pattern_of(prefix: str) -> Callable[[str], bool]:
    """Return whether what nginx looks up (who, method, path) is let through by the emitted pattern."""
    nginx = NginxOptions(health_from=("10.0.2.0/24",))
    plan = make_plan(
        make_site("aurora"), platform=make_platform(nginx=nginx), codebase=make_codebase(health_prefix=prefix)
    )
    found = re.findall(r'"~(\^1: .*)" 1;', texts("nginx", plan)["nginx/health.conf"])
    assert len(found) == 1
    return lambda line: re.search(found[0], line) is not None


@pytest.mark.parametrize("prefix", ["/-/", "/ops/health.d/"])
def test_named_networks_may_ask_and_nothing_else(prefix: str) -> None:
    """GET and HEAD of the endpoint's paths are let through; no drain, no other method, no other path, nobody else."""
    passes = pattern_of(prefix)
    names = ("live", "ready", "startup", "metrics", "health", "health.json", "health.txt", "health.rss", "site/a-1")
    for name in names:
        for slash in ("", "/"):
            assert passes(f"1: GET {prefix}{name}{slash}") and passes(f"1: HEAD {prefix}{name}{slash}")
            for method in ("POST", "DELETE", "PURGE", "GETS", "get"):
                assert not passes(f"1: {method} {prefix}{name}{slash}")
            for who in ("", ":", ":1", "1:1", "11:", "1"):
                assert not passes(f"{who} GET {prefix}{name}{slash}")
    for name in (
        "",
        "drain",
        "drain/",
        "livex",
        "site/",
        "site/a/b",
        "live/drain",
        "live//",
        "health.json/x",
        "x/live",
    ):
        assert not passes(f"1: GET {prefix}{name}")
    assert not passes(f"1: GET /x{prefix}live")
    assert not passes(f"1: GET {prefix.replace('.', 'x')}live") or "." not in prefix


@pytest.mark.parametrize("prefix", ["/-/", "/ops/health.d/"])
def test_uwsgi_closes_the_prefix_with_any_number_of_slashes(prefix: str) -> None:
    """The patterns of a vassal that serves HTTP match the prefix and what is below it, and no neighbour of it."""
    plan = make_plan(
        make_site("aurora"), platform=make_platform(uwsgi=UwsgiOptions(http="127.0.0.1:8000")),
        codebase=make_codebase(health_prefix=prefix),
    )  # fmt: skip
    patterns = re.findall(r"^route = (\S+) break:404 Not Found$", texts("uwsgi", plan)["uwsgi/aurora.ini"], re.M)
    closed = [found for found in patterns if "documents" not in found]
    assert len(closed) == len({"/-/", prefix})
    doubled = prefix.replace("/", "//")
    for path in ("/-", "/-/", "/-/live", "//-//live", prefix, prefix[:-1], f"{prefix}live", doubled, f"{doubled}live"):
        assert any(re.search(found, path) for found in closed), path
    for path in ("/", "/x", "/-x/", f"/x{prefix}", f"{prefix[:-1]}x", "/ops/", "/ops/healthxd/"):
        assert not any(re.search(found, path) for found in closed), path


@pytest.mark.parametrize("runner", ["uwsgi", "gunicorn"])
@pytest.mark.parametrize("header", [None, ("HTTP_X_FORWARDED_PROTO", "https"), ("HTTP_X_SCHEME", "https")])
@pytest.mark.parametrize("proxies", [(), ("10.0.0.1",)])
def test_applications_hear_that_somebody_stands_between(
    runner: str, header: tuple[str, str] | None, proxies: tuple[str, ...]
) -> None:
    """Whatever proxies there are, nginx itself sets a header by which the endpoint knows that it was forwarded."""
    platform = make_platform(runner=runner, secure_proxy_ssl_header=header, nginx=NginxOptions(proxies=proxies))
    files = texts("nginx", make_plan(make_site("aurora"), platform=platform))
    said = 'proxy_set_header Via "1.1 multihost";' if runner == "gunicorn" else 'uwsgi_param HTTP_VIA "1.1 multihost";'
    assert sum(text.count(said) for text in files.values()) == 1


@pytest.mark.parametrize("key", ["drain", "unhealthy"])
@pytest.mark.parametrize(
    "path",
    [
        *("/srv/aviary/data/drain", "/run/multihost/drain", "/tmp/drain", "/dev/shm/drain", "/var/lib/nginx/x/drain"),
        *("/tmp/no-such-folder/drain", "/dev/shm/no/such/drain", "/var/lock/drain", "/dev/mqueue/drain"),
    ],
)
def test_drain_file_where_sites_make_files_is_refused(path: str, key: str) -> None:
    """One of them could take the machine out of service for all; where nobody may ask, nothing goes by the file."""
    nginx = replace(NginxOptions(health_from=("10.0.2.0/24",)), **{key: Path(path)})
    with pytest.raises(RenderError, match=rf"platform\.nginx\.{key}: .* sites can make files"):
        texts("nginx", make_plan(make_site("aurora"), platform=make_platform(nginx=nginx)))
    quiet = replace(NginxOptions(), **{key: Path(path)})
    assert "nginx/balancers.conf" not in texts("nginx", make_plan(platform=make_platform(nginx=quiet)))


def test_balancers_are_answered_by_nginx_alone() -> None:
    """Their paths pass nothing on, are for who is named, and are no node's."""
    nginx = NginxOptions(health_from=("10.0.2.0/24",), fronts=("10.0.0.4",))
    platform = make_platform(nginx=nginx, nodes=(("app-1", "10.0.0.5:8080"),))
    plan = make_plan(make_site("aurora"), platform=platform, codebase=make_codebase(health_prefix="/ops/x/"))
    text = texts("nginx", plan)["nginx/balancers.conf"]
    assert "_pass" not in text and "$multihost_site" not in text and "$host" not in text
    assert re.findall(r"^location = (\S+) \{\n    if \(\$multihost_probe\)", text, re.MULTILINE) == [
        "/ops/x/live",
        "/ops/x/live/",
        "/ops/x/ready",
        "/ops/x/ready/",
    ]
    assert text.count("return 444;") == 4
    node = make_plan(make_site("aurora"), platform=platform, node="app-1")
    assert "nginx/balancers.conf" not in texts("nginx", node)
    assert "balancers.conf" not in texts("nginx", node)["nginx/nginx.conf"]

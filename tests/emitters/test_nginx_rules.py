"""What closes, limits and identifies requests, read in the files."""

from __future__ import annotations

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters.nginx.cache import purge_values
from wagtail_multihost.emitters.nginx.content import site_address
from wagtail_multihost.emitters.nginx.front import front_of
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions

CLOSED = (make_site("quay", state="maintenance"), make_site("moor", state="suspended"))


def map_of(text: str, variable: str) -> list[str]:
    """Return the lines of the map that sets a variable."""
    _, _, rest = text.partition(f" ${variable} {{\n")
    return [line.strip() for line in rest.partition("}")[0].splitlines()]


def test_paths_stay_open_for_files_in_maintenance_alone() -> None:
    """A site in maintenance still has its files, a suspended one has nothing, and others are in no list."""
    maps = texts("nginx", make_plan(make_site("aurora"), *CLOSED))["nginx/maps.conf"]
    assert map_of(maps, "multihost_closed") == [
        "volatile;",
        'default "";',
        "quay maintenance;",
        "moor suspended;",
        "file:moor suspended;",
    ]


def test_path_that_applications_answer_for_is_closed_with_them() -> None:
    """Where nginx serves no static files, their path is the application's and closed like it."""
    codebase = make_codebase(static_root=None, media_url=None)
    maps = texts("nginx", make_plan(*CLOSED, codebase=codebase))["nginx/maps.conf"]
    assert [line.split()[-1] for line in map_of(maps, "multihost_open")] == ["volatile;", '"";', "page:;", "page:;"]


def test_platform_without_closed_sites_asks_nothing() -> None:
    """No request pays for states while every site is active."""
    files = texts("nginx", make_plan(make_site("aurora")))
    assert "closed" not in files["nginx/maps.conf"] + files["nginx/rules.conf"]


@pytest.mark.parametrize("option", ["rate", "client_connections"])
def test_limits_count_a_client_of_one_site(option: str) -> None:
    """The key of each zone has the site in it, so that nobody uses up what he may ask of another site."""
    text = texts("nginx", make_plan(make_site("aurora", nginx=((option, 5),))))["nginx/limits.conf"]
    assert "$multihost_site$binary_remote_addr" in text
    assert text.count("$binary_remote_addr") == 1


@pytest.mark.parametrize(("connections", "size"), [(512, 10), (1280, 10), (1407, 10), (1408, 11), (65536, 512)])
def test_zone_of_connections_has_room_for_all_that_there_can_be(connections: int, size: int) -> None:
    """A full zone turns every client away: it holds 128 bytes for each connection of 64 workers, and 10 MB at least."""
    platform = make_platform(nginx=NginxOptions(connections=connections, client_connections=5, rate=7))
    lines = texts("nginx", make_plan(platform=platform))["nginx/limits.conf"].splitlines()
    (zone,) = (line for line in lines if line.startswith("limit_conn_zone"))
    assert zone.endswith(f":{size}m;")
    (zone,) = (line for line in lines if line.startswith("limit_req_zone"))
    assert zone.endswith(":10m rate=7r/s;")


def test_headers_of_proxies_are_written_over() -> None:
    """With proxies named, what a client says about the scheme and its address is replaced."""
    platform = make_platform(
        nginx=NginxOptions(proxies=("10.0.0.1",)), secure_proxy_ssl_header=("HTTP_X_FORWARDED_PROTO", "https")
    )
    emitted = texts("nginx", make_plan(make_site("aurora"), platform=platform))
    main = emitted["nginx/nginx.conf"]
    for name in ("FOR $remote_addr", "HOST $host", "PORT $multihost_port", "SSL $multihost_ssl"):
        assert f"uwsgi_param HTTP_X_FORWARDED_{name};" in main
    assert main.count("uwsgi_param HTTP_X_FORWARDED_PROTO ") == 1
    assert "uwsgi_param HTTP_X_FORWARDED_PROTO $multihost_scheme;" in main
    assert (
        'map "$multihost_proxy$scheme $http_x_forwarded_proto" $multihost_scheme {' in emitted["nginx/forwarded.conf"]
    )


def test_prefix_of_health_is_read_as_it_is() -> None:
    """In the pattern of probes a dot is a dot, and no quotes are left of the path."""
    codebase = make_codebase(health_prefix="/ops.v1~/x/")
    plan = make_plan(codebase=codebase, platform=make_platform(nginx=NginxOptions(health_from=("10.0.0.0/8",))))
    (line,) = (line for line in texts("nginx", plan)["nginx/health.conf"].splitlines() if "GET|HEAD" in line)
    assert line.strip().startswith('"~^1: (GET|HEAD) /ops[.]v1~/x/(live|')


def test_generation_asks_for_the_address_of_the_connection() -> None:
    """Who sees the generation is decided by the address of the connection, whatever proxies say."""
    main = texts("nginx", make_plan(make_site("aurora")))["nginx/nginx.conf"]
    assert "geo $realip_remote_addr $multihost_is_loopback {" in main
    assert "map $realip_remote_addr $multihost_is_local {" in main


NODES = (("app-1", "10.0.0.5:8080"),)


@pytest.mark.parametrize(
    ("nodes", "node", "speaks", "asks"),
    [((), "", True, 0), (NODES, "", False, 5), (NODES, "app-1", True, 0)],
)
@pytest.mark.parametrize(
    ("runner", "own", "waits", "waits_for_own"),
    [
        ("uwsgi", {"uwsgi": (("harakiri", 100),)}, 60, 100),
        ("uwsgi", {"systemd": (("timeout", 100),)}, 60, 60),
        ("uwsgi", {"nginx": (("timeout", 7),)}, 60, 7),
        ("uwsgi", {"nginx": (("timeout", 61),)}, 60, 60),
        ("gunicorn", {"systemd": (("timeout", 100),)}, 70, 100),
        ("gunicorn", {"uwsgi": (("harakiri", 100),)}, 70, 70),
        ("gunicorn", {"systemd": (("timeout", 100),), "nginx": (("timeout", 8),)}, 70, 8),
    ],
)
def test_nginx_waits_as_long_as_who_it_asks(
    nodes: tuple[tuple[str, str], ...],
    node: str,
    speaks: bool,
    asks: int,
    runner: str,
    own: dict[str, tuple[tuple[str, object], ...]],
    waits: int,
    waits_for_own: int,
) -> None:
    """It gives up when a request may take no longer, whatever is stated, and a front server five seconds later."""
    nginx = NginxOptions(fronts=("10.0.0.4",))
    platform = make_platform(runner=runner, nodes=nodes, nginx=nginx, systemd=SystemdOptions(timeout=70))
    front = front_of(make_plan(site := make_site("aurora", **own), platform=platform, node=node))
    assert (front.read_timeout(), front.read_timeout(site)) == (waits, waits_for_own)
    assert (front.http_timeout(), front.http_timeout(site)) == (waits + asks, waits_for_own + asks)
    assert front.speaks_http is (speaks and runner == "gunicorn")
    asked = "http://unix:" if front.speaks_http else "unix:"
    assert site_address(front) == f'"{asked}/run/multihost/$multihost_socket{":" if front.speaks_http else ""}"'


@pytest.mark.parametrize(
    ("proxies", "header", "origin", "expected"),
    [
        ((), None, "https://{hostname}", ("purge:on", "https")),
        ((), ("HTTP_X_SCHEME", "on"), "https://{hostname}", ('"~^purge:"', "https")),
        (("10.0.0.1",), None, "https://{hostname}", ("purge:on", "https")),
        (("10.0.0.1",), ("HTTP_X_SCHEME", "on"), "https://{hostname}", ('"~^purge:"', "https")),
        (("10.0.0.1",), ("HTTP_X_SCHEME", "secure"), "http://{hostname}", ("purge:on", "https")),
    ],
)
def test_purged_page_is_that_of_its_visitors_scheme(
    proxies: tuple[str, ...], header: tuple[str, str] | None, origin: str, expected: tuple[str, str]
) -> None:
    """Behind a proxy that says the scheme, it is https for all names, where the platform is on https."""
    platform = make_platform(
        nginx=NginxOptions(cache=10, proxies=proxies), secure_proxy_ssl_header=header, origin=origin
    )
    assert tuple(purge_values(front_of(make_plan(make_site("aurora"), platform=platform))).values()) == expected

"""Which server a site is in, and what may stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import DATA, make_plan, make_platform, make_site, texts
from tests.emitters.test_golden import TLS
from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.nginx.rules import zone_name
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.tls import TlsSpec

OWN = {
    "body_size": "1m",
    "timeout": 7,
    "rate": 5,
    "client_connections": 9,
    "access_log": True,
    "site_include": Path("/etc/nginx/aurora.conf"),
}


def with_nginx(**options: object) -> PlatformSpec:
    """Return the platform with options of nginx."""
    return make_platform(nginx=NginxOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("option", OWN)
def test_site_with_an_own_option_is_in_its_own_server_alone(option: str) -> None:
    """What nginx takes no variable for puts the site into a server of its own, and its names into no other."""
    site = make_site("aurora", hostnames=("aurora.example.org", "www.aurora.example.org"), tls=TLS)
    own = make_site("borealis", tls=TLS, nginx=((option, OWN[option]),))
    files = texts("nginx", make_plan(site, own))
    assert "server_name borealis.example.org;" in files["nginx/sites/borealis.conf"]
    assert "nginx/sites/aurora.conf" not in files
    for names in ("nginx/http-names.conf", "nginx/https-names.conf"):
        assert "aurora" in files[names] and "borealis" not in files[names]


@pytest.mark.parametrize(
    "options", [(("body_size", "20m"),), (("timeout", 65),), (("burst", 99),), (("access_log", False),), ()]
)
def test_site_that_states_what_holds_anyway_stays_in_the_shared_server(options: tuple[tuple[str, object], ...]) -> None:
    """An option that changes nothing costs no server."""
    files = texts("nginx", make_plan(make_site("aurora", nginx=options)))
    assert "nginx/sites/aurora.conf" not in files and "sites/*.conf" not in files["nginx/nginx.conf"]


@pytest.mark.parametrize(
    ("all_sites", "own", "line"),
    [
        *((10, 10, None), (10, 0, None), (0, 0, None)),
        *((10, 1, "uwsgi_cache_valid 200 301 302 404 410 1s;"), (0, 5, "uwsgi_cache_valid 200 301 302 404 410 5s;")),
    ],
)
def test_site_whose_pages_are_kept_for_another_time_has_its_own_server(
    all_sites: int, own: int, line: str | None
) -> None:
    """The same time, or none at all, is no reason for one; on a node, which keeps no pages, nothing is."""
    site = make_site("aurora", nginx=(("cache", own),))
    text = texts("nginx", make_plan(site, platform=with_nginx(cache=all_sites))).get("nginx/sites/aurora.conf")
    assert (text is None) == (line is None)
    assert line is None or line in map(str.strip, (text or "").splitlines())
    nginx = NginxOptions(cache=all_sites, fronts=("10.0.0.4",))
    node = make_platform(nodes=(("app-1", "10.0.0.5:8080"),), nginx=nginx)
    assert "nginx/sites/aurora.conf" not in texts("nginx", make_plan(site, platform=node, node="app-1"))


def test_site_whose_application_takes_longer_is_waited_for() -> None:
    """The time follows the site's own time in its application's server, in uWSGI's or in gunicorn's."""
    uwsgi = make_site("aurora", uwsgi=(("harakiri", 600),))
    assert "uwsgi_read_timeout 600s;" in texts("nginx", make_plan(uwsgi))["nginx/sites/aurora.conf"]
    platform = make_platform(runner="gunicorn", systemd=SystemdOptions(timeout=90))
    gunicorn = make_site("aurora", systemd=(("timeout", 30),))
    assert "_read_timeout 30s;" in texts("nginx", make_plan(gunicorn, platform=platform))["nginx/sites/aurora.conf"]
    files = texts("nginx", make_plan(gunicorn, platform=platform))
    assert any("_read_timeout 90s;" in text for path, text in files.items() if "sites/" not in path)


def test_own_servers_of_sites_that_are_not_chosen_are_rendered() -> None:
    """The shared server leaves out all sites with a server of their own, so these must be there whoever is chosen."""
    sites = [make_site(site, nginx=(("rate", 5),)) for site in ("aurora", "borealis")]
    files = texts("nginx", make_plan(*sites, make_site("corona"), only=frozenset({"corona"})))
    assert {"nginx/sites/aurora.conf", "nginx/sites/borealis.conf"} <= files.keys()
    assert "borealis" not in files["nginx/http-names.conf"]


def test_zone_with_another_key_has_another_name() -> None:
    """nginx refuses, after its own test has passed, to reload a zone whose key has changed."""
    assert zone_name("requests", "$a") != zone_name("requests", "$b")


@pytest.mark.parametrize("name", ["*", "?", "[a]", "a\\b"])
def test_folder_that_nginx_would_read_as_a_pattern_is_refused(name: str) -> None:
    """Included files are found beside the main file: the path of that folder must not be a pattern."""
    with pytest.raises(RenderError, match="include files"):
        texts("nginx", make_plan(make_site("aurora"), directory=Path("/etc", name)))


@pytest.mark.parametrize("token", ["", 'a"', "a b", "a;", "a\n", "$host", "é", "a" * 129])
def test_generation_is_letters_and_digits(token: str) -> None:
    """No token gets into nginx's configuration that could be more than a token."""
    make = emitters()["nginx"].generation
    assert make
    with pytest.raises(RenderError):
        make(token)


def test_second_hostname_leads_to_http_while_the_first_has_no_certificate() -> None:
    """No redirect leads to https on a host that is pending."""
    tls = TlsSpec(certificate=TLS.certificate, key=TLS.key, pending=("aurora.example.org",))
    site = make_site("aurora", hostnames=("aurora.example.org", "www.aurora.example.org"), tls=tls)
    maps = texts("nginx", make_plan(site))["nginx/maps.conf"]
    assert "www.aurora.example.org http://aurora.example.org;" in maps


@pytest.mark.parametrize(
    "path",
    [
        DATA / "sites/aurora/media/evil.conf",
        DATA / "platform.conf",
        Path("/run/multihost/evil.conf"),
        Path("/srv/uploads/evil.conf"),
        Path("/var/lib/nginx/body/0000000001"),
    ],
)
@pytest.mark.parametrize("option", ["include", "site_include"])
def test_file_that_a_site_could_write_is_not_included(path: Path, option: str) -> None:
    """CVE-2021-25742: what a tenant writes must not be nginx's configuration, wherever it is named."""
    borealis = make_site("borealis", storage=StorageSpec(backend="files", path=Path("/srv/uploads")))
    with pytest.raises(RenderError, match=rf"platform\.nginx\.{option}: .*sites can write"):
        texts("nginx", make_plan(make_site("aurora"), borealis, platform=with_nginx(**{option: path})))
    if option == "site_include":
        site = make_site("aurora", nginx=((option, path),))
        with pytest.raises(RenderError, match=r"sites\.aurora\.nginx\.site_include: .*sites can write"):
            texts("nginx", make_plan(site, borealis))


@pytest.mark.parametrize(
    ("code", "folder"),
    [
        (("directory", Path("/srv/own/code")), "/srv/own/code"),
        (("virtualenv", Path("/srv/own/venv")), "/srv/own/venv"),
        (("pythonpath", ("/srv/a", "/srv/b")), "/srv/b"),
        (("wsgi", "own.wsgi:application"), ""),
    ],
)
def test_file_in_a_sites_own_code_is_not_included(code: tuple[str, object], folder: str) -> None:
    """Who brings code writes its folders: nothing in them, at any depth, is nginx's configuration."""
    sites = (make_site("aurora"), make_site("borealis", code=(code,)))
    included = with_nginx(include=Path(f"{folder or '/srv/own'}/deep/x.conf"))
    beside = with_nginx(include=Path(f"{folder or '/srv/own'}-beside/x.conf"))
    assert "-beside/x.conf;" in texts("nginx", make_plan(*sites, platform=beside))["nginx/nginx.conf"]
    if folder:
        with pytest.raises(RenderError, match="sites can write"):
            texts("nginx", make_plan(*sites, platform=included))
    else:
        assert "/deep/x.conf;" in texts("nginx", make_plan(*sites, platform=included))["nginx/nginx.conf"]


@pytest.mark.parametrize(
    ("version", "listen", "directive", "rejects"),
    [
        ("1.18.0", "listen 443 ssl http2;", False, False),
        ("1.19.4", "listen 443 ssl http2;", False, True),
        ("1.25.0", "listen 443 ssl http2;", False, True),
        ("1.25.1", "listen 443 ssl;", True, True),
        ("1.28", "listen 443 ssl;", True, True),
    ],
)
def test_directives_are_those_of_the_version(version: str, listen: str, directive: bool, rejects: bool) -> None:
    """HTTP/2 and the refusal of handshakes are written as that version of nginx knows them."""
    conf = texts("nginx", make_plan(make_site("aurora", tls=TLS), platform=with_nginx(version=version)))
    main = conf["nginx/nginx.conf"]
    assert listen in main
    assert ("http2 on;" in main, "ssl_reject_handshake on;" in main) == (directive, rejects)


@pytest.mark.parametrize("version", ["1.18.0", "1.25.0", "1.25.1"])
def test_http2_can_be_off_in_every_version(version: str) -> None:
    """Neither the old spelling nor the new one is there where the platform does not want it."""
    files = texts("nginx", make_plan(make_site("aurora", tls=TLS), platform=with_nginx(version=version, http2=False)))
    assert "listen 443 ssl;" in files["nginx/nginx.conf"] and "http2" not in files["nginx/nginx.conf"]


def test_plain_connections_have_no_http2() -> None:
    """HTTP/2 is for https: it stands in no server that listens for http."""
    platform = with_nginx(version="1.28")
    main = texts("nginx", make_plan(make_site("aurora", tls=TLS), platform=platform))["nginx/nginx.conf"]
    servers = main.split("server {")[1:]
    assert [("listen 80" in server, "http2 on;" in server) for server in servers] == [
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]

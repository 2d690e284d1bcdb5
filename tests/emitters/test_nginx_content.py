"""What nginx's configuration says about the content, where a golden file would not show the rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.emitters.conftest import BUCKET, make_plan, make_platform, make_site, texts
from tests.emitters.test_golden_content import CERTIFICATES, NODES, several
from wagtail_multihost.backends.accel import LOCATION
from wagtail_multihost.emitters.nginx.front import front_of
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.spec.nginx import NginxOptions


@pytest.mark.parametrize("node", ["", "app-1"])
def test_nodes_that_anybody_could_speak_to_are_refused(node: str) -> None:
    """Neither the front server's files nor a node's are made without addresses or certificates."""
    with pytest.raises(EmitError, match="could pose as the front server"):
        texts("nginx", several(node, fronts=()))


@pytest.mark.parametrize("fronts", ["10.0.0.0/24", "10.0.0.6", "127.0.0.0/8", "127.0.0.2", "::1", "::/0", "0.0.0.0/0"])
def test_addresses_that_sites_have_are_no_front_servers_in_production(fronts: str) -> None:
    """Code of a site connects from the addresses of its machine; certificates are what it does not have."""
    plan = several("app-1", fronts=(fronts,))
    texts("nginx", plan)
    platform = replace(plan.platform, environment="production")
    with pytest.raises(EmitError, match="their code could pose as the front server"):
        texts("nginx", replace(plan, platform=platform))
    certified = platform.with_options(replace(plan.options(NginxOptions), **CERTIFICATES))
    texts("nginx", replace(plan, platform=certified))


def test_front_server_beside_the_nodes_is_one_in_production() -> None:
    """An address of its own, and one that nginx looks up, are accepted."""
    plan = several("app-1")
    nodes = (*plan.platform.nodes, ("named", "app-3.example.org:8080"))
    texts("nginx", replace(plan, platform=replace(plan.platform, environment="production", nodes=nodes)))


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_of_one_end_alone_are_refused(name: str) -> None:
    """Each of the six files is missed, also where addresses are stated."""
    stated = {key: path for key, path in CERTIFICATES.items() if key != name}
    with pytest.raises(EmitError, match=f"incomplete: {name}"):
        texts("nginx", several(**stated))


def test_fetching_without_resolvers_is_refused_where_a_site_has_a_domain() -> None:
    """Without a server to look names up nginx would have to do so when it starts."""
    options = make_platform(nginx=NginxOptions(bucket_media="proxy"))
    with pytest.raises(EmitError, match="resolvers"):
        texts(
            "nginx", make_plan(make_site("aurora", storage=replace(BUCKET, domain="a.example.org")), platform=options)
        )
    assert "nginx/buckets.conf" not in texts("nginx", make_plan(make_site("corona", storage=BUCKET), platform=options))


@pytest.mark.parametrize("media", ["proxy", "redirect"])
def test_bucket_without_a_domain_is_not_reached(media: str) -> None:
    """A bucket that only signed addresses open has none below the media URL."""
    options = NginxOptions(bucket_media=media, resolvers=("127.0.0.53",))
    plan = make_plan(make_site("corona", storage=BUCKET), platform=make_platform(nginx=options))
    assert BUCKET.bucket not in "".join(texts("nginx", plan).values())


@pytest.mark.parametrize(("node", "answers"), [("", False), ("app-1", True)])
@pytest.mark.parametrize("media", ["proxy", "redirect"])
def test_bucket_is_reached_from_the_node_and_not_from_the_front_server(media: str, node: str, answers: bool) -> None:
    """The front server asks the node for whatever a site has, and needs no way to its bucket."""
    site = make_site("aurora", storage=replace(BUCKET, domain="a.example.org"), nodes=("app-1",))
    nginx = NginxOptions(bucket_media=media, resolvers=("127.0.0.53",), fronts=("10.0.0.4",))
    front = front_of(make_plan(site, node=node, platform=make_platform(nodes=NODES, nginx=nginx)))
    assert (front.fetches_files, front.redirects_files) == (
        answers and media == "proxy",
        answers and media == "redirect",
    )


@pytest.mark.parametrize(
    ("runner", "nodes", "node", "expected"),
    [
        *(("uwsgi", (), "", "uwsgi"), ("gunicorn", (), "", "proxy")),
        *(("uwsgi", NODES, "", "proxy"), ("gunicorn", NODES, "", "proxy")),
        *(("uwsgi", NODES, "app-1", "uwsgi"), ("gunicorn", NODES, "app-1", "proxy")),
    ],
)
def test_pages_are_kept_by_the_part_of_nginx_that_asks_for_them(
    runner: str, nodes: tuple[tuple[str, str], ...], node: str, expected: str
) -> None:
    """gunicorn and other machines are asked by HTTP, uWSGI on the same machine by its own protocol."""
    nginx = NginxOptions(cache=10, fronts=("10.0.0.4",) if nodes else ())
    sites = (make_site("aurora"), make_site("borealis", nginx=(("cache", 3),)))
    plan = make_plan(*sites, platform=make_platform(runner=runner, nodes=nodes, nginx=nginx), node=node)
    assert front_of(plan).module == expected
    if not node:
        files = texts("nginx", plan)
        other = {"proxy": "uwsgi", "uwsgi": "proxy"}[expected]
        for name, directive in (
            *(("cache.conf", "_cache_path "), ("nginx.conf", "_cache_valid 200 301 302 404 410 10s;")),
            *(("sites/borealis.conf", "_cache_valid 200 301 302 404 410 3s;"), ("locations.conf", "_cache ")),
        ):
            assert f"{expected}{directive}" in files[f"nginx/{name}"]
            assert f"{other}{directive}" not in files[f"nginx/{name}"]


def test_node_keeps_no_pages_and_has_no_certificates_of_visitors() -> None:
    """What visitors meet first is the front server's."""
    emitted = "".join(texts("nginx", several("app-1")).values())
    assert "cache_path" not in emitted
    assert "/etc/tls" not in emitted
    assert "listen 10.0.0.5:8080" in emitted


def test_sites_with_the_same_nodes_share_one_upstream() -> None:
    """There is one group of nodes for each set, in whatever order sites name them."""
    sites = (
        make_site("aurora"),
        make_site("borealis", nodes=("app-2", "app-1")),
        make_site("corona", nodes=("app-2",)),
        make_site("dawn", nodes=("app-2",)),
    )
    plan = make_plan(*sites, platform=make_platform(nodes=NODES, nginx=NginxOptions(fronts=("10.0.0.4",))))
    text = texts("nginx", plan)["nginx/upstreams.conf"]
    assert text.count("upstream multihost+") == 2
    assert "borealis multihost+app-1+app-2;" in text


@pytest.mark.parametrize(
    ("name", "header"), [("HTTP_X_SCHEME", "X-SCHEME"), ("HTTP_X_FORWARDED_PROTO", ""), ("HTTP_X_A_HTTP_", "X-A-HTTP-")]
)
def test_front_server_says_the_scheme_in_the_header_of_the_platform_too(name: str, header: str) -> None:
    """Applications on nodes read the scheme from the header that they are told of, beside the one of nodes."""
    nginx = NginxOptions(fronts=("10.0.0.4",), proxies=("10.0.0.9",))
    platform = make_platform(nodes=NODES, nginx=nginx, secure_proxy_ssl_header=(name, "on"))
    text = texts("nginx", make_plan(make_site("aurora"), platform=platform))["nginx/upstreams.conf"]
    stated = {line.split()[1]: line.split()[2] for line in text.splitlines() if line.startswith("proxy_set_header X-")}
    usual = {"X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Ssl"}
    assert stated.keys() - usual - {"X-Request-Id", "X-Real-IP"} == ({header} if header else set())
    assert not header or stated[header] == "$multihost_scheme_word;"
    assert stated["X-Forwarded-Proto"] == "$multihost_scheme;"


def test_no_part_of_nginx_speaks_to_nodes_in_the_protocol_of_uwsgi() -> None:
    """A front server has no uwsgi_pass at all: whoever can use that protocol can make a process load code."""
    assert "uwsgi_pass" not in "".join(texts("nginx", several()).values())


@pytest.mark.parametrize(("runner", "expected"), [("uwsgi", ['uwsgi_param HTTP_UPGRADE "";']), ("gunicorn", [])])
def test_node_tells_its_runner_of_no_upgrade_in_the_runners_own_protocol(runner: str, expected: list[str]) -> None:
    """What is between the front server and the node goes no further; a runner that speaks HTTP has no such variable."""
    nginx = NginxOptions(fronts=("10.0.0.4",))
    platform = make_platform(runner=runner, nodes=NODES, nginx=nginx)
    text = texts("nginx", make_plan(make_site("aurora"), platform=platform, node="app-1"))["nginx/upstreams.conf"]
    assert [line for line in text.splitlines() if "uwsgi_param" in line] == expected


@pytest.mark.parametrize("value", ["dns.example.org", "1.1.1.1 valid=1s", "::1", "1.1.1.1:x", ""])
def test_resolvers_are_addresses(value: str) -> None:
    """A name server is an IP address, with a port or without."""
    with pytest.raises(ConfigurationError):
        NginxOptions(resolvers=(value,))


def test_application_and_nginx_agree_on_the_location_of_documents() -> None:
    """The location that the backend names is the one that nginx has, and is internal."""
    assert LOCATION == "/-/files/"
    assert "location ^~ /-/files/ {\n    internal;" in texts("nginx", make_plan())["nginx/locations.conf"]

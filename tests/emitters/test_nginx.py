"""What nginx's configuration says, where a golden file would not show the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.test_golden import TLS
from wagtail_multihost.emitters import emit, emitters
from wagtail_multihost.emitters.nginx.hosts import bucket_size, table_size
from wagtail_multihost.emitters.rendering import render
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.storage import StorageSpec


@pytest.mark.parametrize(
    ("length", "size"), [(1, 64), (46, 64), (47, 128), (110, 128), (111, 256), (238, 256), (239, 512), (253, 512)]
)
def test_bucket_size_is_what_nginx_needs(length: int, size: int) -> None:
    """The bucket of the longest name is the smallest power of two that nginx accepts, as measured."""
    assert bucket_size(["a.example.org", "x" * length]) == size


def test_bucket_size_without_hosts_is_the_default() -> None:
    """No name at all needs no more than nginx's default."""
    assert bucket_size([]) == 64


@pytest.mark.parametrize(("count", "size"), [(0, 2048), (128, 2048), (129, 4096), (1000, 16384)])
def test_table_size_grows_with_the_bytes_of_all_names(count: int, size: int) -> None:
    """The table is a power of two that is not smaller than all names together."""
    assert table_size(["x" * 16] * count) == size


def test_shared_files_name_every_site_when_some_are_chosen() -> None:
    """Choosing sites leaves nobody out of the maps, which all sites share."""
    plan = make_plan(make_site("aurora"), make_site("borealis"), only=frozenset({"aurora"}))
    assert "borealis.example.org borealis;" in texts("nginx", plan)["nginx/maps.conf"]


@pytest.mark.parametrize(
    ("origin", "tls", "target"),
    [
        ("https://{hostname}", None, "https://aurora.example.org"),
        ("http://{hostname}:8000", None, "http://aurora.example.org:8000"),
        ("http://{hostname}", TLS, "https://aurora.example.org"),
        ("https://{hostname}:8443", TLS, "https://aurora.example.org:8443"),
    ],
)
def test_redirects_lead_to_the_origin_of_the_first_hostname(origin: str, tls: object, target: str) -> None:
    """A second hostname redirects to the first one, with TLS where the site has it and at the origin's port."""
    site = make_site("aurora", hostnames=("aurora.example.org", "www.aurora.example.org"), tls=tls)
    maps = texts("nginx", make_plan(site, platform=make_platform(origin=origin)))["nginx/maps.conf"]
    assert f"www.aurora.example.org {target};" in maps


@pytest.mark.parametrize(
    "options",
    [
        {"storage": StorageSpec(backend="files", path=Path("/srv/$host"))},
        {"tls": type(TLS)(certificate="/etc/$host", key="/etc/key")},
    ],
)
def test_values_that_nginx_would_expand_are_refused(options: dict[str, object]) -> None:
    """A path with a dollar sign is an error before any file is written."""
    with pytest.raises(RenderError):
        list(emit("nginx", make_plan(make_site("aurora", **options))))


def test_unknown_target_is_refused() -> None:
    """There is no emitter by default."""
    with pytest.raises(KeyError):
        emit("apache", make_plan())


def test_missing_template_values_are_errors() -> None:
    """A template that uses a name it was not given renders nothing."""
    with pytest.raises(RenderError, match="is undefined"):
        render("nginx/names.conf")


@pytest.mark.parametrize(
    ("proxies", "header", "wanted"),
    [
        (("10.0.0.1",), "proxy_protocol", True),
        (("10.0.0.1",), "X-Forwarded-For", False),
        ((), "proxy_protocol", False),
    ],
)
def test_who_connects_says_for_whom_where_listeners_want_it(
    proxies: tuple[str, ...], header: str, wanted: bool
) -> None:
    """It is told of the target what its listeners say, so that they can be asked."""
    platform = make_platform(nginx=NginxOptions(proxies=proxies, real_ip_header=header))
    plan = make_plan(make_site("aurora"), platform=platform)
    assert emitters()["nginx"].wants_proxy_line(plan) is wanted
    assert (" proxy_protocol" in texts("nginx", plan)["nginx/nginx.conf"]) is wanted
    assert emitters()["uwsgi"].wants_proxy_line(plan) is False

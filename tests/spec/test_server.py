"""Options of the servers in front of the sites, certificates and the shared code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.hostile import HOSTILE_TEXT
from tests.spec.samples import a_codebase, problem_keys
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import NginxOptions, TlsSpec, UwsgiOptions

CERTIFICATE = "/etc/tls/{hostname}/chain.pem"
KEY = "/etc/tls/{site}/key.pem"
NOT_AN_ADDRESS = tuple(text for text in HOSTILE_TEXT if text)


def test_options_have_defaults_that_are_accepted() -> None:
    """Every option of a server has a default."""
    assert NginxOptions().http == ("80", "[::]:80")
    assert UwsgiOptions().build == "pyuwsgi"


@pytest.mark.parametrize(
    "changes",
    [
        {"http": ("127.0.0.1:8080",)},
        {"http": ("*:80", "unix:/run/nginx.sock")},
        {"https": ()},
        {"https": ("[2001:db8::1]:443",)},
        {"user": "_nginx-1"},
        {"body_size": "0"},
        {"body_size": "512k"},
        {"pid": Path("/run/other.pid")},
    ],
)
def test_nginx_option_in_its_own_grammar_is_accepted(changes: dict[str, Any]) -> None:
    """Addresses, users, sizes and paths are accepted as nginx reads them."""
    options = NginxOptions(**changes)
    assert all(getattr(options, key) == value for key, value in changes.items())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http", ()),
        *(("http", (text,)) for text in NOT_AN_ADDRESS),
        ("http", ("80 default_server",)),
        ("http", ("99999",)),
        ("http", ("127.0.0.1:0",)),
        ("https", ("443; include /etc/passwd",)),
        ("user", "root; x"),
        ("user", ""),
        ("body_size", "20 m"),
        ("body_size", "20M;"),
        ("pid", Path("nginx.pid")),
        ("logs", Path("logs")),
        ("temp", Path("/srv/../etc")),
        ("mime_types", Path("/etc/a\nb")),
        ("drain", Path("drain")),
        ("real_ip_header", "Forwarded"),
        ("real_ip_header", "forwarded"),
    ],
    ids=ascii,
)
def test_nginx_option_with_a_mistake_names_its_key(key: str, value: Any) -> None:
    """A mistake in an nginx option is one problem with its key."""
    with pytest.raises(ConfigurationError) as refused:
        NginxOptions(**{key: value})
    assert problem_keys(refused.value) == [key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("build", "fedora"),
        ("processes", 0),
        ("processes", 257),
        ("threads", 0),
        ("harakiri", 0),
        ("harakiri", 86_401),
        ("max_requests", -1),
        ("http", "8000"),
        ("http", "127.0.0.1:8000 @(exec://id)"),
        ("http", "127.0.0.1:8000\n"),
    ],
    ids=ascii,
)
def test_uwsgi_option_with_a_mistake_names_its_key(key: str, value: Any) -> None:
    """A mistake in a uWSGI option is one problem with its key."""
    with pytest.raises(ConfigurationError) as refused:
        UwsgiOptions(**{key: value})
    assert problem_keys(refused.value) == [key]


def test_uwsgi_options_at_their_limits_are_accepted() -> None:
    """The largest and smallest numbers are accepted."""
    options = UwsgiOptions(
        build="debian", processes=256, threads=1, harakiri=86_400, max_requests=1, http="127.0.0.1:8000"
    )
    assert (options.processes, options.http) == (256, "127.0.0.1:8000")


def test_tls_paths_may_name_the_hostname_and_the_site() -> None:
    """The two fields that certificates' paths may have are hostname and site."""
    assert TlsSpec(certificate=CERTIFICATE, key=KEY).key == KEY


@pytest.mark.parametrize("key", ["certificate", "key"])
@pytest.mark.parametrize(
    "value",
    ["", "relative.pem", "/etc/{user}.pem", "/etc/{hostname.pem", "/etc/}.pem", "/etc/../a.pem", "/etc/a\n.pem"],
)
def test_tls_path_with_a_mistake_names_its_key(key: str, value: str) -> None:
    """A mistake in the path of a certificate or key is reported under its key."""
    with pytest.raises(ConfigurationError) as refused:
        TlsSpec(**{"certificate": CERTIFICATE, "key": KEY, key: value})
    assert set(problem_keys(refused.value)) == {key}


@pytest.mark.parametrize(
    "changes",
    [{}, {"static_root": None, "static_url": None, "media_url": None}, {"media_url": "/files/m-1/"}, {"wsgi": "w:app"}],
)
def test_codebase_that_servers_can_use_is_accepted(changes: dict[str, Any]) -> None:
    """A codebase has folders, modules and URL paths in the forms that servers take."""
    codebase = a_codebase(**changes)
    assert all(getattr(codebase, key) == value for key, value in changes.items())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("directory", Path("code")),
        ("virtualenv", Path("/srv/a\nb")),
        ("static_root", Path("static")),
        ("wsgi", "example.wsgi"),
        ("wsgi", "example.wsgi:"),
        ("wsgi", "example wsgi:application"),
        ("wsgi", "example.wsgi:application\nexec=id"),
        ("settings_module", "example settings"),
        ("settings_module", "example/settings"),
        ("settings_module", ""),
        ("static_url", "static/"),
        ("static_url", "/static"),
        ("static_url", "/"),
        ("static_url", "/a b/"),
        ("static_url", "/a;}/"),
        ("media_url", "https://cdn.example/"),
        ("media_url", "/static/"),
    ],
    ids=ascii,
)
def test_codebase_with_a_mistake_names_its_key(key: str, value: object) -> None:
    """A mistake in the codebase is one problem with its key."""
    with pytest.raises(ConfigurationError) as refused:
        a_codebase(**{key: value})
    assert problem_keys(refused.value) == [key]

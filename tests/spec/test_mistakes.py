"""Each mistake in a spec, alone, is one problem with its own key, and what stands next to it is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import a_codebase, a_platform, a_site, postgresql, problem_keys, redis, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import CacheSpec, FrontendCacheSpec, MailSpec, Secret, TlsSpec, UwsgiOptions

Make = Callable[..., Any]
KEY = Secret("k" * 32)


def mail(**changes: Any) -> MailSpec:
    return MailSpec(**{"host": "mail.internal", **changes})


def console(**changes: Any) -> MailSpec:
    return MailSpec(backend="console", **changes)


def locmem(**changes: Any) -> CacheSpec:
    return CacheSpec(backend="locmem", **changes)


def http(**changes: Any) -> FrontendCacheSpec:
    return FrontendCacheSpec(**{"backend": "http", "location": "http://127.0.0.1:6081", **changes})


def cloudflare(**changes: Any) -> FrontendCacheSpec:
    return FrontendCacheSpec(**{"backend": "cloudflare", "zone": "z1", "token": Secret("t"), **changes})


def cloudfront(**changes: Any) -> FrontendCacheSpec:
    return FrontendCacheSpec(**{"backend": "cloudfront", "zone": "z1", **changes})


def tls(**changes: Any) -> TlsSpec:
    return TlsSpec(**{"certificate": "/a.pem", "key": "/b.pem", **changes})


ACCEPTED: list[tuple[Make, dict[str, Any]]] = [
    (mail, {"host": "192.0.2.1"}),
    (mail, {"port": 1}),
    (mail, {"port": 65535}),
    (mail, {"username": "u", "password": Secret("p")}),
    (mail, {"username": "u", "password": Secret("")}),
    (mail, {"username": "u" * 200, "password": Secret("p")}),
    *((mail, {"security": security}) for security in ("starttls", "tls", "none")),
    *((mail, {"timeout": seconds}) for seconds in (1, 300)),
    # What only a server would use is no contradiction where it has its default or no meaning.
    (console, {}),
    (console, {"port": 25, "security": "none"}),
    (locmem, {"port": 1}),
    (redis, {"number": 0}),
    (redis, {"port": 65535}),
    (redis, {"host": "/run/redis.sock", "tls": False}),
    (redis, {"username": "u" * 200}),
    (http, {"location": "https://cache.internal"}),
    (http, {"location": "https://[::1]:6081/"}),
    (cloudflare, {"zone": "Z" * 64}),
    (cloudfront, {"access_key": Secret("a"), "secret_key": Secret("s")}),
    (tls, {"certificate": "/{hostname}/{site}.pem", "pending": ("a.example",), "off": ("b.example",)}),
    (s3, {"access_key": None, "secret_key": None}),
    (s3, {"region": "r" * 63}),
    (s3, {"endpoint": "https://s3.example:65535/"}),
    (postgresql, {"password": None, "host": "/"}),
    (a_codebase, {"static_root": None}),
    (a_codebase, {"static_url": None}),
    (a_codebase, {"media_url": None}),
    (a_codebase, {"static_url": None, "media_url": None}),
    (a_codebase, {"settings_module": "settings"}),
    (a_codebase, {"health_prefix": "/-/"}),
    (a_codebase, {"health_prefix": "/health/"}),
    (a_codebase, {"health_prefix": "/a/.b/..c/d./"}),
    (a_codebase, {"health_prefix": "/-a/"}),
    (a_codebase, {"health_prefix": "/.well-known/health/"}),
    (a_codebase, {"static_url": "/-a/"}),
    (a_codebase, {"health_prefix": "/static/health/"}),
    (a_platform, {"revision": 0}),
    (a_platform, {"revision": 2**53}),
    (a_platform, {"secret_key": None, "secret_keys": (("a", KEY), ("b" * 32, KEY)), "key_id": "a"}),
    (a_platform, {"secret_key": None, "secret_keys": (("2026-01", KEY),), "key_id": "2026-01"}),
    *((a_platform, {key: "a" * 32}) for key in ("group", "media_group", "user")),
    *((a_platform, {key: "_s-{site}"}) for key in ("group", "media_group", "user")),
    *((a_platform, {"runner": runner}) for runner in ("uwsgi", "gunicorn")),
    *((a_platform, {key: Path("/srv/a")}) for key in ("templates", "snapshots", "sockets", "data")),
    (a_platform, {"nodes": (("a", "10.0.0.5:8080"), ("b" * 40, "[2001:db8::1]:1"), ("c", "node-1.internal:65535"))}),
    (a_platform, {"secure_proxy_ssl_header": ("HTTP_X_9", "on")}),
    *(
        (a_platform, {"origin": f"{scheme}://{{hostname}}{port}"})
        for scheme in ("http", "https")
        for port in ("", ":1")
    ),
    *((a_platform, {"name": name}) for name in ("xn-a", "xna", "sthre", "amzn-s3-dem")),
    (a_site, {"epoch": 1}),
    *((a_site, {"state": state}) for state in ("active", "maintenance", "suspended")),
    (a_site, {"admins": ("a@b", f"{'a' * 64}@{'b' * 253}", "a.!#$%&'*+/=?^_`{|}~-@b-c.example")}),
    (a_site, {"tls": tls(pending=("aurora.example.org",), off=("aurora.example.net",))}),
    (a_site, {"hostnames": ("a.example",), "aliases": ()}),
    (UwsgiOptions, {"cheaper": 1}),
    (UwsgiOptions, {"cheaper": 0, "processes": 1}),
    (UwsgiOptions, {"max_requests_delta": 1}),
    (UwsgiOptions, {"max_requests_delta": 0, "build": "debian"}),
]

MISTAKES: list[tuple[Make, dict[str, Any], str]] = [
    (mail, {"backend": "sendmail"}, "backend"),
    (mail, {"host": ""}, "host"),
    (mail, {"host": "mail internal"}, "host"),
    (mail, {"port": 0}, "port"),
    (mail, {"port": 65536}, "port"),
    (mail, {"username": "a\nb", "password": Secret("p")}, "username"),
    (mail, {"username": "u" * 201, "password": Secret("p")}, "username"),
    (mail, {"username": "u"}, "password"),
    (mail, {"password": Secret("p")}, "username"),
    (mail, {"security": "ssl"}, "security"),
    (mail, {"security": ""}, "security"),
    (mail, {"timeout": 0}, "timeout"),
    (mail, {"timeout": 301}, "timeout"),
    (console, {"host": "mail.internal"}, "host"),
    (console, {"username": "u"}, "username"),
    (console, {"password": Secret("p")}, "password"),
    (redis, {"port": 65536}, "port"),
    (redis, {"username": "u" * 201}, "username"),
    (http, {"backend": "varnish"}, "backend"),
    *((http, {"location": value}, "location") for value in ("", "cache", "ftp://cache", "http://u:p@cache", "http://")),
    *((http, {"location": value}, "location") for value in ("http://cache/path", "http://cache//", "http://cache/\n")),
    (http, {"zone": "z1"}, "zone"),
    (http, {"token": Secret("t")}, "token"),
    (cloudflare, {"location": "http://cache"}, "location"),
    *((cloudflare, {"zone": value}, "zone") for value in ("", "z-1", "Z" * 65, "z\n")),
    *((cloudfront, {"zone": value}, "zone") for value in ("", "z-1", "Z" * 65)),
    (cloudflare, {"token": None}, "token"),
    (cloudfront, {"location": "http://cache"}, "location"),
    (cloudfront, {"token": Secret("t")}, "token"),
    (cloudfront, {"access_key": Secret("a")}, "secret_key"),
    (cloudfront, {"secret_key": Secret("s")}, "access_key"),
    *((tls, {key: value}, key) for key in ("certificate", "key") for value in ("", "a.pem", "/", "//a.pem")),
    *((tls, {key: ("A.example",)}, key) for key in ("pending", "off")),
    *((tls, {key: ("localhost",)}, key) for key in ("pending", "off")),
    (tls, {"pending": ("a.example",), "off": ("a.example",)}, "off"),
    (a_codebase, {"directory": Path("/")}, "directory"),
    (a_codebase, {"virtualenv": Path("venv")}, "virtualenv"),
    (a_codebase, {"wsgi": ":application"}, "wsgi"),
    (a_codebase, {"wsgi": "example.wsgi:a-b"}, "wsgi"),
    (a_codebase, {"wsgi": "a:b:c"}, "wsgi"),
    (a_codebase, {"settings_module": "9"}, "settings_module"),
    (a_codebase, {"media_url": "media"}, "media_url"),
    *((a_codebase, {"health_prefix": value}, "health_prefix") for value in ("", "/", "health", "/health", "health/")),
    *((a_codebase, {"health_prefix": value}, "health_prefix") for value in ("/a/./", "/../", "/a b/", "/a/\n")),
    *((a_codebase, {"health_prefix": value}, "health_prefix") for value in ("/-/health/", "/-/a/")),
    (a_codebase, {"health_prefix": "/.well-known/acme-challenge/"}, "health_prefix"),
    (a_codebase, {"health_prefix": "/.well-known/acme-challenge/a/"}, "health_prefix"),
    *((a_codebase, {key: value}, key) for key in ("static_url", "media_url") for value in ("/-/", "/-/a/")),
    *((a_codebase, {"health_prefix": "/h/", key: "/h/a/"}, key) for key in ("static_url", "media_url")),
    (a_codebase, {"health_prefix": "/static/"}, "static_url"),
    (a_codebase, {"health_prefix": "/media/"}, "media_url"),
    (a_platform, {"revision": -1}, "revision"),
    (a_platform, {"secret_key": None, "secret_keys": (("A", KEY),), "key_id": "A"}, "secret_keys"),
    (a_platform, {"secret_key": None, "secret_keys": (("a" * 33, KEY),), "key_id": "a" * 33}, "secret_keys"),
    (a_platform, {"secret_key": None, "secret_keys": (("a", Secret("k" * 31)),), "key_id": "a"}, "secret_keys.a"),
    (a_platform, {"secret_keys": (("a", KEY),), "key_id": "a"}, "secret_key"),
    (a_platform, {"key_id": "a"}, "key_id"),
    (a_platform, {"secret_key": None, "secret_keys": (("a", KEY),), "key_id": "b"}, "key_id"),
    (a_platform, {"secret_key": None, "secret_keys": (("a", KEY),)}, "key_id"),
    *((a_platform, {key: "a" * 33}, key) for key in ("group", "media_group", "user")),
    *((a_platform, {key: "{host}"}, key) for key in ("group", "media_group", "user")),
    (a_platform, {"runner": "waitress"}, "runner"),
    *((a_platform, {key: Path("a")}, key) for key in ("templates", "snapshots", "sockets", "data")),
    (a_platform, {"nodes": (("A", "10.0.0.5:8080"),)}, "nodes"),
    (a_platform, {"nodes": (("b" * 41, "10.0.0.5:8080"),)}, "nodes"),
    *((a_platform, {"nodes": (("a", value),)}, "nodes.a") for value in ("10.0.0.5", "a:", ":1", "a:123456", "-a:1")),
    *((a_platform, {"origin": value}, "origin") for value in ("", "{hostname}", "https://{hostname}:", "http://{hostname}1")),
    *((a_platform, {"origin": f"https://{{hostname}}:{value}"}, "origin") for value in ("x", "000001", "\u0661")),
    (a_platform, {"secure_proxy_ssl_header": ("HTTP_X", "a", "b")}, "secure_proxy_ssl_header"),
    (a_platform, {"secure_proxy_ssl_header": ("HTTP_X", "a b")}, "secure_proxy_ssl_header"),
    (a_platform, {"environment": "e" * 21}, "environment"),
    (a_site, {"epoch": -1}, "epoch"),
    (a_site, {"state": ""}, "state"),
    (a_site, {"state": "deleted"}, "state"),
    (a_site, {"tls": tls(pending=("b.example",))}, "tls"),
    (a_site, {"tls": tls(off=("b.example",))}, "tls"),
    *((a_site, {"admins": (value,)}, "admins") for value in ("", "a", "@b", "a@", f"{'a' * 65}@b", f"a@{'b' * 254}")),
    *((a_site, {"admins": (value,)}, "admins") for value in ("a@b.", "a@-b", "a@b@c", "a b@c", "a@b\n", "A <a@b>")),
    (UwsgiOptions, {"cheaper": 2}, "cheaper"),
    (UwsgiOptions, {"cheaper": 3}, "cheaper"),
    (UwsgiOptions, {"max_requests_delta": 1, "build": "debian"}, "max_requests_delta"),
]  # fmt: skip


def named(value: object) -> str:
    return str(getattr(value, "__name__", "")) or ascii(value)


@pytest.mark.parametrize(("make", "changes"), ACCEPTED, ids=named)
def test_value_at_the_edge_is_accepted(make: Make, changes: dict[str, Any]) -> None:
    """The last value that is accepted is kept as it was stated."""
    spec = make(**changes)
    assert {key: getattr(spec, key) for key in changes} == changes


@pytest.mark.parametrize(("make", "changes", "key"), MISTAKES, ids=named)
def test_value_over_the_edge_is_one_problem_with_its_key(make: Make, changes: dict[str, Any], key: str) -> None:
    """The first value that is not accepted is one problem, with the key that has it, and no other."""
    with pytest.raises(ConfigurationError) as refused:
        make(**changes)
    assert problem_keys(refused.value) == [key]
    assert all(problem.message.endswith(".") for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("make", "changes", "start"),
    [
        (mail, {"username": "\n", "password": Secret("p")}, "The username "),
        (redis, {"username": "\n"}, "The username "),
        (s3, {"region": "\n"}, "The region "),
        (a_site, {"id": "A"}, "The site id "),
        (a_site, {"id": "a" * 41}, "The site id "),
        (a_platform, {"name": "A"}, "The platform name "),
        (a_platform, {"nodes": (("A", "a:1"),)}, "The node "),
        (a_platform, {"group": "A"}, "The group "),
        (a_platform, {"media_group": "A"}, "The group "),
        (a_platform, {"user": "A"}, "The user "),
    ],
    ids=named,
)
def test_problem_says_what_is_wrong(make: Make, changes: dict[str, Any], start: str) -> None:
    """A rule that several keys share says of which of them it speaks."""
    with pytest.raises(ConfigurationError) as refused:
        make(**changes)
    [problem] = refused.value.problems
    assert problem.message.startswith(f"{start}'")


@pytest.mark.parametrize(
    ("make", "changes", "end"),
    [
        (http, {"backend": "x"}, "The backend 'x' is not known; accepted: http, cloudflare, cloudfront."),
        (mail, {"backend": "x"}, "The backend 'x' is not known; accepted: smtp, console."),
        (a_site, {"state": "x"}, "The state 'x' is not known; accepted: active, maintenance, suspended."),
        (a_platform, {"runner": "x"}, "The runner 'x' is not known; accepted: uwsgi, gunicorn."),
        (
            *(postgresql, {"options": (("x", 1),)}),
            "The option 'x' is not known; accepted: channel_binding, connect_timeout, gssencmode, keepalives, "
            "keepalives_count, keepalives_idle, keepalives_interval, load_balance_hosts, max_protocol_version, "
            "min_protocol_version, require_auth, requirepeer, ssl_max_protocol_version, ssl_min_protocol_version, "
            "sslcert, sslcertmode, sslcrl, sslcrldir, sslkey, sslmode, sslnegotiation, sslrootcert, sslsni, "
            "target_session_attrs, tcp_user_timeout.",
        ),
        (
            *(postgresql, {"options": (("hostaddr", "192.0.2.1"),)}),
            "The option hostaddr is not accepted: it decides where a connection leads, who makes it, or who can read "
            "it.",
        ),
        (
            *(postgresql, {"options": (("dbname", "x"),)}),
            "The option dbname says where the database is or who connects: state the key name.",
        ),
    ],
    ids=named,
)
def test_word_that_is_not_known_is_told_with_those_that_are(make: Make, changes: dict[str, Any], end: str) -> None:
    """All that are accepted are listed, in one order."""
    with pytest.raises(ConfigurationError) as refused:
        make(**changes)
    assert [problem.message for problem in refused.value.problems] == [end]

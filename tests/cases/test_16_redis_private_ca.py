"""Case 16: how to connect to Redis is the registry's or the project's, where and as whom is the site's alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.processes import asked, registry_of
from tests.cases.tls_redis import tls_redis
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import resolve

SCRIPT = """
from django.core.cache import cache
cache.set("page", "of aurora")
print(cache.get("page"))
"""
OWN = "of aurora\n"
STOCK = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"


@pytest.fixture(scope="module")
def port(server_folder: Path) -> Iterator[int]:
    with tls_redis(server_folder / "redis-tls") as found:
        yield found


@pytest.fixture(scope="module")
def asking_port(server_folder: Path) -> Iterator[int]:
    """A server that lets in who shows a certificate of its authority, and whose own is for another name."""
    with tls_redis(server_folder / "redis-clients", name="redis.internal", asks_clients=True) as found:
        yield found


def project(options: dict[str, Any], backend: str = STOCK) -> dict[str, str]:
    caches = {"default": {"BACKEND": backend, "LOCATION": "redis://shared", "OPTIONS": options}}
    return {"CASE_PROJECT": json.dumps({"CACHES": caches})}


@pytest.mark.servers
def test_authority_of_the_registry_is_trusted(port: int, server_folder: Path, tmp_path: Path) -> None:
    """As a key of the table, of the platform's too, or as a parameter of the URL."""
    authority = server_folder / "redis-tls" / "authority.pem"
    table = f'backend = "redis", host = "localhost", port = {port}, tls = true, authority = "{authority}"'
    for cache in (f"{{ {table} }}", f'"rediss://localhost:{port}/0?ssl_ca_certs={authority}"'):
        asking = asked(registry_of(tmp_path, f"cache = {cache}\n"), SCRIPT)
        assert asking.stdout == OWN, asking.stderr


@pytest.mark.servers
@pytest.mark.parametrize("backend", [STOCK, DJANGO_REDIS])
def test_authority_of_the_project_is_trusted(port: int, server_folder: Path, tmp_path: Path, backend: str) -> None:
    """The project's OPTIONS that say how to connect are kept, of django-redis too, whose class stays."""
    how = {"ssl_ca_certs": str(server_folder / "redis-tls" / "authority.pem")}
    options = {"CONNECTION_POOL_KWARGS": how, "IGNORE_EXCEPTIONS": False} if backend == DJANGO_REDIS else how
    registry = registry_of(tmp_path, f'cache = "rediss://localhost:{port}/0"\n')
    asking = asked(registry, SCRIPT, project(options, backend))
    assert asking.stdout == OWN, asking.stderr


@pytest.mark.servers
def test_authority_that_nobody_stated_is_not_trusted(port: int, server_folder: Path, tmp_path: Path) -> None:
    """Neither the system nor SSL_CERT_FILE vouches for the server; a site that verifies nothing says so."""
    registry = registry_of(tmp_path, f'cache = "rediss://localhost:{port}/0"\n')
    inherited = {"SSL_CERT_FILE": str(server_folder / "redis-tls" / "authority.pem")}
    for variables in ({}, inherited):
        assert "CERTIFICATE_VERIFY_FAILED" in asked(registry, SCRIPT, variables).stderr
    registry = registry_of(tmp_path, f'cache = "rediss://localhost:{port}/0?ssl_cert_reqs=none"\n')
    assert asked(registry, SCRIPT).stdout == OWN


@pytest.mark.servers
def test_client_shows_its_certificate(asking_port: int, server_folder: Path, tmp_path: Path) -> None:
    """The server lets in who has one, and the name in the server's own is compared unless the registry says not to."""
    folder = server_folder / "redis-clients"
    table = f'backend = "redis", host = "localhost", port = {asking_port}, tls = true, verify = "authority"'
    table += f', authority = "{folder}/authority.pem"'
    pair = f', certificate = "{folder}/client.pem", key = "{folder}/client.key"'
    assert asked(registry_of(tmp_path, f"cache = {{ {table}{pair} }}\n"), SCRIPT).stdout == OWN
    assert asked(registry_of(tmp_path, f"cache = {{ {table} }}\n"), SCRIPT).stdout == ""
    full = table.replace('"authority",', '"full",')
    assert "localhost" in asked(registry_of(tmp_path, f"cache = {{ {full}{pair} }}\n"), SCRIPT).stderr


@pytest.mark.parametrize(
    ("backend", "options", "named"),
    [
        (STOCK, {"username": "shared"}, "'username'"),
        (STOCK, {"password": "hunter2", "socket_timeout": 3}, "'password'"),
        (STOCK, {"db": 3}, "'db'"),
        (STOCK, {"host": "shared"}, "'host'"),
        (STOCK, {"ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"}, "'ssl_certfile'"),
        (STOCK, {"credential_provider": "shared"}, "'credential_provider'"),
        (DJANGO_REDIS, {"PASSWORD": "hunter2"}, "'PASSWORD'"),
        (DJANGO_REDIS, {"SENTINELS": ["shared"]}, "'SENTINELS'"),
        (DJANGO_REDIS, {"CLIENT_CLASS": "django_redis.client.SentinelClient"}, "'CLIENT_CLASS'"),
        (
            DJANGO_REDIS,
            {"CONNECTION_POOL_KWARGS": {"password": "hunter2"}},
            "['CONNECTION_POOL_KWARGS'] has 'password'",
        ),
    ],
)
def test_option_that_says_where_or_who_is_refused_by_name(
    tmp_path: Path, backend: str, options: dict[str, Any], named: str
) -> None:
    """What would lead every site to one server or account is an error that names the option, and not its value."""
    registry = registry_of(tmp_path, 'cache = "redis://localhost/0"\n')
    caches = {"default": {"BACKEND": backend, "LOCATION": "redis://shared", "OPTIONS": options}}
    with pytest.raises(ConfigurationError) as refused:
        resolve(registry, environ={"MULTIHOST_SITE": "aurora"}).apply({"CACHES": caches})
    assert [(problem.where, problem.site) for problem in refused.value.problems][:1] == [("CACHES", "aurora")]
    assert named in refused.value.problems[0].message
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("cache", "key", "said"),
    [
        ('"redis://h?ssl_ca_certs=/a.pem"', "", "tls = true"),
        ('"redis://h?host=other"', "", "'host' of the URL is not accepted"),
        ('"redis://h?db=3"', "", "'db' of the URL is not accepted"),
        ('"rediss://h?ssl_cert_reqs=optional"', "", "required or none"),
        ('"rediss://h?socket_timeout=0"', "", "1 to 300"),
        ('"rediss://h?socket_timeout=1&socket_connect_timeout=2"', "", "two timeouts"),
        ('"rediss://h?socket_timeout=1&socket_timeout=1"', "", "twice"),
        ('{ backend = "redis", host = "h", authority = "/a.pem" }', ".authority", "tls = true"),
        ('{ backend = "redis", host = "h", tls = true, certificate = "/c.pem" }', ".certificate", "belong together"),
        ('{ backend = "redis", host = "h", tls = true, key = "/c.pem" }', ".certificate", "belong together"),
        ('{ backend = "redis", host = "h", tls = true, verify = "yes" }', ".verify", "full, authority, none"),
        ('{ backend = "redis", host = "h", timeout = 301 }', ".timeout", "1 to 300 seconds"),
        ('{ backend = "locmem", timeout = 3 }', ".timeout", "backend locmem"),
    ],
)
def test_way_to_connect_that_cannot_be_is_refused(tmp_path: Path, cache: str, key: str, said: str) -> None:
    """One sentence says under the key what is wrong and what is accepted."""
    with pytest.raises(ConfigurationError) as refused:
        open_registry(registry_of(tmp_path, f"cache = {cache}\n"), {}).site("aurora")
    [problem] = refused.value.problems
    assert problem.where == f"sites.toml: sites.aurora.cache{key}"
    assert said in problem.message


def test_certificate_of_a_client_is_no_two_sites(tmp_path: Path) -> None:
    """Where no password says who connects, two sites do not show one certificate."""
    table = 'cache = { backend = "redis", host = "h", tls = true, certificate = "/c.pem", key = "/k.pem" }\n'
    registry = registry_of(tmp_path, table)
    registry.write_text(f'{registry.read_text()}[sites.borealis]\nhostnames = ["borealis.example.org"]\n{table}')
    with pytest.raises(ConfigurationError, match="belongs to the sites aurora and borealis"):
        open_registry(registry, {}).load()

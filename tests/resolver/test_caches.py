"""CACHES: every alias of the project gets keys of the site's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import CACHE_PASSWORD, a_site, files, redis
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.caches import SCOPED_BACKENDS, cache_settings
from wagtail_multihost.resolver.explain import mask_value
from wagtail_multihost.spec import SiteSpec

DATA = Path("/srv/data")
REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILES = "django.core.cache.backends.filebased.FileBasedCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
#: Nobody waits for ever (redis-py 5 would).
BOUND = {"socket_connect_timeout": 5, "socket_timeout": 5}
TLS = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
NAMED = {"KEY_FUNCTION": "wagtail_multihost.backends.session_names.entry_name"}


def caches_of(site: SiteSpec, project: dict[str, object]) -> Any:
    return values_of(cache_settings(site, DATA, project))["CACHES"]


def test_cache_without_a_server_is_in_the_process() -> None:
    """A site without a cache of its own has local memory, under its prefix all the same."""
    assert caches_of(a_site(), {}) == {"default": {"BACKEND": LOCMEM, "KEY_PREFIX": "aviary.aurora", **NAMED}}


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({}, "redis://cache.internal:6379/0"),
        ({"port": 6380, "number": 3}, "redis://cache.internal:6380/3"),
        ({"tls": True}, "rediss://cache.internal:6379/0"),
        ({"host": "2001:db8::1"}, "redis://[2001:db8::1]:6379/0"),
        ({"host": "/run/redis.sock", "number": 2}, "unix:///run/redis.sock?db=2"),
    ],
)
def test_cache_of_redis_has_its_address_without_credentials(changes: dict[str, Any], location: str) -> None:
    """LOCATION, which Django's error pages show, has no password; OPTIONS have it."""
    default = caches_of(a_site(cache=redis(username="aurora", **changes)), {})["default"]
    assert default == {
        "BACKEND": REDIS,
        "LOCATION": location,
        "KEY_PREFIX": "aviary.aurora",
        "OPTIONS": {"username": "aurora", "password": CACHE_PASSWORD, **BOUND, **(TLS if "tls" in changes else {})},
        **NAMED,
    }


def test_cache_of_redis_without_credentials_has_none() -> None:
    """A Redis server without passwords gets none."""
    assert caches_of(a_site(cache=redis(password=None)), {})["default"]["OPTIONS"] == BOUND


def test_cache_aliases_of_the_project_are_all_scoped() -> None:
    """Every alias, not only default, has a key prefix that starts with the site's; file caches have its folder."""
    project: dict[str, object] = {
        "CACHES": {
            "default": {"BACKEND": REDIS, "LOCATION": "redis://shared", "KEY_PREFIX": "shared", "TIMEOUT": 60},
            "renditions": {"BACKEND": REDIS, "LOCATION": "redis://other", "KEY_PREFIX": "shared", "VERSION": 2},
            "pages": {"BACKEND": DATABASE, "LOCATION": "cache_table"},
            "files": {"BACKEND": FILES, "LOCATION": "/var/tmp/shared"},
            "../odd alias:": {"BACKEND": FILES, "LOCATION": "/var/tmp/shared"},
        }
    }
    assert caches_of(a_site(), project) == {
        "default": {"BACKEND": LOCMEM, "KEY_PREFIX": "aviary.aurora", "TIMEOUT": 60, **NAMED},
        "renditions": {
            **NAMED,
            "BACKEND": REDIS,
            "LOCATION": "redis://other",
            "KEY_PREFIX": "aviary.aurora.renditions",
            "OPTIONS": BOUND,
            "VERSION": 2,
        },
        "pages": {"BACKEND": DATABASE, "LOCATION": "cache_table", "KEY_PREFIX": "aviary.aurora.pages", **NAMED},
        "files": {
            **NAMED,
            "BACKEND": FILES,
            "LOCATION": "/srv/data/sites/aurora/cache/files",
            "KEY_PREFIX": "aviary.aurora.files",
        },
        "../odd alias:": {
            **NAMED,
            "BACKEND": FILES,
            "LOCATION": "/srv/data/sites/aurora/cache/---odd-alias-",
            "KEY_PREFIX": "aviary.aurora.---odd-alias-",
        },
    }


STOCK = ("django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache")
SHARED = "redis://root:all-powerful@shared.internal:6379/1"


@pytest.mark.parametrize("stock", STOCK)
@pytest.mark.parametrize("location", [SHARED, [SHARED, "redis://replica.internal:6379/1"]])
def test_alias_on_redis_is_in_the_sites_own_cache(stock: str, location: object) -> None:
    """Its server and its account are those of the site, and how it is used stays the project's."""
    own = {"BACKEND": stock, "LOCATION": location, "KEY_PREFIX": "shared", "TIMEOUT": 600, "VERSION": 2}
    project: dict[str, object] = {"CACHES": {"default": {"BACKEND": stock, "LOCATION": SHARED}, "renditions": own}}
    site = a_site(cache=redis(username="aurora", number=3))
    caches = caches_of(site, project)
    assert "all-powerful" not in str(caches)
    renditions = {**caches["renditions"]}
    prefix, timeout, version = (renditions.pop(key) for key in ("KEY_PREFIX", "TIMEOUT", "VERSION"))
    assert (prefix, timeout, version) == ("aviary.aurora.renditions", 600, 2)
    assert renditions == {key: value for key, value in caches["default"].items() if key != "KEY_PREFIX"}
    assert caches_of(site, {"CACHES": caches}) == caches


def test_alias_on_redis_keeps_how_it_connects() -> None:
    """Timeouts, pools and serializers; a login of its own is refused by its name, where it stands."""
    site = a_site(cache=redis(username="aurora"))
    how = {"max_connections": 7, "socket_timeout": 2}
    alias: dict[str, Any] = {"BACKEND": STOCK[0], "LOCATION": SHARED, "OPTIONS": how}
    assert caches_of(site, {"CACHES": {"renditions": alias}})["renditions"]["OPTIONS"] == {
        **{"socket_connect_timeout": 5, "username": "aurora", "password": CACHE_PASSWORD},
        **how,
    }
    with pytest.raises(ConfigurationError) as refused:
        caches_of(site, {"CACHES": {"renditions": {**alias, "OPTIONS": {"password": "all-powerful"}}}})
    [problem] = refused.value.problems
    assert problem.message.startswith("CACHES['renditions']['OPTIONS'] has 'password'. Remove it")
    assert "all-powerful" not in problem.message


@pytest.mark.parametrize("alias", ["default", "renditions"])
def test_cache_with_a_key_function_is_refused(alias: str) -> None:
    """A KEY_FUNCTION could leave the prefix out, in any alias."""
    project: dict[str, object] = {"CACHES": {alias: {"BACKEND": LOCMEM, "KEY_FUNCTION": "project.keys.make"}}}
    with pytest.raises(ConfigurationError, match="KEY_FUNCTION") as refused:
        caches_of(a_site(), project)
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("CACHES", "aurora")]


def test_cache_settings_leave_the_project_as_it_is() -> None:
    """The project's own CACHES are not written to."""
    own = {"renditions": {"BACKEND": LOCMEM, "KEY_FUNCTION": None}}
    caches_of(a_site(), {"CACHES": own})
    assert own == {"renditions": {"BACKEND": LOCMEM, "KEY_FUNCTION": None}}


@pytest.mark.parametrize(
    ("stock", "own", "bound"),
    [
        ("django.core.cache.backends.redis.RedisCache", REDIS, BOUND),
        (
            "django.core.cache.backends.memcached.PyMemcacheCache",
            "wagtail_multihost.backends.memcached.SitePyMemcacheCache",
            {"connect_timeout": 5, "timeout": 5},
        ),
        (
            "django.core.cache.backends.memcached.PyLibMCCache",
            "wagtail_multihost.backends.memcached.SitePyLibMCCache",
            {},
        ),
        (
            "django_redis.cache.RedisCache",
            "wagtail_multihost.backends.django_redis.SiteDjangoRedisCache",
            {"SOCKET_CONNECT_TIMEOUT": 5, "SOCKET_TIMEOUT": 5},
        ),
    ],
)
def test_cache_whose_clear_empties_the_server_is_replaced(stock: str, own: str, bound: dict[str, int]) -> None:
    """An alias of the project keeps its address and options, and gets a class that spares the neighbours."""
    alias = {"BACKEND": stock, "LOCATION": "cache.internal:1", "OPTIONS": {"a": 1}, "TIMEOUT": 5}
    assert caches_of(a_site(), {"CACHES": {"pages": alias}})["pages"] == {
        **alias,
        "BACKEND": own,
        "OPTIONS": {"a": 1, **bound},
        "KEY_PREFIX": "aviary.aurora.pages",
        **NAMED,
    }
    assert own in SCOPED_BACKENDS


def test_cache_of_an_unknown_backend_is_left_with_a_prefix() -> None:
    """A backend that is not known stays, under the site's prefix, and is not called scoped."""
    alias = {"BACKEND": "project.caches.Odd", "LOCATION": "redis://:password@cache"}
    assert caches_of(a_site(), {"CACHES": {"odd": alias}})["odd"] == {
        **alias,
        "KEY_PREFIX": "aviary.aurora.odd",
        **NAMED,
    }
    assert "project.caches.Odd" not in SCOPED_BACKENDS


@pytest.mark.parametrize(
    ("location", "bare"),
    [
        ("redis://:p%40ss@cache:6379/1", "redis://cache:6379/1"),
        ("rediss://own:p%40ss@cache/1", "rediss://own@cache/1"),
        ("unix://:p%40ss@/run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("redis://:p%40ss@a,redis://:p%40ss@b", "redis://a,redis://b"),
        (["redis://:p%40ss@a", "redis://:p%40ss@b"], ["redis://a", "redis://b"]),
    ],
)
@pytest.mark.parametrize(
    ("backend", "option"),
    [("django.core.cache.backends.redis.RedisCache", "password"), ("django_redis.cache.RedisCache", "PASSWORD")],
)
def test_cache_password_in_an_address_moves_into_the_options(
    location: object, bare: object, backend: str, option: str
) -> None:
    """LOCATION, which error pages show, has no password of the project's aliases either."""
    project: dict[str, object] = {"CACHES": {"pages": {"BACKEND": backend, "LOCATION": location, "OPTIONS": {"a": 1}}}}
    pages = caches_of(a_site(), project)["pages"]
    bound = BOUND if option == "password" else {key.upper(): value for key, value in BOUND.items()}
    assert (pages["LOCATION"], pages["OPTIONS"]) == (bare, {option: "p@ss", "a": 1, **bound})
    (setting,) = cache_settings(a_site(), DATA, project)
    assert "p@ss" not in str(mask_value(setting.value)) and "p%40ss" not in str(mask_value(setting.value))


@pytest.mark.parametrize(
    "location",
    ["redis://cache/1", "redis://own@cache/1", "redis://:a@one,redis://:b@other", "redis://:a@one,redis://b"],
)
def test_cache_address_without_one_password_stays(location: str) -> None:
    """Servers with passwords of their own keep them in their addresses, which error reports mask."""
    alias = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}
    pages = caches_of(a_site(), {"CACHES": {"pages": alias}})["pages"]
    bound = {"BACKEND": REDIS, "LOCATION": location, "KEY_PREFIX": "aviary.aurora.pages", "OPTIONS": BOUND}
    assert pages == {**bound, **NAMED}


def test_cache_of_files_inside_the_uploads_is_refused() -> None:
    """Cache files are code to who loads them, and must not lie where the front server shows everything."""
    site = a_site(storage=files(path=Path("/srv/data/sites/aurora")))
    with pytest.raises(ConfigurationError) as refused:
        caches_of(site, {"CACHES": {"files": {"BACKEND": FILES}}})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("storage", "aurora")]


DJANGO_REDIS = "wagtail_multihost.backends.django_redis.SiteDjangoRedisCache"
CERTIFICATES = {name: Path(f"/etc/{name}.pem") for name in ("authority", "certificate", "key")}
OF_PATHS = {"ssl_ca_certs": "/etc/authority.pem", "ssl_certfile": "/etc/certificate.pem", "ssl_keyfile": "/etc/key.pem"}


def default_of(cache: object, backend: str, **options: object) -> Any:
    own = {"BACKEND": backend, "LOCATION": "redis://shared", "OPTIONS": options}
    return caches_of(a_site(cache=cache), {"CACHES": {"default": own}})["default"]


@pytest.mark.parametrize(
    ("changes", "stated", "options"),
    [
        ({}, {"socket_timeout": 9, "max_connections": 3}, {**BOUND, "socket_timeout": 9, "max_connections": 3}),
        ({"timeout": 2}, {"socket_timeout": 9}, {"socket_timeout": 2, "socket_connect_timeout": 2}),
        ({}, {"socket_timeout": None}, BOUND),
        ({}, {"ssl_ca_certs": "/project.pem"}, BOUND),
        ({"tls": True}, {"ssl_ca_certs": "/project.pem"}, {**BOUND, **TLS, "ssl_ca_certs": "/project.pem"}),
        ({"tls": True, **CERTIFICATES}, {"ssl_ca_certs": "/project.pem"}, {**BOUND, **TLS, **OF_PATHS}),
        ({"tls": True}, {"ssl_cert_reqs": "none"}, {**BOUND, "ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ({"tls": True, "verify": "full"}, {"ssl_cert_reqs": "none"}, {**BOUND, **TLS}),
        ({"tls": True, "verify": "authority"}, {}, {**BOUND, **TLS, "ssl_check_hostname": False}),
        ({"tls": True, "verify": "none"}, {}, {**BOUND, "ssl_cert_reqs": "none", "ssl_check_hostname": False}),
    ],
)
def test_cache_of_redis_connects_as_the_registry_says_or_else_the_project(
    changes: dict[str, Any], stated: dict[str, Any], options: dict[str, Any]
) -> None:
    """What a site's table states is before the project's OPTIONS, and these before what is sane; TLS needs TLS."""
    cache = redis(password=None, **changes)
    assert default_of(cache, "django.core.cache.backends.redis.RedisCache", **stated)["OPTIONS"] == options


def test_cache_of_redis_keeps_the_class_of_django_redis() -> None:
    """A project that has django-redis has it on the site's server, with the user's name in the address."""
    stated = {"IGNORE_EXCEPTIONS": True, "SOCKET_TIMEOUT": 9, "CONNECTION_POOL_KWARGS": {"max_connections": 3}}
    cache = redis(username="aurora", tls=True, authority=CERTIFICATES["authority"])
    default = default_of(cache, "django_redis.cache.RedisCache", **stated)
    assert (default["BACKEND"], default["LOCATION"]) == (DJANGO_REDIS, "rediss://aurora@cache.internal:6379/0")
    assert default["OPTIONS"] == {
        "IGNORE_EXCEPTIONS": True,
        "CLIENT_CLASS": "django_redis.client.DefaultClient",
        "CONNECTION_POOL_KWARGS": {"max_connections": 3, **TLS, "ssl_ca_certs": "/etc/authority.pem"},
        "SOCKET_TIMEOUT": 9,
        "SOCKET_CONNECT_TIMEOUT": 5,
        "PASSWORD": CACHE_PASSWORD,
    }


@pytest.mark.parametrize("backend", ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"])
def test_cache_settings_on_top_of_themselves_are_themselves(backend: str) -> None:
    """However often apply is called, the cache is the same, and its own credentials are not taken for the project's."""
    site = a_site(cache=redis(username="aurora", tls=True, **CERTIFICATES))
    once = values_of(cache_settings(site, DATA, {"CACHES": {"default": {"BACKEND": backend}}}))
    assert values_of(cache_settings(site, DATA, once)) == once


def test_cache_in_the_process_keeps_its_size() -> None:
    """Of local memory the project says how much, where the site has that too."""
    project = {"CACHES": {"default": {"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 9, "password": "shared"}}}}
    assert caches_of(a_site(), project)["default"]["OPTIONS"] == {"MAX_ENTRIES": 9}


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("/run/a b?c#d%", "unix:///run/a%20b%3Fc%23d%25?db=0"),
        ("fe80::1%eth0", "redis://[fe80::1%25eth0]:6379/0"),
    ],
)
def test_cache_address_is_quoted(host: str, location: str) -> None:
    """What would be a part of a URL by itself is a part of the path or of the host."""
    assert caches_of(a_site(cache=redis(host=host)), {})["default"]["LOCATION"] == location

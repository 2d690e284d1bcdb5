"""
OPTIONS of caches: what says how to connect is the project's or the registry's, where and who is the site's alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.identifiers import shown

Options = dict[str, object]

#: How long a visitor waits for a server that accepts a connection and never answers. redis-py 5 waits for ever.
TIMEOUT = 5  # seconds
# Of every cache in a process's own memory (https://docs.djangoproject.com/en/stable/ref/settings/#std-setting-CACHES-OPTIONS).
LOCMEM_OPTIONS = frozenset({"CULL_FREQUENCY", "MAX_ENTRIES"})
# Arguments of redis-py's connections and pools that lead nowhere and are nobody's
# (https://redis.readthedocs.io/en/stable/connections.html), and those of Django's backend.
REDIS_OPTIONS = frozenset(
    {
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "lib_name",
        "lib_version",
        "max_connections",
        "parser_class",
        "pool_class",
        "protocol",
        "queue_class",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "serializer",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_keepalive_options",
        "socket_read_size",
        "socket_timeout",
        "socket_type",
        "timeout",
    }
)
# Those of TLS: whom the client trusts, not who it is.
TLS_OPTIONS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_exclude_verify_flags",
        "ssl_include_verify_flags",
        "ssl_min_version",
    }
)
# Those of django-redis (https://github.com/jazzband/django-redis#user-guide).
DJANGO_REDIS_OPTIONS = frozenset(
    {
        "CLOSE_CONNECTION",
        "COMPRESSOR",
        "CONNECTION_POOL_CLASS",
        "CULL_FREQUENCY",
        "IGNORE_EXCEPTIONS",
        "LOG_IGNORED_EXCEPTIONS",
        "MAX_ENTRIES",
        "PARSER_CLASS",
        "PICKLE_VERSION",
        "REDIS_CLIENT_CLASS",
        "SERIALIZER",
        "SOCKET_CONNECT_TIMEOUT",
        "SOCKET_TIMEOUT",
    }
)
#: What the two functions below add for a site.
OF_A_SITE = frozenset({"PASSWORD", "password", "ssl_certfile", "ssl_keyfile", "username"})
POOL_OPTIONS = "CONNECTION_POOL_KWARGS"
# A client that spreads keys over several servers or asks others where its server is: a site's default has one address.
CLIENTS = ("django_redis.client.DefaultClient", "django_redis.client.HerdClient")


def redis_options(cache: CacheSpec, stated: Mapping[str, object], site: str, alias: str) -> Options:
    """
    Return the OPTIONS of Django's backend for the site's cache, ``stated`` being those of the project's ``alias`` in a
    Redis server. Raises ConfigurationError for one that does not say how.
    """
    refuse_others(stated, REDIS_OPTIONS | TLS_OPTIONS, site, f"[{shown(alias)}]['OPTIONS']")
    return {**connection_options(cache, stated), **credential_options(cache, "username", "password")}


def django_redis_options(cache: CacheSpec, stated: Mapping[str, object], site: str, alias: str) -> Options:
    """Do what :func:`redis_options` does for the backend of django-redis, whose address has the user's name."""
    inner = stated.get(POOL_OPTIONS) or {}
    client = stated.get("CLIENT_CLASS", CLIENTS[0])
    own = {key: value for key, value in stated.items() if key not in (POOL_OPTIONS, "CLIENT_CLASS")}
    others = {"CLIENT_CLASS": client} if client not in CLIENTS else {}
    where = f"[{shown(alias)}]['OPTIONS']"
    refuse_others({**own, **others}, DJANGO_REDIS_OPTIONS, site, where)
    pool = dict(inner) if isinstance(inner, Mapping) else {}
    refuse_others(pool, REDIS_OPTIONS | TLS_OPTIONS, site, f"{where}['{POOL_OPTIONS}']")
    connecting = connection_options(cache, {**timeouts_of(own), **pool})
    for option in ("SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT"):
        own[option] = connecting.pop(option.lower())
    return {**own, "CLIENT_CLASS": client, POOL_OPTIONS: connecting, **credential_options(cache, "", "PASSWORD")}


def timeouts_of(options: Mapping[str, object]) -> Options:
    """Return the timeouts among options of django-redis, as redis-py calls them."""
    found = ("SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT")
    return {option.lower(): options[option] for option in found if options.get(option)}


def connection_options(cache: CacheSpec, stated: Mapping[str, object]) -> Options:
    """Return how to connect: what the registry states, or else the project, or else what is sane."""
    kept = {key: value for key, value in stated.items() if cache.tls or key not in TLS_OPTIONS}
    own: Options = {"socket_connect_timeout": cache.timeout, "socket_timeout": cache.timeout} if cache.timeout else {}
    defaults: Options = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
    if cache.tls:
        # redis-py 5 does not compare the name in the certificate unless it is told to.
        defaults.update(ssl_cert_reqs="required", ssl_check_hostname=True)
        own.update(tls_options(cache))
    merged = {**defaults, **{key: value for key, value in kept.items() if value is not None}, **own}
    if merged.get("ssl_cert_reqs") in ("none", 0):
        merged["ssl_check_hostname"] = False  # Python refuses to compare names where nothing is verified
    return merged


def tls_options(cache: CacheSpec) -> Options:
    """Return what the registry states of TLS, as arguments of redis-py."""
    paths = {"ssl_ca_certs": cache.authority, "ssl_certfile": cache.certificate, "ssl_keyfile": cache.key}
    found: Options = {option: str(path) for option, path in paths.items() if path is not None}
    if cache.verify:
        found["ssl_cert_reqs"] = "none" if cache.verify == "none" else "required"
        found["ssl_check_hostname"] = cache.verify == "full"
    return found


def credential_options(cache: CacheSpec, username: str, password: str) -> Options:
    stated = {username: cache.username, password: cache.password}
    return {option: value for option, value in stated.items() if option and value}


def without_credentials(options: Mapping[str, object]) -> Options:
    """Return OPTIONS that this module made, without those that say who connects."""
    kept = {key: value for key, value in options.items() if key not in OF_A_SITE}
    inner = options.get(POOL_OPTIONS)
    return {**kept, POOL_OPTIONS: without_credentials(inner)} if isinstance(inner, Mapping) else kept


def refuse_others(stated: Mapping[str, object], accepted: frozenset[str], site: str, within: str) -> None:
    """Raise ConfigurationError for every option ``within`` CACHES that is not among those that say how."""
    others = sorted(str(option) for option in stated if option not in accepted)
    if others:
        where = f"CACHES{within}"
        raise ConfigurationError(
            Problem(
                "CACHES",
                f"{where} has {shown(option)}. Remove it: the server and the account are each site's own, stated in "
                f"the registry. Accepted are options that say how to connect: {', '.join(sorted(accepted))}.",
                site,
            )
            for option in others
        )


def local_options(stated: Mapping[str, object]) -> Options:
    """Return the project's OPTIONS of a cache in the process's memory."""
    return {key: value for key, value in stated.items() if key in LOCMEM_OPTIONS}

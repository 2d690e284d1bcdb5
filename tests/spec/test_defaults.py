"""What a spec has where nothing is stated, and what kind of a value it is."""

from __future__ import annotations

import pickle
from dataclasses import MISSING, FrozenInstanceError, fields
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.spec.samples import a_codebase, a_platform, a_site, files, postgresql, redis
from wagtail_multihost.spec import (
    CacheSpec,
    CodeOptions,
    DatabaseSpec,
    FrontendCacheSpec,
    MailSpec,
    Names,
    NginxOptions,
    PlatformSpec,
    SiteSpec,
    StorageSpec,
    SystemdOptions,
    TlsSpec,
    UwsgiOptions,
    cache,
    database,
    frontend,
    mail,
    storage,
    uwsgi,
)
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.project_settings import ProjectSetting
from wagtail_multihost.spec.variables import Variable

#: A literal of every default, so that one is changed here too, with a look at who relies on it.
DEFAULTS: dict[type[Any], dict[str, object]] = {
    CacheSpec: {
        **{"host": "", "port": 6379, "number": 0, "username": "", "password": None, "tls": False, "authority": None},
        **{"certificate": None, "key": None, "verify": "", "timeout": None},
    },
    CodeOptions: {"directory": None, "virtualenv": None, "wsgi": "", "settings_module": "", "pythonpath": ()},
    Codebase: {
        **{"static_url": "/static/", "media_url": "/media/", "pythonpath": (), "health_prefix": "/-/"},
        **{"signed_seconds": 3600, "page_seconds": 0},
    },
    DatabaseSpec: {
        **{"path": None, "name": "", "user": "", "password": None, "host": "", "port": 5432, "options": ()},
    },
    FrontendCacheSpec: {
        **{"location": "", "zone": "", "token": None, "access_key": None, "secret_key": None, "timeout": 5},
    },
    MailSpec: {
        **{"backend": "smtp", "host": "", "port": 587, "username": "", "password": None},
        **{"security": "starttls", "timeout": None},
    },
    Names: {},
    PlatformSpec: {
        "environment": "development",
        "sockets": Path("/run/multihost"),
        "origin": "https://{hostname}",
        "secret_key": None,
        "secret_keys": (),
        "key_id": "",
        "revision": 0,
        "group": "",
        "media_group": "",
        "user": "",
        "runner": "uwsgi",
        "shares_registry": False,
        "templates": None,
        "snapshots": None,
        "secure_proxy_ssl_header": None,
        "nodes": (),
        "project_settings": (),
        "env": (),
        "codebases": (),
        "options": (),
    },
    ProjectSetting: {"type": "string", "secret": False, "default": None, "default_file": "", "meaning": ""},
    SiteSpec: {
        "aliases": (),
        "enabled": True,
        "epoch": 1,
        "tls": None,
        "key_id": "",
        "secret_key": None,
        "secret_key_fallbacks": (),
        "probe_key": None,
        "mail": None,
        "frontend": None,
        "admins": (),
        "labels": (),
        "watched_pages": (),
        "settings": (),
        "project_settings": (),
        "env": (),
        **{"session_cookie": "", "csrf_cookie": "", "language_cookie": ""},
        "state": "active",
        "nodes": (),
        **{"node_group": "", "replicas": None},
        "codebase": "",
        "code": (),
        "options": (),
        "pinned": False,
    },
    StorageSpec: {
        **{"path": None, "bucket": "", "region": "", "endpoint": "", "public_endpoint": "", "domain": ""},
        **{"access_key": None, "secret_key": None, "addressing_style": "", "signature_version": ""},
        **{"request_checksum_calculation": "", "response_checksum_validation": ""},
        **{"connect_timeout": None, "read_timeout": None, "attempts": None, "querystring_expire": None},
        "authority": None,
    },
    TlsSpec: {"pending": (), "off": ()},
    Variable: {"type": "string", "secret": False, "default": "", "meaning": ""},
}
PLAIN = (
    a_codebase(),
    TlsSpec(certificate="/a", key="/b"),
    CodeOptions(),
    ProjectSetting(),
    Variable(),
    NginxOptions(),
    SystemdOptions(),
    UwsgiOptions(),
)


@pytest.mark.parametrize("spec", DEFAULTS, ids=lambda spec: spec.__name__)
def test_field_that_is_not_stated_has_its_default(spec: type[Any]) -> None:
    """What is left out is the literal that is stated here, of its very type, and whatever is not here is required."""
    found = {field.name: field.default for field in fields(spec) if field.default is not MISSING}
    assert found == DEFAULTS[spec]
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in DEFAULTS[spec].items()
    }


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_options_cannot_be_changed(value: Any) -> None:
    """Options, codebases and places of certificates stay as they were checked, and are keys of tables."""
    name = fields(value)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, getattr(value, name))
    assert {value: 1}[pickle.loads(pickle.dumps(value))] == 1


@pytest.mark.parametrize("make", [a_platform, a_site])
def test_sources_are_no_part_of_a_value(make: Any) -> None:
    """Where keys were read makes no other platform or site, and is not printed; each has a table of its own."""
    first, second = make(secret_key=None, sources={"id": "elsewhere"}), make(secret_key=None)
    assert first == second
    assert "elsewhere" not in repr(first)
    assert second.sources == {}
    assert second.sources is not make().sources


@pytest.mark.parametrize("make", [a_platform, a_site, files, postgresql, redis])
def test_specs_share_the_methods_of_their_class(make: Any) -> None:
    """No spec has methods of its own compiled for it: each process of each site defines them before it serves."""
    own = vars(type(make()))
    assert not {"__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"} & set(own)
    assert type(make()).__hash__ is Frozen.__hash__


def test_specs_are_frozen_dataclasses_to_type_checkers() -> None:
    """A type checker refuses what would fail: a field that is set, and one that is stated without its name."""
    marks = frozen.__dataclass_transform__  # type: ignore[attr-defined]
    is_frozen = {**marks["kwargs"], **marks}["frozen_default"]  # one of the others before Python 3.12
    assert (is_frozen, marks["kw_only_default"]) == (True, True)
    assert [mark.__name__ for mark in marks["field_specifiers"]] == ["field"]


@pytest.mark.parametrize(
    ("literal", "accepted"),
    [
        (cache.CacheBackend, ("locmem", "redis")),
        (database.DatabaseEngine, ("sqlite", "postgresql")),
        (frontend.FrontendBackend, ("http", "cloudflare", "cloudfront")),
        (mail.MailBackend, ("smtp", "console")),
        (mail.MailSecurity, ("starttls", "tls", "none")),
        (storage.StorageBackend, ("files", "s3")),
        (uwsgi.UwsgiBuild, ("pyuwsgi", "debian")),
    ],
)
def test_words_that_a_type_has_are_those_that_are_accepted(literal: object, accepted: tuple[str, ...]) -> None:
    """A type checker refuses the words that the spec refuses, and no others."""
    assert get_args(literal) == accepted

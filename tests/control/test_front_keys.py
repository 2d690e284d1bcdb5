"""The keys that the database gives front servers are those that are declared for them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from tests.control.fleet import Fleet
from wagtail_multihost.control import front_keys
from wagtail_multihost.nodeapi import front_v1

#: What released migrations have made the views of. Whoever declares another key for front servers, or one less, adds a
#: migration that makes the views anew, and states the key here.
OF_SITES = {
    "": {"aliases", "csrf_cookie", "enabled", "hostnames", "language_cookie", "session_cookie", "state"},
    "nginx": {"access_log", "body_size", "bucket_media", "burst", "cache", "client_connections", "rate", "timeout"},
    "storage": {"backend", "domain", "querystring_expire"},
    "systemd": {"timeout"},
    "tls": {"off", "pending"},
    "uwsgi": {"harakiri"},
}
OF_PLATFORM = {
    **OF_SITES,
    "": {"name", "origin", "runner", "secure_proxy_ssl_header"},
    "nginx": OF_SITES["nginx"]
    | {"cache_size", "connections", "fronts", "gzip_static", "health_from", "http2", "proxies", "purgers"}
    | {"real_ip_header", "resolvers", "version"},
}


@pytest.mark.parametrize(("view", "expected"), [("front_site", OF_SITES), ("front_platform", OF_PLATFORM)])
def test_view_gives_what_is_declared_and_migrated(fleet: Fleet, view: str, expected: dict[str, set[str]]) -> None:
    declared = front_keys.declared_keys(of_platform=view == "front_platform")
    assert front_keys.given_keys(view) == declared
    assert declared == expected, "a migration has to make the views anew"


def said() -> list[str]:
    return [message.msg for message in run_checks(databases=["default"]) if message.id == "multihost_control.W002"]


def test_key_that_is_declared_and_not_given_is_said_and_the_other_way_about(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said() == []
    view = "node_api_v1.front_site"
    (statement,) = re.findall(rf"CREATE VIEW ({re.escape(view)} .*?;)", front_v1.CREATE, re.DOTALL)
    for before, after, sentence in (
        ("'state'", "'state', 'mail'", f"{view} gives front servers mail too."),
        (", 'state'", "", f"{view} does not give front servers state."),
        ("'off', 'pending'", "'off'", f"{view} does not give front servers tls.pending."),
        ("'harakiri'", "'processes'", f"{view} gives front servers uwsgi.processes too."),
    ):
        assert before in statement
        make(statement.replace(before, after))
        assert sentence in said()
    make(statement)
    assert said() == []
    monkeypatch.setattr(front_v1, "SITE_KEYS", [*front_v1.SITE_KEYS, "mail"])
    assert said() == [f"{view} does not give front servers mail."]


def make(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE VIEW {statement}")


def test_database_without_the_views_has_nothing_to_say(fleet: Fleet) -> None:
    """It has not been migrated yet, which is said elsewhere."""
    assert front_keys.given_keys("no_such_view") is None

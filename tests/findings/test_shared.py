"""Two sites that share one thing: nothing in Django compares two projects; a registry refuses it and names both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

REGISTRY = """
[platform]
name = "aviary"
secret_key = "a-platform-key-0123456789-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
{aurora}
[sites.borealis]
hostnames = ["borealis.example.org"]
{borealis}
"""
POSTGRESQL = 'database = {{ engine = "postgresql", host = "db.internal", password = "p", {} }}'
REDIS = 'cache = { backend = "redis", host = "cache.internal" }'
SHARED = {
    "database": (POSTGRESQL.format('name = "one", user = "a"'), POSTGRESQL.format('name = "one", user = "b"')),
    "role": (POSTGRESQL.format('name = "a", user = "one"'), POSTGRESQL.format('name = "b", user = "one"')),
    "file": ('database = { path = "one.sqlite3" }',) * 2,
    "bucket": ('storage = { backend = "s3", bucket = "one-bucket" }',) * 2,
    "folder": ('storage = { path = "media" }', 'storage = { path = "media/borealis" }'),
    "cache": (f'{REDIS}\nnames = {{ key_prefix = "one" }}', f'{REDIS}\nnames = {{ key_prefix = "one" }}'),
    "cache alias": ('names = { key_prefix = "one" }', 'names = { key_prefix = "one.renditions" }'),
    "index": ('names = { index_prefix = "one_" }', 'names = { index_prefix = "one_two_" }'),
    "hostname": ('aliases = ["one.example.org"]',) * 2,
    "socket": ('names = { socket = "one.sock" }',) * 2,
    "uid": ('uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"',) * 2,
    "key": ('secret_key = "one-key-0123456789-0123456789-0123456789-0123456789"',) * 2,
    "frontend": ('frontend = { backend = "cloudflare", zone = "one", token = "t" }',) * 2,
}


@pytest.mark.parametrize("pair", SHARED.values(), ids=SHARED.keys())
def test_thing_that_two_sites_share_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    """Each site is fine alone; together they are refused, and the report names both."""
    path = tmp_path / "sites.toml"
    for aurora, borealis in ((pair[0], ""), ("", pair[1])):
        path.write_text(REGISTRY.format(aurora=aurora, borealis=borealis))
        assert len(open_registry(path, {}).load().sites) == 2
    path.write_text(REGISTRY.format(aurora=pair[0], borealis=pair[1]))
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    for problem in caught.value.problems:
        assert {"aurora", "borealis"} <= set(re.findall("[a-z]+", problem.message))

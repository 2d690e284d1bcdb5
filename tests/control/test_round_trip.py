"""The sites of a registry file and those that nodes read of the database, with the node's file, are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django.db import connection

from tests.control.fleet import Fleet
from tests.control.test_import import EVERY_KEY, SECRET_URL, ordered, plain, run, write
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.node_file import VARIABLE
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.platform import PlatformSpec

#: What only the node's own machine says of a registry in a file: it is not where the records are.
OF_THE_SOURCE = {"sources": {}, "revision": 0}


def test_nodes_read_what_the_file_says(live_fleet: Fleet, postgres: Postgres, folder: Path) -> None:
    """Every key: from the file, and from the database with the node's file that the import has written."""
    path = write(folder, EVERY_KEY.read_text(encoding="utf-8").replace(SECRET_URL, ""))
    before = TomlRegistry(path, {}).load()
    node_file = folder / "node" / "node.toml"
    node_file.parent.mkdir(mode=0o755)
    run("multihost_import_registry", path, "--node-file", node_file)
    passfile = folder / "passfile"
    passfile.write_text(f"*:*:*:*:{postgres.password}\n")
    passfile.chmod(0o600)
    url = f"postgres://{SUPERUSER}@{HOST}:{postgres.port}/{connection.settings_dict['NAME']}?passfile={passfile}"
    after = open_registry(url, {VARIABLE: str(node_file)}).load()
    assert after.platform.revision == live_fleet.revision
    assert list(map(plain, after.sites)) == list(map(plain, before.sites))
    assert plain_platform(after.platform) == plain_platform(before.platform)


def plain_platform(platform: PlatformSpec) -> str:
    return repr(replace(platform, **OF_THE_SOURCE, project_settings=ordered(platform.project_settings)))

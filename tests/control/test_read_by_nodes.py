"""What registration has written is what a node reads, by the views that the migrations have made."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from tests.control.fleet import Fleet
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import Registry, open_registry


@pytest.fixture(name="registry")
def _registry(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Registry:
    """Return the registry as a node in production has it."""
    passfile, node = tmp_path / "pgpass", tmp_path / "node.toml"
    passfile.write_text(f"*:*:*:*:{postgres.password}\n")
    passfile.chmod(0o600)
    node.write_text(
        f'[platform]\ndata = "{tmp_path}/data"\nenvironment = "production"\n'
        '[platform.codebases.shop]\nwsgi = "shop.wsgi:application"\n'
    )
    database = connection.settings_dict["NAME"]
    url = f"postgres://{SUPERUSER}@{HOST}:{postgres.port}/{database}?passfile={passfile}"
    return open_registry(url, {"MULTIHOST_NODE_FILE": str(node)})


def test_node_reads_what_was_registered(live_fleet: Fleet, registry: Registry) -> None:
    """Pinned, so that production accepts it, at the revision that registration says."""
    live_fleet.add("aurora", codebase="shop")
    live_fleet.add("borealis")
    contents = registry.load()
    aurora, borealis = contents.sites
    assert (aurora.id, aurora.uid, aurora.pinned) == ("aurora", live_fleet.site("aurora").uid, True)
    assert dict(aurora.code) == {"wsgi": "shop.wsgi:application"}
    assert borealis.code == ()
    assert contents.platform.revision == live_fleet.revision


def test_codebase_that_the_node_does_not_list_hurts_that_site_alone(live_fleet: Fleet, registry: Registry) -> None:
    """Registration cannot know which ones there are."""
    live_fleet.add("aurora", codebase="museum")
    live_fleet.add("borealis")
    contents = registry.load(keep_going=True)
    assert [site.id for site in contents.sites] == ["borealis"]
    assert [problem.where for problem in contents.problems["aurora"]] == ["Site aurora: codebase"]


def test_site_that_was_retired_is_gone(live_fleet: Fleet, registry: Registry) -> None:
    """Its row stays, and no node reads it."""
    site = live_fleet.add("aurora")
    assert registry.load().sites
    live_fleet.apply(RetireSite(site.uid))
    assert registry.load().sites == ()
    with pytest.raises(ConfigurationError, match="has no site 'aurora'"):
        registry.site("aurora")

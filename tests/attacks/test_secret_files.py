"""A site with a secret of root's in its own folder, which root reads for the site's snapshot."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import acting_as, needs_root, passable_folder
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.registry import Contents, open_registry
from wagtail_multihost.resolver.secret_key import with_own_keys

pytestmark = needs_root
SITE, NEIGHBOUR = "games", "news"
REGISTRY = """
[platform]
name = "aviary"
secret_key = "a-platform-key-that-is-long-enough-0123456789"
data = "{folder}/data"

[sites.games]
hostnames = ["games.example.org"]
[sites.games.database]
engine = "postgresql"
host = "db.internal"
password_file = "{folder}/data/sites/games/secrets/password"

[sites.news]
hostnames = ["news.example.org"]
[sites.news.database]
engine = "postgresql"
host = "db.internal"
password_file = "{folder}/keys/news/password"
"""


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    with passable_folder() as folder:
        home = folder / "data/sites" / SITE
        for path, owner in ((home / "secrets", SITE), (folder / "keys" / NEIGHBOUR, NEIGHBOUR)):
            path.mkdir(parents=True)
            secret = path / "password"
            secret.write_text(f"of {owner}\n")
            shutil.chown(secret, "root", owner)
            secret.chmod(0o640)
        shutil.chown(home, SITE, SITE)
        (folder / "sites.toml").write_text(REGISTRY.format(folder=folder))
        yield folder


def snapshot(folder: Path) -> dict[str, Any]:
    """Return what root writes into the hostile site's snapshot."""
    registry = open_registry(str(folder / "sites.toml"), {})
    contents = registry.read_sites([SITE])
    sites = tuple(with_own_keys(contents.platform, site) for site in contents.sites)
    [draft] = draft_snapshots(folder, registry, Contents(contents.platform, sites), datetime.now(UTC))
    return draft.document


def test_a_site_gets_no_neighbours_secret_into_its_snapshot(folder: Path) -> None:
    """It may put another folder in the place of the one that its secret is in, as it owns what is around it."""
    home = folder / "data/sites" / SITE
    account = pwd.getpwnam(SITE)
    with acting_as(account.pw_uid, account.pw_gid):
        with pytest.raises(PermissionError):
            (folder / "keys" / NEIGHBOUR / "password").read_text()
        (home / "secrets").rename(home / "mine")
        (home / "secrets").symlink_to(folder / "keys" / NEIGHBOUR)
    with pytest.raises(ConfigurationError, match=f"{home}: It belongs to games"):
        snapshot(folder)


def test_a_secret_of_a_site_is_read_where_the_way_is_roots(folder: Path) -> None:
    """The folder around it need not be closed, nor the file unreadable for the site."""
    shutil.chown(folder / "data/sites" / SITE, "root", SITE)
    assert snapshot(folder)["site"]["database"]["password"] == "of games"

"""
nginx serves a site's uploads, and its account reads nothing else of the site: neither snapshot, database nor log.

The accounts' file of groups is one of our own, in a mount namespace: nginx's account is in the group of uploads there.
"""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.accounts import needs_root
from tests.servers.accounts import FRONT, ROOT, Account
from tests.servers.nginx import PROGRAM, accepts, raw, status_of
from tests.servers.processes import children, running, wait_for
from tests.servers.street import Street, make_street, platform_table
from tests.servers.workshop import opened_workshop, write_registry

pytestmark = [pytest.mark.servers, needs_root]

#: Accounts that every Debian has, with a group of the same name: the sites are named like them.
SITE, NEIGHBOUR = "games", "news"
MEDIA, MEDIA_ID = "aviary-media", 61234
WITH_GROUP = 'mount --bind "$0" /etc/group && exec "$@"'
#: What a site does under the umask of its server, and under that of a careless operator.
UPLOAD = """
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
default_storage.save("images/a.png", ContentFile(b"picture"))
"""
CARELESS = """
import os
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
os.umask(0o022)
call_command("migrate", "wagtail_multihost", interactive=False, verbosity=0)
logs = Path(settings.DATABASES["default"]["NAME"]).parent / "logs"
logs.mkdir(exist_ok=True)
(logs / "site.log").write_text("said")
"""


@dataclass(frozen=True)
class Stage:
    """A served street, its nginx, and the file of groups."""

    street: Street
    nginx: subprocess.Popen[bytes]

    def uploads(self, site: str) -> Path:
        return self.street.folder / "uploads" / site

    def private(self, site: str) -> list[Path]:
        own = self.street.folder / "data/sites" / site
        return [self.street.folder / f"snapshots/{site}.json", own / "db.sqlite3", own / "logs/site.log"]


def with_group(groups: Path, words: Sequence[str | Path]) -> list[str | Path]:
    """Return the words of a command for which ``groups`` is the machine's file of groups."""
    return ["unshare", "--mount", "sh", "-c", WITH_GROUP, groups, *words]


@pytest.fixture(name="stage", scope="module")
def _stage() -> Iterator[Stage]:
    with opened_workshop() as workshop:
        street = make_street(workshop, "media")
        groups = ROOT.write(
            street.folder / "group", f"{Path('/etc/group').read_text()}{MEDIA}:x:{MEDIA_ID}:{FRONT.user}\n", 0o644
        )
        prepare(street, groups)
        nginx = [PROGRAM, "-e", "stderr", "-c", street.etc / "nginx/nginx.conf", "-g", "daemon off;"]
        log = street.folder / "nginx.log"
        with running(with_group(groups, nginx), log) as process:
            wait_for(lambda: process.poll() is not None or accepts(street.ports.http), "nginx")
            assert process.poll() is None, log.read_text()
            yield Stage(street, process)


def prepare(street: Street, groups: Path) -> None:
    """Emit, make the folders and write the snapshots, as an operator does; then let a site write its files."""
    workshop, snapshots = street.workshop, street.folder / "snapshots"
    platform = {
        **platform_table(street, f"http://{{hostname}}:{street.ports.http}"),
        "environment": "production",
        "user": "{site}",
        "group": "{site}",
        "media_group": MEDIA,
        "snapshots": snapshots,
        "storage": {"backend": "files", "path": f"{street.folder}/uploads/{{site}}"},
    }
    sites = {site: {"hostnames": [f"{site}.example.org"]} for site in (SITE, NEIGHBOUR)}
    ROOT.take(write_registry(street.registry, {"platform": platform, "sites": sites}), 0o600)
    ROOT.take(street.folder / "secrets", 0o711)
    ROOT.take(street.folder / "secrets/platform", 0o600)
    environ = workshop.environ(street.registry)
    workshop.manage("multihost_sites", "--pin", environ=environ, account=ROOT)
    words = ("multihost_emit", "nginx", "systemd", "--output", str(street.etc))
    workshop.manage(*words, environ=environ, account=ROOT)
    folders = street.etc / "systemd/tmpfiles.d/multihost.conf"
    subprocess.run(with_group(groups, ["systemd-tmpfiles", "--create", folders]), check=True)
    workshop.manage("multihost_snapshot", "--output", str(snapshots), environ=environ, account=ROOT)
    own = workshop.environ(snapshots, SITE)
    workshop.manage("shell", "-v0", "-c", UPLOAD + CARELESS, environ=own, account=Account(SITE, SITE))


def read(account: Account, path: Path, *groups: str) -> bool:
    """Return whether the account, with ``groups`` besides its own, reads a file."""
    more = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    identity = ["setpriv", "--reuid", account.user, "--regid", account.group, *more]
    return subprocess.run([*identity, "cat", path], capture_output=True, check=False).returncode == 0


def test_front_server_serves_uploads_with_the_group_of_uploads_alone(stage: Stage) -> None:
    """nginx's workers have that group besides their own, and none of a site's."""
    answer = raw(stage.street.ports.http, "GET /media/images/a.png HTTP/1.1", f"Host: {SITE}.example.org")
    assert (status_of(answer), answer.rpartition("\r\n")[2]) == (200, "picture")
    workers = [Path(f"/proc/{pid}/status").read_text() for pid in children(stage.nginx.pid)]
    groups = {line for status in workers for line in status.splitlines() if line.startswith("Groups:")}
    assert {frozenset(line.split()[1:]) for line in groups} == {frozenset({"33", str(MEDIA_ID)})}


def test_front_server_reads_nothing_but_uploads(stage: Stage) -> None:
    """Not even what was written under a careless umask; the site itself reads it, so it is there."""
    assert read(FRONT, stage.uploads(SITE) / "images/a.png", str(MEDIA_ID))
    for path in stage.private(SITE):
        assert read(Account(SITE, SITE), path)
        assert not read(FRONT, path, str(MEDIA_ID)), path
    assert stage.private(SITE)[1].stat().st_mode & stat.S_IROTH  # it is the folder that is closed


def test_group_comes_from_the_folder_and_is_no_sites(stage: Stage) -> None:
    """New files and folders have it under umask 077 too, as nobody but the group may read; neighbours are not in it."""
    uploads = stage.uploads(SITE)
    found = {path.relative_to(uploads): path.stat() for path in (uploads, *uploads.rglob("*"))}
    modes = {str(path): (status.st_uid, status.st_gid, oct(status.st_mode & 0o7777)) for path, status in found.items()}
    assert modes == {
        ".": (5, MEDIA_ID, "0o2750"),
        "images": (5, MEDIA_ID, "0o2750"),
        "images/a.png": (5, MEDIA_ID, "0o640"),
    }
    assert not read(Account(NEIGHBOUR, NEIGHBOUR), uploads / "images/a.png")

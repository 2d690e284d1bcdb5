"""Snapshots: a folder of one file per site as a registry."""

from __future__ import annotations

import grp
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import NOBODY, OTHER_GROUP, SITE_GROUP, acting_as, needs_root, passable_folder
from tests.registry.conftest import shown_by_error_pages
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_changes import find_changes, find_groups
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.snapshot import SnapshotRegistry, digest_of
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.spec import SiteSpec
from wagtail_multihost.spec.proofs import make_probe_key

KEY = "platform-key-hunter0-0123456789-0123456789"
PASSWORD = "env:HUNTER1 p#s?s/w%o:r@d"
REGISTRY = f"""
[platform]
name = "aviary"
secret_key = "{KEY}"
revision = 7
sockets = "/run/aviary"
secure_proxy_ssl_header = ["HTTP_X_FORWARDED_PROTO", "https"]
cache = {{ backend = "redis", host = "cache.internal", number = 2, tls = true }}
tls = {{ certificate = "/etc/ssl/{{hostname}}.pem", key = "/etc/ssl/{{hostname}}.key" }}
[platform.settings]
TIME_ZONE = "Europe/Berlin"
WAGTAIL_I18N_ENABLED = true
[platform.nginx]
body_size = "5m"
http = ["8080"]
[platform.uwsgi]
processes = 3

[sites.aurora]
hostnames = ["aurora.example.org", "www.aurora.example.org"]
aliases = ["aurora.example.net"]
epoch = 3
admins = ["ops@example.org"]
cache = {{ username = "aurora", password = "hunter2" }}
frontend = {{ backend = "cloudflare", zone = "abc", token = "hunter3" }}
mail = {{ host = "mail.internal", username = "aurora", password = "hunter4", security = "tls", port = 465 }}
[sites.aurora.database]
engine = "postgresql"
host = "db.internal"
password = "env:PASSWORD"
port = 5433
options = {{ sslmode = "verify-full", connect_timeout = 3 }}
[sites.aurora.storage]
backend = "s3"
region = "eu-west-1"
access_key = "hunter5"
secret_key = "hunter6"
[sites.aurora.settings]
WAGTAIL_SITE_NAME = "Äurora"

[sites.borealis]
hostnames = ["borealis.example.org"]
secret_key = "{"hunter7-" * 8}"
secret_key_fallbacks = ["hunter8"]
database = "sqlite:///borealis.sqlite3"
mail = "console://"

[sites.corona]
hostnames = ["corona.example.org"]
enabled = false
"""
ENVIRON = {"PASSWORD": PASSWORD}
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def read_own(registry: Registry) -> Contents:
    contents = registry.read_sites({site.id for site in registry.load().enabled})
    return Contents(contents.platform, tuple(with_own_keys(contents.platform, site) for site in contents.sites))


def snap(registry: Registry, folder: Path, key: Any = None, now: datetime = NOW) -> list[str]:
    """Write the snapshots of a registry; return what was done, by file."""
    contents = read_own(registry)
    with prepared_folder(folder):
        changes = list(find_changes(draft_snapshots(folder, registry, contents, now), find_groups(*contents[:2]), key))
        write_changes(changes)
    return [f"{change.path.name} {change.state.value}" for change in changes]


@pytest.fixture
def source(tmp_path: Path) -> Registry:
    (tmp_path / "sites.toml").write_text(REGISTRY, encoding="utf-8")
    return open_registry(tmp_path / "sites.toml", ENVIRON)


@pytest.fixture
def folder(source: Registry, tmp_path: Path) -> Path:
    """The snapshots of two sites."""
    assert snap(source, tmp_path / "snapshots") == ["aurora.json created", "borealis.json created"]
    return tmp_path / "snapshots"


Edit = Callable[..., None]


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Change the document of aurora, and its digest unless told otherwise."""

    def change(update: Callable[[dict[str, Any]], object], *, digests: bool = True) -> None:
        path = folder / "aurora.json"
        document = json.loads(path.read_text())
        update(document)
        if digests:
            document["digest"] = digest_of(document)
        path.chmod(0o640)
        path.write_text(json.dumps(document))

    return change


def refusal(folder: Path, site: str = "aurora", environ: dict[str, str] | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        SnapshotRegistry(folder, environ or {}).site(site)
    assert "hunter" not in shown_by_error_pages(refused.value) + str(refused.value)
    return refused.value


def same(snapshot: SiteSpec, site: SiteSpec) -> bool:
    """Return whether a snapshot says what the registry says; it states what the registry derives, and so is pinned."""
    return {**fields(snapshot), "pinned": None} == {**fields(site), "pinned": None}


#: What only servers and people have a use for.
LEFT_OUT = {
    *("templates", "snapshots", "nodes", "options", "user", "runner"),
    *("state", "codebase", "codebases", "code", "labels", "watched_pages", "node_group", "replicas"),
}


def fields(spec: Any) -> dict[str, Any]:
    """Return what a site's process has use for."""
    left_out = {"sources", *LEFT_OUT}
    return {name: getattr(spec, name) for name in type(spec).__slots__ if name not in left_out}


@pytest.mark.parametrize("site", ["aurora", "borealis"])
def test_snapshot_has_everything_of_its_site(source: Registry, folder: Path, site: str) -> None:
    """What a snapshot gives is what its registry gives, with the derived keys as the site's own."""
    platform, spec = SnapshotRegistry(folder, {}).site(site)
    written = next(own for own in read_own(source).sites if own.id == site)
    assert same(spec, written)
    assert spec.secret_key == written.secret_key
    expected = fields(source.site(site)[0])
    assert fields(platform) == {**expected, "secret_key": None}


def test_snapshot_of_every_key_has_everything(tmp_path: Path) -> None:
    """The example registry that states every key survives as snapshots."""
    text = (Path(__file__).parents[2] / "docs" / "examples" / "every-key.toml").read_text(encoding="utf-8")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    text = text.replace('environment = "production"', "").replace("/run/secrets", str(secrets))
    text = re.sub(r"^group = .*", 'group = "games"', text, flags=re.MULTILINE)
    (tmp_path / "sites.toml").write_text(text, encoding="utf-8")
    for path in re.findall(rf'"({secrets}/[^"]*)"', text):
        for site in ("aurora", "borealis"):
            text = make_probe_key().reveal() if path.endswith("_probe") else f"hunter-{'x' * 50}"
            secret_file(Path(path.replace("{site}", site)), f"{text}\n")
    registry = open_registry(tmp_path / "sites.toml", defaultdict(lambda: "hunter" * 9))
    registry.load()
    snap(registry, tmp_path / "snapshots")
    contents = SnapshotRegistry(tmp_path / "snapshots", {}).load()
    assert all(same(spec, own) for spec, own in zip(contents.sites, read_own(registry).sites, strict=True))
    assert len(contents.sites) == 2


def test_snapshot_never_has_the_platforms_key(folder: Path) -> None:
    """Neither the platform's key nor anything of a neighbour is in a site's file."""
    texts = {site: (folder / f"{site}.json").read_text() for site in ("aurora", "borealis")}
    assert KEY not in "".join(texts.values())
    assert "borealis" not in texts["aurora"]
    assert "aurora" not in texts["borealis"]


def test_snapshot_of_a_keyring_has_derived_keys_only(source: Registry, tmp_path: Path) -> None:
    """The keys of a keyring, and their ids, stay where they are; each site's keys derive from all of them."""
    keyring = f'secret_keys = {{ "2025" = "{KEY}", "2026" = "{KEY}x" }}\nkey_id = "2026"'
    path = tmp_path / "sites.toml"
    path.write_text(REGISTRY.replace(f'secret_key = "{KEY}"', keyring), encoding="utf-8")
    snap(open_registry(path, ENVIRON), tmp_path / "ring")
    text = (tmp_path / "ring" / "aurora.json").read_text()
    assert (KEY in text, "2026" in text.replace("2026-05-01", "")) == (False, False)
    _, site = SnapshotRegistry(tmp_path / "ring", {}).site("aurora")
    assert len(site.secret_key_fallbacks) == 2


def test_snapshot_secret_means_itself(folder: Path) -> None:
    """A password that looks like a reference to a variable is a password."""
    _, site = SnapshotRegistry(folder, {"HUNTER1": "wrong"}).site("aurora")
    assert site.database.password is not None
    assert site.database.password.reveal() == PASSWORD


def test_snapshot_follows_no_reference_to_a_file(folder: Path, edit: Edit, tmp_path: Path) -> None:
    """A key that names a file of a secret is unknown in a snapshot."""

    def refer(document: dict[str, Any]) -> None:
        database = document["site"]["database"]
        del database["password"]
        database["password_file"] = str(secret_file(tmp_path / "password", "hunter2"))

    edit(refer)
    assert "aurora.json: site.database.password_file" in [problem.where for problem in refusal(folder).problems]


def test_snapshot_makes_no_platform_key(folder: Path, tmp_path: Path) -> None:
    """Reading a snapshot makes no file."""
    before = sorted(tmp_path.rglob("*"))
    SnapshotRegistry(folder, {}).site("aurora")
    assert sorted(tmp_path.rglob("*")) == before


def test_snapshot_sources_name_the_file(folder: Path) -> None:
    """Where a value was read is a key of the site's file."""
    platform, site = SnapshotRegistry(folder, {}).site("aurora")
    assert site.sources["hostnames"] == "aurora.json: site.hostnames"
    assert platform.sources["name"] == "aurora.json: platform.name"


def test_folder_is_a_registry_of_snapshots(folder: Path) -> None:
    """A path that is a folder, or ends like one, opens snapshots."""
    for url in (folder, f"{folder}/", f"file://{folder}"):
        assert isinstance(open_registry(url, {}), SnapshotRegistry)
    assert isinstance(open_registry("/nonexistent/", {}), SnapshotRegistry)
    assert open_registry(folder, {}).site("aurora")[1].id == "aurora"


def test_snapshot_registry_loads_every_site(source: Registry, folder: Path) -> None:
    """Who may list the folder reads all sites, and the platform of the highest revision."""
    contents = SnapshotRegistry(folder, {}).load()
    assert [site.id for site in contents.sites] == ["aurora", "borealis"]
    assert contents.platform.revision == 7
    assert source.load().platform.options and not contents.platform.options


def test_snapshot_has_nothing_of_servers(folder: Path) -> None:
    """What only the servers use is not in a site's snapshot, so that a change of it is none for the site."""
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert not LEFT_OUT & {*document["platform"], *document["site"]}


def test_snapshot_registry_of_different_platforms_is_not_loaded(folder: Path, edit: Edit) -> None:
    """Snapshots of which some have an older platform are no whole registry; a single site is still read."""
    edit(lambda document: document["platform"].update(sockets="/run/other"))
    with pytest.raises(ConfigurationError, match="without --site"):
        SnapshotRegistry(folder, {}).load()
    assert SnapshotRegistry(folder, {}).site("borealis")[1].id == "borealis"


def test_snapshot_registry_reports_all_broken_files(folder: Path) -> None:
    """Loading reports each file that is no snapshot."""
    for name in ("aurora", "lyra"):
        path = folder / f"{name}.json"
        path.unlink(missing_ok=True)
        path.touch(0o640)
        path.write_text("{")
    with pytest.raises(ConfigurationError) as refused:
        SnapshotRegistry(folder, {}).load()
    assert [problem.where for problem in refused.value.problems] == [
        str(folder / f"{name}.json") for name in ("aurora", "lyra")
    ]


def test_empty_folder_is_no_registry(tmp_path: Path) -> None:
    """A folder without snapshots is an error, not a platform without sites."""
    with pytest.raises(ConfigurationError, match="no snapshots"):
        SnapshotRegistry(tmp_path, {}).load()
    with pytest.raises(ConfigurationError, match="cannot be listed"):
        SnapshotRegistry(tmp_path / "none", {}).load()


def test_site_is_read_without_a_look_at_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a site opens its own file, whatever the others are, and lists nothing."""
    (folder / "borealis.json").chmod(0o640)
    (folder / "borealis.json").write_text("broken")

    def refuse(*arguments: object) -> list[str]:
        raise AssertionError("The folder was listed.")

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refuse)
    assert SnapshotRegistry(folder, {}).site("aurora")[1].id == "aurora"


@pytest.mark.parametrize("site", ["lyra", "corona", "../snapshots/aurora", "aurora.json", "", ".", "Aurora"])
def test_site_without_a_snapshot_is_refused(folder: Path, site: str) -> None:
    """An unknown, disabled or hostile id has no snapshot."""
    with pytest.raises(ConfigurationError) as refused:
        SnapshotRegistry(folder, {}).site(site)
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_SITE"]


@pytest.mark.parametrize("length", [0, 1, 500, -3])
def test_snapshot_that_was_cut_off_is_refused(folder: Path, length: int) -> None:
    """Half a file is none."""
    path = folder / "aurora.json"
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:length])
    error = refusal(folder)
    assert [problem.where for problem in error.problems] == [str(path)]
    assert "cut off" in str(error)


@pytest.mark.parametrize(
    "text", ["null", "[]", '"x"', "1" * 5000, "[" * 100_000, '{"format": true}', '{"format": 1}', '{"a": "\\ud800"}']
)
def test_file_that_is_no_snapshot_is_refused(folder: Path, text: str) -> None:
    """JSON of another kind is refused, however hostile."""
    path = folder / "aurora.json"
    path.chmod(0o640)
    path.write_text(text)
    assert [problem.where for problem in refusal(folder).problems] == [str(path)]


@pytest.mark.parametrize(
    "update",
    [
        lambda document: document.update(revision=8),
        lambda document: document.update(created="2027-01-01T00:00:00+00:00"),
        lambda document: document["site"].update(hostnames=["evil.example.org"]),
        lambda document: document["platform"].update(shares_registry=True),
        lambda document: document["private"].clear(),
    ],
)
def test_snapshot_that_was_edited_is_refused(folder: Path, edit: Edit, update: Callable[[Any], object]) -> None:
    """What the digest was made of cannot change without it."""
    edit(update, digests=False)
    assert "changed after it was written" in str(refusal(folder))


def test_snapshot_of_another_site_is_refused(folder: Path) -> None:
    """A file under another site's name is not that site's."""
    (folder / "aurora.json").unlink()
    (folder / "borealis.json").rename(folder / "aurora.json")
    assert "the snapshot of 'borealis'" in str(refusal(folder))


def test_snapshot_of_another_format_is_refused_with_both_versions(folder: Path, edit: Edit) -> None:
    """A format that this version does not know is named, beside those that it does."""
    edit(lambda document: document.update(format=3))
    error = str(refusal(folder))
    assert "has the format 3" in error
    assert "reads the formats 1 and 2" in error


@pytest.mark.parametrize(
    ("update", "where"),
    [
        (lambda document: document["site"].update(hostnames=["a b"]), "aurora.json: site.hostnames"),
        (lambda document: document["site"].update(colour="red"), "aurora.json: site.colour"),
        (lambda document: document["site"].pop("secret_key"), "aurora.json: site.secret_key"),
        (lambda document: document["site"].pop("uid"), "aurora.json: site.uid"),
        (lambda document: document["site"].pop("names"), "aurora.json: site.names"),
        (lambda document: document["site"].update(secret_key="short"), "aurora.json: site.secret_key"),
        (lambda document: document["platform"].update(secret_key="k" * 40), "aurora.json: platform.secret_key"),
        (lambda document: document["platform"].update(name=3), "aurora.json: platform.name"),
        (lambda document: document.update(revision=-1), "aurora.json: platform.revision"),
    ],
)
def test_snapshot_is_held_to_every_rule(folder: Path, edit: Edit, update: Callable[[Any], object], where: str) -> None:
    """A snapshot whose digest is right is read by the rules of every registry, and must state what others derive."""
    edit(update)
    assert where in [problem.where for problem in refusal(folder).problems]


def test_snapshot_with_another_key_is_refused(folder: Path, edit: Edit) -> None:
    """A key beside those of the format is an error."""
    edit(lambda document: document.update(extra=1))
    assert "missing or unknown" in str(refusal(folder))


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o460, 0o660, 0o442, 0o441, 0o777])
def test_snapshot_that_others_can_read_or_change_is_refused(folder: Path, mode: int) -> None:
    """The mode of a file must keep others out; the error has the mode, and those that are accepted."""
    (folder / "aurora.json").chmod(mode)
    error = str(refusal(folder))
    assert f"the mode {mode:04o}" in error
    assert "0440" in error


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_snapshot_that_only_its_group_reads_is_accepted(folder: Path, mode: int) -> None:
    """Reading by the group is what snapshots are for."""
    (folder / "aurora.json").chmod(mode)
    assert SnapshotRegistry(folder, {}).site("aurora")[1].id == "aurora"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777, 0o733])
def test_folder_that_others_write_to_is_refused(folder: Path, mode: int) -> None:
    """Where others may write they can plant a file."""
    folder.chmod(mode)
    assert f"the mode {mode:04o}" in str(refusal(folder))


def test_snapshot_that_is_a_link_is_refused(folder: Path) -> None:
    """A symbolic link, a folder and a pipe are no snapshots, and none of them stops the process."""
    path = folder / "aurora.json"
    path.rename(folder.parent / "elsewhere.json")
    path.symlink_to(folder.parent / "elsewhere.json")
    refusal(folder)
    path.unlink()
    os.mkfifo(path, 0o440)
    assert "regular file" in str(refusal(folder))
    path.unlink()
    path.mkdir()
    refusal(folder)


def test_snapshot_is_read_without_parsers_of_other_registries(folder: Path) -> None:
    """A process that starts from a snapshot loads no parser of TOML, variables or URLs of databases."""
    code = (
        "import sys; from wagtail_multihost.resolver import resolve;"
        f"resolve(environ={{'MULTIHOST_SITE': 'aurora', 'MULTIHOST_REGISTRY': {str(folder)!r}}});"
        "print(*sorted({'tomllib', 'tomlkit', 'environ', 'dj_database_url', 'cryptography', 'django', 'idna'}"
        " & set(sys.modules)))"
    )
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.fixture
def public_folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


def group(name: str) -> int:
    return grp.getgrnam(name).gr_gid


@pytest.fixture
def grouped(public_folder: Path) -> Path:
    """Snapshots in production, each for its site's own group: aurora's and borealis's are groups of Debian."""
    text = f"""
    [platform]
    name = "aviary"
    environment = "production"
    secret_key = "{KEY}"
    [sites.{SITE_GROUP}]
    hostnames = ["{SITE_GROUP}.example.org"]
    [sites.{OTHER_GROUP}]
    hostnames = ["{OTHER_GROUP}.example.org"]
    """
    path = public_folder / "sites.toml"
    path.write_text(text.replace("[platform]", '[platform]\ngroup = "{site}"'))
    path.chmod(0o600)
    from wagtail_multihost.publishing.pins import pin_sites

    pin_sites(open_registry(path, {}))
    snap(open_registry(path, {}), public_folder / "run")
    return public_folder / "run"


@needs_root
def test_snapshot_of_another_group_cannot_be_read(grouped: Path) -> None:
    """An account with a site's group reads that site's snapshot, no other, and not the names of the others."""
    registry = SnapshotRegistry(grouped, {})
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert registry.site(SITE_GROUP)[1].id == SITE_GROUP
        with pytest.raises(ConfigurationError, match=r"platform\.group"):
            registry.site(OTHER_GROUP)
        with pytest.raises(ConfigurationError, match="cannot be listed"):
            registry.load()
        with pytest.raises(PermissionError):
            (grouped / f"{SITE_GROUP}.json").write_text("{}")
        with pytest.raises(PermissionError):
            (grouped / f"{SITE_GROUP}.json").unlink()


@needs_root
@pytest.mark.parametrize("what", ["file", "folder", "above"])
def test_snapshot_in_production_belongs_to_root(grouped: Path, what: str) -> None:
    """In production a file, or a folder above it, that another account owns is refused, even the process's own."""
    path = {"file": grouped / f"{SITE_GROUP}.json", "folder": grouped, "above": grouped.parent}[what]
    os.chown(path, NOBODY, -1)
    with acting_as(NOBODY, group(SITE_GROUP)), pytest.raises(ConfigurationError, match="belongs to nobody"):
        SnapshotRegistry(grouped, {}).site(SITE_GROUP)


@needs_root
def test_snapshot_outside_production_may_be_the_processs_own(source: Registry, public_folder: Path) -> None:
    """A developer's own snapshots are accepted, and those of a third account are not."""
    snap(source, public_folder / "run")
    for path in (public_folder / "run", public_folder / "run" / "aurora.json"):
        os.chown(path, NOBODY, -1)
    with acting_as(NOBODY):
        assert SnapshotRegistry(public_folder / "run", {}).site("aurora")[1].id == "aurora"
    with pytest.raises(ConfigurationError, match="belongs to nobody"):
        SnapshotRegistry(public_folder / "run", {}).site("aurora")

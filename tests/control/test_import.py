"""A registry file goes into the database and the node's file, and comes back as it was."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.control.fleet import OPERATOR, Fleet
from tests.servers.postgres import HOST, Postgres
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.importing import named_ids
from wagtail_multihost.control.models import Event, FormerRecord, HeldName, ManagedSite, Platform
from wagtail_multihost.control.node_document import read_node_document
from wagtail_multihost.control.observed import MOST_ABOVE, ask_database_server, read_fuse
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshots import publish, to_publish
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

EVERY_KEY = Path(__file__).parents[2] / "docs" / "examples" / "every-key.toml"
SECRET_URL = 'mail = "smtps://aurora:its%20password@mail.internal:465"'
LIVE, GONE = "6f1c2b0e-4a0d-4c8e-9b1f-2d3c4b5a6978", "0b7e2b0e-4a0d-4c8e-9b1f-2d3c4b5a6978"
NAMES = {
    "database": "aviary__{}",
    "role": "aviary__{}",
    "bucket": "aviary--{}",
    "key_prefix": "aviary.{}",
    "index_prefix": "aviary_{}_",
    "socket": "{}.sock",
}


def names_of(word: str) -> str:
    return ", ".join(f'{key} = "{name.format(word)}"' for key, name in NAMES.items())


SIMPLE = f"""
[platform]
name = "aviary"
revision = 41
user = "site-{{site}}"

[sites.aurora]
uid = "{LIVE}"
hostnames = ["aurora.example.org"]
database = {{ engine = "postgresql", host = "127.0.0.1", port = 1, password_file = "secrets/aurora" }}
names = {{ {names_of("aurora")} }}
"""
DECLARED = '[platform.project_settings.PAY]\ntype = "string"\nsecret = true\n'
USED = f"""
[used]
aurora = [
    {{ uid = "{GONE}", {names_of("older")}, removed = true }},
    {{ uid = "{LIVE}", {names_of("aurora")} }},
]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sites.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(command: str, *words: object, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *map(str, words), stdout=out, **{"stderr": io.StringIO(), **options})
    return out.getvalue()


def import_text(folder: Path, text: str, *words: object, **options: Any) -> str:
    return run("multihost_import_registry", write(folder, text), *words, **options)


def exported(node_file: Path) -> dict[str, Any]:
    return tomllib.loads(run("multihost_export_registry", "--node-file", node_file))


def test_simple_file_goes_in_and_comes_back(fleet: Fleet, folder: Path) -> None:
    node_file = folder / "node.toml"
    said = import_text(folder, SIMPLE + USED)
    assert "site.created  aurora: " in said
    assert f"Written: {node_file}" in said
    site = fleet.site("aurora")
    assert str(site.uid) == LIVE
    assert "password_file" not in json.dumps([site.record, Platform.objects.get(pk=1).record])
    secret = str(folder / "secrets" / "aurora")
    assert tomllib.loads(node_file.read_text()) == {
        "platform": {"data": str(folder / "data"), "user": "site-{site}"},
        "sites": {"aurora": {"database": {"password_file": secret}}},
    }
    assert stat.S_IMODE(node_file.stat().st_mode) == 0o600
    wanted = tomllib.loads(SIMPLE + USED)
    found = exported(node_file)
    assert found["platform"].pop("revision") == fleet.revision > wanted["platform"].pop("revision")
    assert found["platform"].pop("data") == str(folder / "data")
    wanted["sites"]["aurora"]["database"]["password_file"] = secret
    assert found == wanted


def test_second_import_changes_nothing(fleet: Fleet, folder: Path) -> None:
    node_file = folder / "node.toml"

    def state() -> tuple[object, ...]:
        return (fleet.revision, Event.objects.count(), node_file.stat().st_mtime_ns, HeldName.objects.count())

    import_text(folder, SIMPLE + USED)
    before = state()
    assert import_text(folder, SIMPLE + USED).startswith("Nothing differs.")
    assert state() == before


def test_every_key_comes_back(fleet: Fleet, folder: Path) -> None:
    """What the readers make of the file that comes back is what they make of the first one; no reference is stored."""
    path, node_file = write(folder, EVERY_KEY.read_text(encoding="utf-8").replace(SECRET_URL, "")), folder / "node.toml"
    before = TomlRegistry(path, {}).load()
    run("multihost_import_registry", path)
    everything = json.dumps([*ManagedSite.objects.values_list("record"), *FormerRecord.objects.values_list("record")])
    for reference in ("env:", "_file", "/run/secrets"):
        assert reference not in everything
    again = folder / "again.toml"
    run("multihost_export_registry", "--node-file", node_file, "--output", again)
    assert stat.S_IMODE(again.stat().st_mode) == 0o600
    after = TomlRegistry(again, {}).load()
    assert len(after.sites) == 2
    assert list(map(plain, after.sites)) == list(map(plain, before.sites))
    assert sorted(references(tomllib.loads(again.read_text()))) == sorted(references(tomllib.loads(path.read_text())))
    one, other = (
        repr(replace(found, sources={}, revision=0, project_settings=ordered(found.project_settings)))
        for found in (after.platform, before.platform)
    )
    assert one == other


def plain(site: SiteSpec) -> str:
    """Return a spec without where it was stated, and its secrets; a database does not keep the order of keys."""
    keys = ("labels", "project_settings", "settings", "env")
    return repr(replace(site, sources={}, **{key: ordered(getattr(site, key)) for key in keys}))


def ordered(pairs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(pairs, key=str))


def references(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the references to secrets of a registry file, with their keys."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from references(value, f"{path}.{key}")
        elif key.endswith("_file") or "env:" in str(value):
            yield f"{path}.{key}", str(value)


def test_dry_run_writes_nothing(fleet: Fleet, folder: Path) -> None:
    before = fleet.revision
    said = json.loads(import_text(folder, SIMPLE, "--dry-run", "--json"))
    assert [change["type"] for change in said["changed"]] == ["site.created"]
    assert said["revision"] == 42
    assert (fleet.revision, ManagedSite.objects.count(), (folder / "node.toml").exists()) == (before, 0, False)


@pytest.mark.parametrize(
    ("stated", "key"),
    [
        (SECRET_URL, "mail"),
        ('cache = { backend = "redis", host = "r", username = "a", password = "hunter2" }', "cache.password"),
        (f'secret_key = "{"hunter2" * 10}"', "secret_key"),
        ('secret_key_fallbacks = ["env:OLD", "hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2"]', "fallbacks"),
        ('project_settings = { PAY = "hunter2" }', "project_settings.PAY"),
    ],
)
def test_secret_in_the_clear_is_refused(fleet: Fleet, folder: Path, stated: str, key: str) -> None:
    """One sentence names the key, the line and what to do; neither the database nor the node's file has anything."""
    own = "" if "PAY" in stated else 'project_settings = { PAY = "env:PAY" }\n'
    text = SIMPLE.replace('hostnames = ["aurora', f'{own}{stated}\nhostnames = ["aurora') + DECLARED
    with pytest.raises(CommandError) as raised:
        import_text(folder, text)
    said = str(raised.value)
    assert key in said
    assert "_file" in said
    assert "line " in said
    assert "hunter2" not in said
    assert "its password" not in said
    assert (ManagedSite.objects.count(), (folder / "node.toml").exists()) == (0, False)


def test_urls_without_a_secret_become_tables(fleet: Fleet, folder: Path) -> None:
    stated = 'cache = "rediss://cache.internal:6379/2?ssl_ca_certs=/etc/ssl/c.pem"\nmail = "console://"\n'
    import_text(folder, SIMPLE.replace('hostnames = ["aurora', f'{stated}hostnames = ["aurora'))
    record = fleet.site("aurora").record
    assert record["mail"] == {"backend": "console"}
    assert record["cache"] == {"backend": "redis", "number": 2, "host": "cache.internal", "port": 6379, "tls": True}
    node = tomllib.loads((folder / "node.toml").read_text())
    assert node["sites"]["aurora"]["cache"] == {"authority": "/etc/ssl/c.pem"}


def test_url_that_takes_the_place_of_a_table_is_refused(fleet: Fleet, folder: Path) -> None:
    """As a table it would get the platform's timeout."""
    outer = '[platform.cache]\nbackend = "redis"\nhost = "r"\ntimeout = 9\n[sites.aurora]'
    text = SIMPLE.replace("[sites.aurora]", outer)
    stated = 'cache = "redis://other/0"\n'
    with pytest.raises(CommandError, match="a table would not"):
        import_text(folder, text.replace('hostnames = ["aurora', f'{stated}hostnames = ["aurora'))


def test_node_file_keeps_what_else_it_has(fleet: Fleet, folder: Path) -> None:
    node_file = folder / "node.toml"
    node_file.write_text(
        '# ours\n[secrets]\nfiles = "/etc/multihost/secrets/{site}"  # rule\n\n[platform]\nuser = "old"\n\n'
        '[sites.aurora.database]\npassword = "env:OLD"\n'
    )
    node_file.chmod(0o644)
    import_text(folder, SIMPLE)
    text = node_file.read_text()
    assert text.startswith("# ours\n[secrets]\n")
    assert "# rule" in text
    found = tomllib.loads(text)
    assert found["platform"]["user"] == "site-{site}"
    assert found["sites"]["aurora"]["database"] == {"password_file": str(folder / "secrets" / "aurora")}
    assert stat.S_IMODE(node_file.stat().st_mode) == 0o640
    assert "secrets" not in exported(node_file)


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [("[platform\n", 0o600, "not valid TOML"), ("\xff", 0o600, "not UTF-8"), ("# ours\n", 0o666, "is not accepted")],
)
def test_broken_node_file_stops_the_import(fleet: Fleet, folder: Path, text: str, mode: int, sentence: str) -> None:
    """Nor is one used that others may write."""
    node_file = folder / "node.toml"
    node_file.write_bytes(text.encode("latin-1"))
    node_file.chmod(mode)
    with pytest.raises(CommandError, match=sentence):
        import_text(folder, SIMPLE)
    assert (ManagedSite.objects.count(), node_file.read_bytes()) == (0, text.encode("latin-1"))


def test_node_file_that_cannot_be_looked_at_is_no_missing_one(folder: Path) -> None:
    """An export without what it says would lose that."""
    (folder / "file").touch()
    assert read_node_document(folder / "missing.toml") == {}
    with pytest.raises(ConfigurationError, match="cannot be read: Not a directory"):
        read_node_document(folder / "file" / "node.toml")


def test_node_file_with_comments_alone_keeps_them(fleet: Fleet, folder: Path) -> None:
    node_file = folder / "node.toml"
    node_file.write_text("# ours\n")
    import_text(folder, SIMPLE)
    assert node_file.read_text().startswith("# ours\n")


def test_unwritable_node_file_leaves_the_database_as_it_was(fleet: Fleet, folder: Path) -> None:
    before = fleet.revision
    with pytest.raises(CommandError, match="cannot be written"):
        import_text(folder, SIMPLE, "--node-file", folder / "missing" / "node.toml")
    assert (fleet.revision, ManagedSite.objects.count()) == (before, 0)


def test_sites_that_only_the_database_has_stay_unless_counted(fleet: Fleet, folder: Path) -> None:
    for name in ("borealis", "corona"):
        fleet.add(name)
    err = io.StringIO()
    import_text(folder, SIMPLE, stderr=err)
    assert "2 sites that the file does not have, and they stay: borealis, corona." in err.getvalue()
    with pytest.raises(CommandError, match="not 1: borealis, corona"):
        import_text(folder, SIMPLE, "--retire-missing", "1")
    assert ManagedSite.objects.filter(retired_at=None).count() == 3
    import_text(folder, SIMPLE, "--retire-missing", "2")
    assert [row.identifier for row in ManagedSite.objects.filter(retired_at=None)] == ["aurora"]


def test_many_sites_stop_only_if_confirmed(fleet: Fleet, folder: Path) -> None:
    text = '[platform]\nname = "aviary"\n'
    text += "".join(f'[sites.s{n}]\nenabled = true\nhostnames = ["s{n}.example.org"]\n' for n in range(3))
    import_text(folder, text)
    stopped = text.replace("enabled = true", "enabled = false")
    with pytest.raises(CommandError, match="stops 3 of 3"):
        import_text(folder, stopped)
    import_text(folder, stopped, "--confirm", "3")
    assert not ManagedSite.objects.filter(enabled=True).exists()


def test_unpinned_sites_keep_what_the_file_derives(fleet: Fleet, folder: Path) -> None:
    path = write(folder, '[platform]\nname = "aviary"\n[sites.aurora]\nhostnames = ["a.example.org"]\n')
    (derived,) = TomlRegistry(path, {}).load().sites
    run("multihost_import_registry", path)
    site = fleet.site("aurora")
    assert site.uid == derived.uid
    assert site.record["names"] == {key: getattr(derived.names, key) for key in NAMES}


def test_former_holders_keep_their_names(fleet: Fleet, folder: Path) -> None:
    """Nobody else gets them, and the id is the present site's."""
    import_text(folder, SIMPLE + USED)
    (row,) = ManagedSite.objects.exclude(retired_at=None)
    assert (str(row.uid), row.identifier) == (GONE, "aurora")
    with pytest.raises(ConfigurationError, match="'aviary__older' belongs to the site aurora"):
        fleet.apply(CreateSite("older", {"hostnames": ["o.example.org"]}, names=dict(row.record["names"])))
    assert fleet.add("older").record["names"]["database"] != "aviary__older"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[sites.aurora]", "[sites.aurora2]", "belongs to the site aurora in the database"),
        (LIVE, GONE, "The database has a site of this id"),
        ("aviary__aurora", "aviary__other", "names never change"),
    ],
)
def test_other_site_is_not_taken_for_the_same(fleet: Fleet, folder: Path, before: str, after: str, said: str) -> None:
    import_text(folder, SIMPLE)
    with pytest.raises(CommandError, match=said):
        import_text(folder, SIMPLE.replace(before, after))


def test_retired_site_does_not_come_back(fleet: Fleet, folder: Path) -> None:
    import_text(folder, SIMPLE)
    fleet.apply(RetireSite(fleet.site("aurora").uid))
    with pytest.raises(CommandError, match="was retired in the database"):
        import_text(folder, SIMPLE)


def test_head_starts_above_all_that_this_machine_has_seen(fleet: Fleet, folder: Path) -> None:
    """The file's revision, a snapshot of a later one, and the fuse of a site's database."""
    snapshots = folder / "snapshots"
    text = '[platform]\nname = "aviary"\nrevision = {}\nsnapshots = "snapshots"\nsecret_key_file = "key"\n'
    text += '[sites.aurora]\nhostnames = ["a.example.org"]\ndatabase = {{ engine = "sqlite", path = "fuse.sqlite3" }}\n'
    (folder / "key").write_text("k" * 50)
    (folder / "key").chmod(0o600)
    snapshots.mkdir(mode=0o755)
    later = TomlRegistry(write(folder, text.format(900)), {})
    publish(later, to_publish(later), snapshots)
    import_text(folder, text.format(41))
    assert fleet.revision > 900
    make_fuse(folder / "fuse.sqlite3", 5000)
    import_text(folder, text.format(41))
    assert fleet.revision == 5000


def test_hostile_fuse_cannot_use_the_revisions_up(fleet: Fleet, folder: Path) -> None:
    server = 'engine = "postgresql", host = "127.0.0.1", port = 1, password_file = "secrets/aurora"'
    text = SIMPLE.replace(server, 'path = "fuse.sqlite3"')
    make_fuse(folder / "fuse.sqlite3", 2**53)
    err = io.StringIO()
    import_text(folder, text, stderr=err)
    assert fleet.revision < 100
    assert "too high to be believed" in err.getvalue()
    make_fuse(folder / "fuse.sqlite3", 41 + MOST_ABOVE)
    import_text(folder, text)
    assert fleet.revision == 41 + MOST_ABOVE


def test_fuse_of_a_database_on_a_server_counts(fleet: Fleet, postgres: Postgres, folder: Path) -> None:
    """It is asked with what the record says; a view that hangs, or no number, is none."""
    password = "the-password-of-a-site"
    postgres.add_role("fused", password)
    postgres.add_database("fused", "fused")
    postgres.execute("fused", "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO fused")
    server = {"engine": "postgresql", "host": HOST, "port": postgres.port, "name": "fused", "user": "fused"}
    database = DatabaseSpec(**server, password=Secret(password))
    silent: set[tuple[str, int]] = set()
    assert ask_database_server(database, silent) is None
    postgres.execute("fused", "CREATE TABLE wagtail_multihost_identity (revision bigint)")
    postgres.execute("fused", "INSERT INTO wagtail_multihost_identity VALUES (7000)")
    assert ask_database_server(database, silent) == 7000
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o600)
    keys = ", ".join(f"{key} = {json.dumps(value)}" for key, value in {**server, "password_file": "password"}.items())
    place = SIMPLE.index("database = {")
    import_text(folder, SIMPLE[:place] + f"database = {{ {keys} }}" + SIMPLE[SIMPLE.index("\n", place) :])
    assert fleet.revision == 7001
    postgres.execute("fused", "DROP TABLE wagtail_multihost_identity")
    for body in ("SELECT pg_sleep(60), 1::bigint AS revision", "SELECT 'x'::text AS revision"):
        postgres.execute("fused", "DROP VIEW IF EXISTS wagtail_multihost_identity")
        postgres.execute("fused", f"CREATE VIEW wagtail_multihost_identity AS SELECT revision FROM ({body}) AS said")
        assert ask_database_server(database, silent) is None
    assert silent == set()
    assert ask_database_server(replace(database, port=1), silent) is None
    assert (HOST, 1) in silent


def test_fuse_is_read_of_a_file_alone_and_in_time(folder: Path) -> None:
    """Through no link; not for ever where a view is in the table's place; nothing is written beside it."""
    path = folder / "fuse.sqlite3"
    make_fuse(path, 7)
    assert read_fuse(path) == 7
    link = folder / "link.sqlite3"
    link.symlink_to(path)
    os.mkfifo(folder / "pipe")
    assert [read_fuse(place) for place in (link, folder / "pipe", folder, folder / "missing", Path(__file__))] == [
        None
    ] * 5
    hostile = folder / "hostile.sqlite3"
    connection = sqlite3.connect(hostile)
    endless = (
        "WITH RECURSIVE n(revision) AS (SELECT 1 UNION ALL SELECT revision + 1 FROM n) SELECT max(revision) AS revision"
    )
    connection.execute(f"CREATE VIEW wagtail_multihost_identity AS {endless} FROM n")
    connection.commit()
    connection.close()
    before = time.monotonic()
    assert read_fuse(hostile) is None
    assert time.monotonic() - before < 20
    assert sorted(found.name for found in folder.iterdir()) == [
        "fuse.sqlite3",
        "hostile.sqlite3",
        "link.sqlite3",
        "pipe",
    ]


def make_fuse(path: Path, revision: int) -> None:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE wagtail_multihost_identity (revision bigint)")
    connection.execute("INSERT INTO wagtail_multihost_identity VALUES (?)", [revision])
    connection.commit()
    connection.close()


def test_import_goes_on_where_it_was_changed_in_the_database(fleet: Fleet, folder: Path) -> None:
    """The file says what is: what somebody changed in the meantime is set back, as a change that is in the history."""
    import_text(folder, SIMPLE)
    site = fleet.site("aurora")
    fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])), by=OPERATOR)
    assert "site.changed  aurora: admins" in import_text(folder, SIMPLE)
    event = Event.objects.first()
    assert event is not None
    assert (event.metadata["reason"], event.actor.partition(":")[0]) == ("import of sites.toml", "operator")


def test_ids_in_a_sentence_are_few() -> None:
    assert named_ids(["a", "b"]) == "a, b"
    assert named_ids(f"s{n:02}" for n in range(12)).endswith("s09 and 2 more")

"""The registry in a real PostgreSQL: what nodes read of it, as a role that may read the views and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root
from tests.servers.control import DATABASE, READER, Control, reset, running_control, stopped
from tests.servers.postgres import HOST
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.postgres import PostgresRegistry, RegistryUnreachableError

pytestmark = pytest.mark.servers
PASSWORD = "hunter7-hunter7"


@pytest.fixture(name="running", scope="module")
def _running() -> Iterator[Control]:
    with running_control() as control:
        yield control


@pytest.fixture(name="control")
def _control(running: Control) -> Control:
    control = reset(running)
    control.add("borealis")
    control.add("aurora", enabled=True)
    return control


def problems_of(control: Control, **options: bool) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as refused:
        control.registry().load(**options)
    return refused.value.problems


def secret_in(path: Path, text: str = PASSWORD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_registry_has_the_sites_of_the_database_in_the_order_of_their_ids(control: Control) -> None:
    """All of them, with the platform, at the revision of the head; retired ones are not there."""
    control.add("corona", enabled=False)
    control.add("draco")
    control.retire("draco")
    contents = control.registry().load()
    assert [site.id for site in contents.sites] == ["aurora", "borealis", "corona"]
    assert [site.id for site in contents.enabled] == ["aurora", "borealis"]
    assert contents.platform.name == "aviary"
    assert contents.platform.revision == control.run("SELECT revision FROM control_head")[0][0] == 45
    assert contents.platform.data == control.data


def test_registry_says_where_each_key_is_stated(control: Control) -> None:
    """As the operator knows it: a site's record, the platform's, or the node file."""
    control.change_platform(origin="https://{hostname}:8443")
    platform, site = control.registry().site("aurora", reads_secrets=False)
    assert platform.sources["origin"] == "Platform: origin"
    assert platform.sources["data"] == "node.toml: platform.data"
    assert site.sources["hostnames"] == "Site aurora: hostnames"
    assert site.sources["id"] == "Site aurora"


def test_registry_reads_one_site_and_no_other(control: Control) -> None:
    """The records of other sites are not even sent."""
    _, records = control.registry().read_tables_for("aurora", reads_secrets=False)
    assert [record.site for record in records] == ["aurora"]


@pytest.mark.parametrize("site", ["nova", "draco", "DROP TABLE", ""])
def test_site_that_is_not_there_is_an_error(control: Control, site: str) -> None:
    """One that was never registered, or was retired; nothing is guessed."""
    control.add("draco")
    control.retire("draco")
    with pytest.raises(ConfigurationError, match="has no site"):
        control.registry().site(site)


def test_site_that_is_disabled_is_an_error(control: Control) -> None:
    """As in every registry."""
    control.change("aurora", enabled=False)
    with pytest.raises(ConfigurationError, match=r"disabled in postgresql://127\.0\.0\.1:\d+/control"):
        control.registry().site("aurora")


def test_registry_without_sites_is_empty_only_if_the_database_counts_none(control: Control) -> None:
    """A view that gives fewer sites than it counts is an error, as an answer that was cut short would be."""
    control.run("DELETE FROM control_site")
    assert control.registry().load().sites == ()
    control.add("aurora")
    control.add("borealis")
    control.run("DROP INDEX control_site_id_idx")
    control.run("UPDATE control_site SET id = 'aurora'")
    try:
        (problem,) = problems_of(control)
    finally:
        control.run("DELETE FROM control_site")
        control.run("CREATE UNIQUE INDEX control_site_id_idx ON control_site (id) WHERE retired_at IS NULL")
    assert problem.message.startswith("The answer has 1 sites, but the database says that there are 2.")


@pytest.mark.parametrize("table", ["control_head", "control_platform"])
def test_database_that_has_no_registry_yet_says_what_is_missing(control: Control, table: str) -> None:
    """No head, no platform: what to do is said."""
    row = control.run(f"SELECT row_to_json({table}.*)::text FROM {table}")[0][0]
    control.run(f"DELETE FROM {table}")
    try:
        (problem,) = problems_of(control)
    finally:
        control.run(f"INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, %s)", row)
    assert table.removeprefix("control_") in problem.message


@pytest.mark.parametrize(
    ("database", "sentence"),
    [("postgres", "permission denied"), ("nothing", "does not exist"), ("control2", "node_api_v1")],
)
def test_database_that_is_another_one_is_told(control: Control, database: str, sentence: str) -> None:
    """A role that may not connect, a database that is not there, and one that is not a control site's."""
    if database == "control2" and not control.run("SELECT 1 FROM pg_database WHERE datname = 'control2'"):
        control.run("CREATE DATABASE control2")
    control.passfile.write_text(f"{HOST}:{control.server.port}:*:{READER}:{control.password}\n")
    registry = open_registry(control.url.replace(f"/{DATABASE}?", f"/{database}?"), control.environ)
    if database == "postgres":
        control.run("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        registry.load()
    assert len(refused.value.problems) == 1
    assert control.password not in str(refused.value)


def test_role_that_may_not_read_is_told_of_the_role_to_be_in(control: Control) -> None:
    """Without rights on the views nothing is read, and the sentence names the role that has them."""
    control.run("REVOKE SELECT ON node_api_v1.site FROM reader")
    try:
        (problem,) = problems_of(control)
    finally:
        control.run("GRANT SELECT ON node_api_v1.site TO reader")
    assert "multihost_reader" in problem.message


def test_password_that_is_wrong_is_refused_and_not_shown(control: Control, tmp_path: Path) -> None:
    """The server's sentence is enough."""
    wrong = secret_in(tmp_path / "passfile", f"*:*:*:*:{PASSWORD}")
    registry = open_registry(control.url.replace(str(control.passfile), str(wrong)), control.environ)
    with pytest.raises(ConfigurationError, match="password authentication failed") as refused:
        registry.load()
    assert PASSWORD not in str(refused.value)


def test_registry_reads_and_writes_nothing(control: Control) -> None:
    """Not even with a role that could: the session is read-only."""
    registry = control.registry()
    assert isinstance(registry, PostgresRegistry)
    from wagtail_multihost.nodeapi import connection
    from wagtail_multihost.registry.postgres import READ_ONLY

    superuser = {"host": HOST, "port": str(control.server.port), "user": "postgres", "dbname": DATABASE}
    parameters = {**superuser, "password": control.server.password, "options": READ_ONLY}
    with (
        connection.open_connection(parameters) as opened,
        pytest.raises(connection.RefusedError, match="read-only") as refused,
    ):
        connection.fetch_row(opened, "DELETE FROM control_site")
    assert refused.value.sqlstate == "25006"


@pytest.mark.parametrize(
    "variables",
    [
        {"PGHOST": "192.0.2.1", "PGUSER": "nobody", "PGDATABASE": "nothing", "PGPORT": "1", "PGPASSWORD": PASSWORD},
        {"PGSERVICE": "nothing", "PGSERVICEFILE": "/nonexistent", "PGPASSFILE": "/nonexistent"},
        {"PGOPTIONS": "-c search_path=elsewhere", "PGSSLMODE": "verify-full", "PGHOSTADDR": "192.0.2.1"},
    ],
)
def test_variables_of_libpq_have_no_effect(
    control: Control, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Only what the URL says counts, whatever surrounds the process."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert len(control.registry().load().sites) == 2


def test_passwords_of_the_environment_are_not_taken(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a passfile in the URL there is no password, though variables have the right one, and a file of it."""
    monkeypatch.setenv("PGPASSWORD", control.password)
    monkeypatch.setenv("PGPASSFILE", str(control.passfile))
    registry = open_registry(control.url.partition("?")[0], control.environ)
    with pytest.raises(ConfigurationError, match="no password supplied"):
        registry.load()


def test_service_says_where_the_database_is(control: Control, tmp_path: Path) -> None:
    """A file of services is read as libpq reads it, and the URL is stronger."""
    file = tmp_path / "services"
    file.write_text(
        f"# The services.\n[other]\nhost=192.0.2.1\n\n[control]\nhost={HOST}\nport={control.server.port}\n"
        f"user={READER}\ndbname=nothing\npassword={control.password}\n[last]\nuser=nobody\n"
    )
    file.chmod(0o600)
    registry = open_registry(f"postgres:///{DATABASE}?service=control&servicefile={file}", control.environ)
    assert [site.id for site in registry.load().sites] == ["aurora", "borealis"]
    assert control.password not in f"{registry.url}{registry.name}{vars(registry)}"
    assert len(open_registry(registry.url, control.environ).load().sites) == 2


# Which keys are whose.


def test_keys_of_the_node_in_a_record_hurt_that_site_alone(control: Control) -> None:
    """What root would open or run is refused under its key, and the other sites go on."""
    control.change("aurora", code={"wsgi": "evil.wsgi:application"}, nginx={"site_include": "/etc/shadow"})
    control.change("aurora", tls={"certificate": "/etc/ssl/private/other.pem"})
    contents = control.registry().load(keep_going=True)
    assert [site.id for site in contents.sites] == ["borealis"]
    refused = [problem for problem in contents.problems["aurora"] if "It is a key of the node" in problem.message]
    assert [problem.where for problem in refused] == [
        "Site aurora: code.wsgi",
        "Site aurora: nginx.site_include",
        "Site aurora: tls.certificate",
    ]


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"user": "root"}, "user"),
        ({"templates": "/tmp/evil"}, "templates"),
        ({"data": "/tmp/evil"}, "data"),
        ({"environment": "development"}, "environment"),
        ({"nginx": {"include": "/tmp/evil.conf", "timeout": 65}}, "nginx.include"),
        ({"codebases": {"shop": {"wsgi": "evil.wsgi:application"}}}, "codebases.shop.wsgi"),
        ({"env": {"LD_LIBRARY": {"default": "x"}}}, "env.LD_LIBRARY.default"),
        (
            {"project_settings": {"KEY": {"secret": True, "default_file": "/etc/{site}"}}},
            "project_settings.KEY.default_file",
        ),
        ({"secret_key": "env:HOME"}, "secret_key"),
        ({"secret_key_file": "/etc/shadow"}, "secret_key_file"),
        ({"secret_keys": {"a": "env:HOME"}}, "secret_keys"),
        ({"database": {"engine": "postgresql", "host": "db", "options": {"sslkey": "/etc/x"}}}, "database.options"),
    ],
)
def test_keys_of_the_node_in_the_platforms_record_are_refused(
    control: Control, record: dict[str, object], key: str
) -> None:
    """Nobody who may write to the database becomes root by it."""
    control.change_platform(**record)
    found = [
        problem for problem in problems_of(control, keep_going=True) if "It is a key of the node" in problem.message
    ]
    assert [problem.where for problem in found] == [f"Platform: {key}"]


def test_url_in_a_record_has_no_key_of_the_node_either(control: Control) -> None:
    """A database as a URL says the same as a table, and is looked into."""
    control.change("aurora", database="postgresql://u@db/n?sslrootcert=/etc/shadow")
    found = [problem.where for problem in problems_of(control) if "It is a key of the node" in problem.message]
    assert found == ["Site aurora: database.options"]


def test_node_file_states_the_nodes_keys(control: Control) -> None:
    """Of the platform and of single sites, beside what the database says of the same tables."""
    control.add("corona", codebase="shop")
    control.change("aurora", database={"engine": "postgresql", "host": "db.internal"})
    control.change_platform(nginx={"timeout": 70})
    password = secret_in(control.folder / "elsewhere" / "aurora")
    control.write_node_file(
        f'[platform.nginx]\nlogs = "/srv/logs"\n[platform.codebases.shop]\nwsgi = "shop.wsgi:application"\n'
        f'[sites.aurora.database]\npassword_file = "{password}"\n[sites.aurora.nginx]\nsite_include = "/etc/a.conf"\n',
        platform='user = "mh-{site}"',
    )
    contents = control.registry().load()
    sites = {site.id: site for site in contents.sites}
    (nginx,) = contents.platform.options
    assert (contents.platform.user, str(nginx.logs), nginx.timeout) == ("mh-{site}", "/srv/logs", 70)  # type: ignore[attr-defined]
    assert dict(sites["corona"].code) == {"wsgi": "shop.wsgi:application"}
    assert dict(sites["aurora"].options_of("nginx")) == {"site_include": Path("/etc/a.conf")}
    assert sites["aurora"].database.host == "db.internal"
    _, aurora = control.registry().site("aurora")
    assert aurora.database.password is not None and aurora.database.password.reveal() == PASSWORD


def test_codebase_that_the_node_does_not_list_hurts_that_site_alone(control: Control) -> None:
    """A record names a codebase, and the node decides what that is."""
    control.change("aurora", codebase="shop")
    contents = control.registry().load(keep_going=True)
    (problem,) = contents.problems["aurora"]
    assert (problem.where, problem.message) == (
        "Site aurora: codebase",
        "The codebase 'shop' is not known; the platform lists none.",
    )


@pytest.mark.parametrize(
    ("text", "where", "site"),
    [
        ('[sites.aurora]\nhostnames = ["evil.example.org"]\n', "node.toml: sites.aurora.hostnames", "aurora"),
        ('[sites.aurora.database]\nhost = "db"\n', "node.toml: sites.aurora.database.host", "aurora"),
        ("[platform.nginx]\ntimeout = 5\n", "node.toml: platform.nginx.timeout", ""),
        ("[site.aurora]\ncode = {}\n", "node.toml: site", ""),
        ("[secrets.more]\nx = 1\n", "node.toml: secrets.more", ""),
    ],
)
def test_keys_that_are_not_the_nodes_are_refused_in_its_file(
    control: Control, text: str, where: str, site: str
) -> None:
    """What people change is in the database, where who changed it is known; the line is told."""
    control.write_node_file(text)
    found = {problem.where: problem for problem in problems_of(control)}
    assert found[where].site == site
    assert found[where].file == str(control.node_file)
    lines = control.node_file.read_text().splitlines()
    assert lines[found[where].line - 1].startswith((where.rpartition(".")[2], f"[{where.partition(' ')[2]}"))


def test_key_in_both_places_is_refused(control: Control) -> None:
    """Of a secret's file nobody could say which counts."""
    control.change("aurora", secret_key_file=f"{control.folder}/secrets/aurora/key")
    control.write_node_file('[sites.aurora]\nsecret_key_file = "/etc/key"\n')
    (problem,) = problems_of(control)
    assert (problem.where, problem.site) == ("Site aurora: secret_key_file", "aurora")


def test_sites_that_only_the_node_file_has_are_warned_of(control: Control, caplog: pytest.LogCaptureFixture) -> None:
    """They may be retired, or misspelt; nobody else suffers."""
    control.write_node_file('[sites.auroro.code]\nwsgi = "a.wsgi:application"\n')
    assert len(control.registry().load().sites) == 2
    assert "auroro" in caplog.text
    caplog.clear()
    control.registry().site("aurora")  # of one site nobody knows which others there are
    assert not caplog.text


def test_node_file_must_state_the_data_folder(control: Control) -> None:
    """There is no file that it could be beside."""
    control.node_file.write_text("")
    (problem,) = problems_of(control)
    assert problem.where == "node.toml: platform.data"
    with pytest.raises(ConfigurationError, match=r"MULTIHOST_NODE_FILE or /etc/multihost/node\.toml"):
        open_registry(control.url, {}).load()


@pytest.mark.parametrize("mode", [0o622, 0o660])
def test_node_file_that_others_may_write_is_refused(control: Control, mode: int) -> None:
    """Root acts on what it says."""
    control.node_file.chmod(mode)
    with pytest.raises(ConfigurationError, match=r"The node file cannot be read: it is not accepted\. It has the mode"):
        control.registry().load()


def test_relative_paths_are_refused(control: Control) -> None:
    """There is no folder to start from, in the node file either."""
    control.write_node_file('[sites.aurora.database]\npath = "db.sqlite3"\n')
    (problem,) = problems_of(control)
    assert problem.where == "node.toml: sites.aurora.database.path"
    assert "is relative" in problem.message


# Secrets.


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("env:MULTIHOST_SECRET_AURORA_KEY", ""),
        ("env:MULTIHOST_SECRET_BOREALIS_KEY", "the site's begin with MULTIHOST_SECRET_AURORA_"),
        ("env:MULTIHOST_SECRET_AURORA_", "the site's begin with"),
        ("env:MULTIHOST_SECRET_AURORA", "the site's begin with"),
        ("env:HOME", "the site's begin with"),
        ("env:MULTIHOST_SECRET_AURORA_SHOP_KEY", "it is that of a site aurora-shop"),
        (PASSWORD * 5, "A secret in the clear is not accepted"),
        ("sealed:abc", "What is sealed is opened by multihost-agent alone"),
    ],
)
def test_variables_of_secrets_are_the_sites_own(control: Control, value: str, sentence: str) -> None:
    """A record names no variable of a neighbour's, of a site whose id begins alike, or of root's."""
    control.change("aurora", secret_key=value)
    registry = control.registry(MULTIHOST_SECRET_AURORA_KEY="k" * 50)
    if not sentence:
        _, site = registry.site("aurora")
        assert site.secret_key is not None and site.secret_key.reveal() == "k" * 50
        return
    with pytest.raises(ConfigurationError) as refused:
        registry.site("aurora")
    (problem,) = refused.value.problems
    assert problem.where == "Site aurora: secret_key"
    assert sentence in problem.message
    assert PASSWORD not in problem.message


@pytest.mark.parametrize(
    ("path", "is_accepted"),
    [
        ("{folder}/secrets/aurora/key", True),
        ("{folder}/secrets/{{site}}/key", True),
        ("{folder}/secrets/borealis/key", False),
        ("{folder}/secrets/aurora/../borealis/key", False),
        ("{folder}/secrets/aurora-shop/key", False),
        ("{folder}/secrets/aurora", False),
        ("{folder}/secrets/aurora/./key", False),
        ("/etc/shadow", False),
        ("secrets/aurora/key", False),
    ],
)
def test_files_of_secrets_are_in_the_sites_own_folder(control: Control, path: str, is_accepted: bool) -> None:
    """A record has root read no neighbour's secret, nor any other file."""
    for site in ("aurora", "borealis", "aurora-shop"):
        secret_in(control.folder / "secrets" / site / "key", "k" * 50)
    control.change("aurora", secret_key_file=path.format(folder=control.folder))
    if is_accepted:
        _, site = control.registry().site("aurora")
        assert site.secret_key is not None and site.secret_key.reveal() == "k" * 50
        return
    with pytest.raises(ConfigurationError, match=r"the site's secrets are in|is relative"):
        control.registry().site("aurora")


def test_references_of_the_platform_are_confined_for_each_site(control: Control) -> None:
    """With {site} in them, or else every site would have one secret."""
    control.change_platform(mail={"backend": "smtp", "host": "mail", "username": "u", "password_file": "/etc/mail"})
    contents_problems = problems_of(control)
    assert {(problem.where, problem.message.partition(":")[0]) for problem in contents_problems} == {
        ("Platform: mail.password_file", "The path '/etc/mail' is not accepted")
    }
    control.change_platform(
        mail={
            **{"backend": "smtp", "host": "mail", "username": "u"},
            "password_file": f"{control.folder}/secrets/{{site}}/mail",
        }
    )
    secret_in(control.folder / "secrets" / "aurora" / "mail")
    _, site = control.registry().site("aurora")
    assert site.mail is not None and site.mail.password is not None and site.mail.password.reveal() == PASSWORD


def test_without_rules_no_reference_is_accepted(control: Control) -> None:
    """A node that states nothing reads nothing."""
    control.node_file.write_text(f'[platform]\ndata = "{control.data}"\n')
    control.change("aurora", secret_key="env:MULTIHOST_SECRET_AURORA_KEY")
    control.change("borealis", secret_key_file=f"{control.folder}/secrets/borealis/key")
    assert {problem.message for problem in problems_of(control)} == {
        "No variable is accepted: the node file has no rule variables in [secrets].",
        "No file is accepted: the node file has no rule files in [secrets].",
    }


def test_platform_key_is_never_made(control: Control) -> None:
    """Each node would make another; in development too."""
    control.node_file.write_text(f'[platform]\ndata = "{control.data}"\nenvironment = "development"\n')
    with pytest.raises(ConfigurationError, match="this registry makes none"):
        control.registry().site("aurora")
    assert list(control.data.iterdir()) == []
    secret_in(control.data / "platform.key", "k" * 50)  # that of a platform that was there before
    assert control.registry().site("aurora")[0].keyring


# Two versions at once.


def test_record_that_this_version_does_not_know_hurts_that_site_alone(control: Control) -> None:
    """A node that is older than the control site goes on with all the others."""
    control.change("aurora", colour="green", database={"engine": "mariadb"})
    control.run("UPDATE control_site SET record = '5' WHERE id = 'borealis'")
    control.add("corona")
    contents = control.registry().load(keep_going=True)
    assert [site.id for site in contents.sites] == ["corona"]
    assert sorted(contents.problems) == ["aurora", "borealis"]
    assert control.registry().site("corona")[1].id == "corona"


def test_revision_is_the_databases_own(control: Control) -> None:
    """What an imported registry had stated does not count."""
    control.change_platform(revision=7)
    assert control.registry().load().platform.revision > 40


def test_registry_that_a_process_can_open_again_has_no_secret_in_its_url(control: Control) -> None:
    """It is written into snapshots and emitted files."""
    registry = control.registry()
    assert registry.url == control.url.replace("postgres://", "postgresql://")
    assert registry.name == f"postgresql://{HOST}:{control.server.port}/{DATABASE}"
    assert control.password not in json.dumps([registry.url, registry.name, *map(str, registry.files)])
    registry.load()
    assert set(registry.files) == {control.node_file, control.passfile}


@needs_root
def test_node_file_of_another_account_is_refused(control: Control) -> None:
    """Nor one in a folder that another account can change."""
    os.chown(control.node_file, 65534, 0)
    with pytest.raises(ConfigurationError, match="It belongs to nobody"):
        control.registry().load()
    os.chown(control.node_file, 0, 0)
    os.chown(control.folder, 65534, 0)
    try:
        with pytest.raises(ConfigurationError, match="is not accepted for root's files"):
            control.registry().load()
    finally:
        os.chown(control.folder, 0, 0)


def test_server_that_restarts_is_read_again(control: Control) -> None:
    """One registry object, before, while, and after."""
    registry = control.registry()
    assert registry.load().sites
    with stopped(control), pytest.raises(RegistryUnreachableError, match="Connection refused"):
        registry.load()
    assert registry.load().sites

"""Every command that takes a registry takes one in PostgreSQL, and those that render go on while it is away."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import get_commands, load_command_class

from tests.commands.conftest import Manage, manage, project  # noqa: F401
from tests.servers.control import HOST, Control, reset, running_control, stopped
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.last_copy import FILE_NAME
from wagtail_multihost.sealing import public_bytes, public_text

pytestmark = pytest.mark.servers
DAY = 86400


@pytest.fixture(name="running", scope="module")
def _running() -> Iterator[Control]:
    with running_control() as control:
        yield control


@pytest.fixture(name="control")
def _control(running: Control) -> Control:
    control = reset(running)
    for site in ("aurora", "borealis"):
        control.add(site)
    control.add("corona", enabled=False)
    return control


@pytest.fixture(name="run")
def _run(control: Control, manage: Manage) -> Callable[..., tuple[int, str, str]]:  # noqa: F811
    """Run a command of a project with the control database as its registry."""

    def run(*words: str, **variables: str) -> tuple[int, str, str]:
        done = manage(*words, environ={**control.environ, **variables})
        return done.returncode, done.stdout, done.stderr

    return run


Run = Callable[..., tuple[int, str, str]]


def away(control: Control) -> str:
    """Return the URL of the registry as it is while the server is away: a port where nobody listens."""
    return control.url.replace(f"{HOST}:{control.server.port}", f"{HOST}:1")


RECIPIENT = public_text(public_bytes(X25519PrivateKey.generate()))
COMMANDS = {
    "multihost_sites": ["multihost_sites", "--json"],
    "multihost_explain": ["multihost_explain", "aurora", "--json"],
    "multihost_explain --rotation": ["multihost_explain", "aurora", "--rotation"],
    "multihost_emit": ["multihost_emit", "nginx", "uwsgi", "systemd", "--output", "{out}"],
    "multihost_emit --check": ["multihost_emit", "nginx", "--output", "{out}", "--diff"],
    "multihost_apply": ["multihost_apply", "uwsgi", "--output", "{out}"],
    "multihost_snapshot": ["multihost_snapshot", "--output", "{folder}/snapshots"],
    "multihost_as": ["multihost_as", "aurora", "check"],
    "multihost_adopt": ["multihost_adopt", "aurora", "--dry-run"],
    "multihost_hostname": ["multihost_hostname", "aurora", "--dry-run"],
    "multihost_seal_keys": ["multihost_seal_keys", "--recipient", RECIPIENT, "--output", "{folder}/keys.json"],
    "multihost_superuser": ["multihost_superuser", "aurora", "--email=ada@example.org"],
    "multihost_size": ["multihost_size", "aurora", "--json"],
    "multihost_health": ["multihost_health", "--site", "aurora", "--token"],
    "check": ["check"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_takes_the_registry(control: Control, run: Run, tmp_path: Path, name: str) -> None:
    """By the variable, as an operator on a node has it."""
    words = [word.format(out=tmp_path / "out", folder=control.folder) for word in COMMANDS[name]]
    if name == "multihost_adopt":
        assert run("multihost_as", "aurora", "migrate")[0] == 0
    code, said, told = run(*words)
    if name == "multihost_hostname":  # the project has no Wagtail, which is known only once the site is
        assert "There is no table of Site rows" in told
        return
    if name == "multihost_superuser":
        assert "no page on which a password is chosen" in told
        return
    assert (code, "Traceback" in told) == (0, False), told
    if name == "multihost_sites":
        assert [row["id"] for row in json.loads(said)] == ["aurora", "borealis", "corona"]
    if name == "multihost_emit":
        assert {path.name for path in (tmp_path / "out/uwsgi").rglob("*.ini")} >= {"aurora.ini", "borealis.ini"}
    if name == "multihost_snapshot":
        assert sorted(path.name for path in (control.folder / "snapshots").iterdir()) == [
            "aurora.json",
            "borealis.json",
        ]


def test_every_command_that_takes_a_registry_is_tried() -> None:
    """A new one has to be tried too."""
    ours = {name: application for name, application in get_commands().items() if name.startswith("multihost_")}
    known = {name: load_command_class(application, name) for name, application in ours.items()}
    assert {name for name, command in known.items() if command.reads_registry} == {
        words[0] for words in COMMANDS.values() if words[0] != "check"
    }


def test_option_of_a_command_takes_the_registry(control: Control, manage: Manage) -> None:  # noqa: F811
    """``--registry`` is stronger than the settings module's."""
    done = manage("multihost_sites", "--registry", control.url, environ={"MULTIHOST_NODE_FILE": str(control.node_file)})
    assert done.stdout.split()[0] == "aurora"


def test_pinning_is_the_control_sites(control: Control, run: Run) -> None:
    """It pins each site when it registers it."""
    code, _, told = run("multihost_sites", "--pin")
    assert code == 2
    assert "There is nothing to pin: the control site pins each site when it registers it." in told


def test_emitted_files_send_sites_to_snapshots(control: Control, run: Run, tmp_path: Path) -> None:
    """What a site's process is given says nothing of the database; without a folder of snapshots nothing is written."""
    code, _, told = run("multihost_emit", "uwsgi", "systemd", "--output", str(tmp_path / "out"))
    assert code == 0, told
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert f"{control.folder}/snapshots" in written
    assert "passfile" not in re.sub(r"ExecStart.*multihost_snapshot.*|Environment.*postgresql.*", "", written)
    control.node_file.write_text(f'[platform]\ndata = "{control.data}"\n')
    code, _, told = run("multihost_emit", "uwsgi", "--output", str(tmp_path / "other"))
    assert code == 2
    assert "platform.snapshots: It is missing, and sites' processes do not read this registry." in told
    assert list((tmp_path / "other").rglob("*.ini")) == []


def test_snapshots_have_the_revision_of_the_database(control: Control, run: Run) -> None:
    """So that they, and the fuse, refuse an older state."""
    assert run("multihost_snapshot", "--output", f"{control.folder}/snapshots")[0] == 0
    document = json.loads((control.folder / "snapshots/aurora.json").read_text())
    assert document["revision"] == control.run("SELECT revision FROM control_head")[0][0] == 43
    assert control.password not in json.dumps(document)
    control.run("UPDATE control_head SET revision = 12")
    (control.data / FILE_NAME).unlink()
    control.run("""UPDATE control_site SET record = record || '{"epoch": 2}' WHERE id = 'aurora'""")
    code, _, told = run("multihost_snapshot", "--output", f"{control.folder}/snapshots")
    assert code == 2
    assert "The registry's revision 12 is lower than the snapshot's, 43." in told


# While the database is away.


def test_rendering_goes_on_with_the_last_copy(control: Control, run: Run, tmp_path: Path) -> None:
    """The same files, and a sentence with the age of what they are made of, whatever --verbosity is."""
    assert run("multihost_emit", "uwsgi", "--output", str(tmp_path / "out"))[0] == 0
    copy = control.data / FILE_NAME
    assert copy.stat().st_mode & 0o777 == 0o600
    os.utime(copy, (copy.stat().st_mtime - 3 * DAY,) * 2)
    before = copy.read_bytes()
    with stopped(control):
        for options in ([], ["--verbosity", "0"]):
            code, _, told = run("multihost_emit", "uwsgi", "--output", str(tmp_path / "out"), "--check", *options)
            assert code == 0, told
            assert "The database cannot be reached" in told
            assert "of the revision 43, which was read 3 days ago" in told
        code, _, told = run("multihost_snapshot", "--output", f"{control.folder}/snapshots")
        assert code == 0, told
    assert copy.read_bytes() == before


def test_only_rendering_goes_on(control: Control, run: Run, tmp_path: Path) -> None:
    """Reports are of now, or not at all; and a site's process is given no old state."""
    assert run("multihost_emit", "uwsgi", "--output", str(tmp_path / "out"))[0] == 0
    with stopped(control):
        for words in (["multihost_sites"], ["multihost_explain", "aurora"], ["multihost_as", "aurora", "check"]):
            code, _, told = run(*words)
            assert code == 2, told
            assert "The database cannot be reached" in told
        code, _, told = run("check", MULTIHOST_SITE="aurora")
        assert code == 2, told


def test_copy_is_never_used_for_a_site_that_is_not_there(control: Control) -> None:
    """The database has answered: what it does not have is gone, and what it has disabled is not served."""
    told: list[str] = []
    rendering = control.registry().for_rendering(told.append)
    assert [site.id for site in rendering.load().enabled] == ["aurora", "borealis"]
    control.retire("aurora")
    control.change("borealis", enabled=False)
    assert rendering.load().enabled == ()
    assert [site.id for site in rendering.load().sites] == ["borealis", "corona"]
    with pytest.raises(ConfigurationError, match="has no site 'aurora'"):
        rendering.site("aurora")
    assert told == []


@pytest.mark.parametrize("statement", ["REVOKE SELECT ON node_api_v1.site FROM reader", "DELETE FROM control_platform"])
def test_copy_is_never_used_for_an_answer_that_is_a_refusal(control: Control, statement: str) -> None:
    """Only a database that does not answer may do so later."""
    told: list[str] = []
    rendering = control.registry().for_rendering(told.append)
    rendering.load()
    control.run(statement)
    try:
        with pytest.raises(ConfigurationError):
            rendering.load()
    finally:
        control.run("GRANT SELECT ON node_api_v1.site TO reader")
        control.run("""INSERT INTO control_platform VALUES (1, '{"name": "aviary"}', 1) ON CONFLICT DO NOTHING""")
    assert told == []


@pytest.mark.parametrize(
    ("statement", "is_accepted"),
    [
        ("UPDATE control_head SET revision = 42", False),
        ("UPDATE control_head SET revision = 43, incarnation = gen_random_uuid()", False),
        ("UPDATE control_head SET revision = 42, incarnation = gen_random_uuid()", False),
        ("UPDATE control_head SET revision = 43", True),
        ("UPDATE control_head SET revision = 44, incarnation = gen_random_uuid()", True),
    ],
)
def test_registry_that_went_back_is_not_rendered(control: Control, statement: str, is_accepted: bool) -> None:
    """As after a backup was restored: until the control site has given it a higher revision."""
    rendering = control.registry().for_rendering(pytest.fail)
    assert rendering.load().platform.revision == 43
    before = (control.data / FILE_NAME).read_bytes()
    control.run(statement)
    if is_accepted:
        assert rendering.load().platform.revision >= 43
        return
    with pytest.raises(ConfigurationError, match="The registry went back"):
        rendering.load()
    assert (control.data / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda copy: copy.write_text("{}"), "It is no whole copy"),
        (lambda copy: copy.write_text(copy.read_text()[:-20]), "It is no whole copy"),
        (lambda copy: copy.chmod(0o644), "It has the mode 0644; accepted: 0600"),
        (lambda copy: copy.rename(copy.with_suffix(".old")) and copy.symlink_to(copy.with_suffix(".old")), "cannot be"),
    ],
)
def test_copy_that_is_not_whole_or_not_closed_is_not_used(
    control: Control, spoil: Callable[[Path], object], sentence: str
) -> None:
    """It is told, and what the database says replaces it."""
    told: list[str] = []
    rendering = control.registry().for_rendering(told.append)
    rendering.load()
    copy = control.data / FILE_NAME
    spoil(copy)
    with stopped(control), pytest.raises(ConfigurationError, match="cannot be reached"):
        rendering.load()
    assert sentence in told[0]
    rendering.load()
    assert copy.stat().st_mode & 0o777 == 0o600 and not copy.is_symlink()
    told.clear()
    rendering.load()
    assert told == []


def test_copy_of_another_database_is_not_used(control: Control) -> None:
    """What an operator has named is what is rendered, or nothing."""
    control.registry().for_rendering(pytest.fail).load()
    other = control.registry(MULTIHOST_REGISTRY=away(control)).for_rendering(pytest.fail)
    with pytest.raises(ConfigurationError, match="cannot be reached"):
        other.load()


def test_registry_with_a_mistake_does_not_replace_the_copy(control: Control) -> None:
    """The last good one stays."""
    rendering = control.registry().for_rendering(pytest.fail)
    rendering.load()
    before = (control.data / FILE_NAME).read_bytes()
    control.change_platform(origin="ftp://{hostname}")
    with pytest.raises(ConfigurationError):
        rendering.load()
    assert (control.data / FILE_NAME).read_bytes() == before


def test_copy_that_cannot_be_kept_is_told(control: Control) -> None:
    """What was asked for is done all the same."""
    told: list[str] = []
    control.data.rename(control.folder / "moved")
    try:
        assert control.registry().for_rendering(told.append).load().sites
    finally:
        (control.folder / "moved").rename(control.data)
    assert told == [f"No copy of the registry could be kept at {control.data / FILE_NAME}: No such file or directory."]

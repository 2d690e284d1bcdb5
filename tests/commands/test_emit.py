"""multihost_emit: to stdout, into a folder, and what it leaves alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import BROKEN, KEY, PASSWORD, Called, Manage
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE

Call = Callable[..., Called]
EMPEROR = {"uwsgi-emperor/emperor.ini", "uwsgi-emperor/load.py"}
FILES = {
    *(f"nginx/{name}.conf" for name in ("nginx", "maps", "forwarded", "rules", "large", "content", "locations")),
    *("nginx/http-names.conf", "nginx/https-names.conf"),
    *EMPEROR,
    "uwsgi/aurora.ini",
    "uwsgi/borealis.ini",
}

# What a folder has beside them: the token that changes whenever another file of nginx does.
WRITTEN = FILES | {"nginx/generation.conf"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return inode, time and mode of every emitted file below a folder, and of the manifest."""
    found = {}
    for name in sorted({*files(folder), ".multihost/manifest.json"}):
        path = folder / name
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns, status.st_mode)
    return found


def everything(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return all that stat(2) says of a folder and of whatever is below it, but for when it was last read."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        times = (status.st_mtime_ns, status.st_ctime_ns)
        owner = (status.st_uid, status.st_gid, status.st_mode)
        found[str(path)] = (status.st_dev, status.st_ino, status.st_nlink, status.st_size, *owner, *times)
    return found


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".multihost/")}


def test_emit_without_a_folder_prints_every_file(call: Call) -> None:
    """Every file goes to stdout under its path, those of disabled sites not."""
    code, out, err = call("multihost_emit", "nginx", "uwsgi")
    assert code == 0
    assert {line.partition(":")[0] for line in err.splitlines()} == {"Caution"}
    assert set(re.findall(r"^### /etc/multihost/(\S+)$", out, re.MULTILINE)) == FILES
    assert out.count(OWNERSHIP_LINE) == len(FILES)


def test_emit_prints_no_secret(call: Call, output: Path) -> None:
    """Neither the output, the files nor the diff have a secret of the registry."""
    for flags in ([], ["--diff", "--output", output], ["--output", output]):
        _, out, err = call("multihost_emit", "nginx", "uwsgi", *flags)
        assert KEY not in out + err and PASSWORD not in out + err
    for name in FILES:
        assert PASSWORD not in (output / name).read_text()


def test_emit_names_a_target_once(call: Call) -> None:
    """A target given twice is emitted once."""
    assert call("multihost_emit", "nginx", "nginx") == call("multihost_emit", "nginx")


def test_emit_writes_a_folder_and_reports_each_file(call: Call, output: Path) -> None:
    """All files of the targets are created, with folders, and named."""
    code, out, _ = call("multihost_emit", "nginx", "uwsgi", "--output", output)
    assert code == 0
    assert files(output) == WRITTEN
    assert {line.removeprefix("Created: ") for line in out.splitlines()} == WRITTEN


def test_emit_again_touches_nothing(call: Call, output: Path) -> None:
    """A run that has nothing to change leaves every file's inode, time and mode, and adds none."""
    call("multihost_emit", "nginx", "uwsgi", "--output", output)
    before = states(output)
    assert call("multihost_emit", "nginx", "uwsgi", "--output", output)[:2] == (0, "Nothing differs.\n")
    assert states(output) == before


@pytest.mark.parametrize("flags", [[], ["--dry-run"], ["--diff"], ["--check"], ["--site", "aurora"]])
@pytest.mark.parametrize("targets", [["nginx", "uwsgi"], ["nginx", "uwsgi", "systemd"]])
def test_emit_with_nothing_to_change_touches_nothing_at_all(
    call: Call, output: Path, flags: list[str], targets: list[str]
) -> None:
    """Folders, the lock and what is remembered have the times of before, too."""
    call("multihost_emit", *targets, "--output", output)
    before = everything(output)
    assert {"lock", "manifest.json"} <= {Path(path).name for path in before}
    assert call("multihost_emit", *targets, "--output", output, *flags)[0] == 0
    assert everything(output) == before


def test_emit_after_a_change_touches_only_what_differs(call: Call, output: Path, registry: Path) -> None:
    """Only the files that a change concerns get new contents; those of a site that is gone are removed."""
    call("multihost_emit", "nginx", "uwsgi", "--output", output)
    before = states(output)
    registry.write_text(registry.read_text().replace("[sites.borealis]", "[sites.draco]"))
    _, out, _ = call("multihost_emit", "nginx", "uwsgi", "--output", output)
    after = states(output)
    assert set(out.splitlines()) == {
        "Updated: nginx/maps.conf",
        "Updated: nginx/generation.conf",
        "Created: uwsgi/draco.ini",
        "Removed: uwsgi/borealis.ini",
    }
    assert {name for name in FILES if before[name] == after.get(name)} == FILES - {
        "nginx/maps.conf",
        "uwsgi/borealis.ini",
    }


def test_emit_for_chosen_sites_leaves_the_others(call: Call, output: Path) -> None:
    """With --site only that site's own files are written, and no file of another is removed."""
    assert call("multihost_emit", "uwsgi", "--output", output, "--site", "aurora")[0] == 0
    assert files(output) == {*EMPEROR, "uwsgi/aurora.ini"}
    call("multihost_emit", "uwsgi", "--output", output, "--site", "borealis")
    assert files(output) == {*EMPEROR, "uwsgi/aurora.ini", "uwsgi/borealis.ini"}


@pytest.mark.parametrize("site", ["draco", "corona", "", "../aurora"])
def test_emit_for_a_site_that_is_not_served_is_refused(call: Call, output: Path, site: str) -> None:
    """A site that is unknown or disabled is an error, and nothing is written."""
    code, _, err = call("multihost_emit", "uwsgi", "--output", output, "--site", site)
    assert (code, files(output)) == (2, set())
    assert f"site {'corona is disabled' if site == 'corona' else repr(site)}" in err


def test_emit_keeps_what_it_did_not_write(call: Call, output: Path) -> None:
    """With one file that is not its own in the way nothing at all is written, and the file is named."""
    foreign = output / "uwsgi/aurora.ini"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("[uwsgi]\n")
    for flags in ([], ["--dry-run"], ["--diff"], ["--check"]):
        code, _, err = call("multihost_emit", "nginx", "uwsgi", "--output", output, *flags)
        assert (code, str(foreign) in err) == (2, True)
    assert files(output) == {"uwsgi/aurora.ini"}
    assert foreign.read_text() == "[uwsgi]\n"


def test_emit_keeps_strangers_in_its_folders(call: Call, output: Path) -> None:
    """A file of somebody else beside its own is left alone and not reported."""
    call("multihost_emit", "uwsgi", "--output", output)
    (output / "uwsgi/other.ini").write_text("[uwsgi]\n")
    assert call("multihost_emit", "uwsgi", "--output", output)[1] == "Nothing differs.\n"
    assert (output / "uwsgi/other.ini").exists()


@pytest.mark.parametrize("flag", ["--dry-run", "--diff", "--check"])
def test_emit_without_a_folder_cannot_compare(call: Call, flag: str) -> None:
    """Comparing needs a folder to compare with."""
    code, out, err = call("multihost_emit", "nginx", flag)
    assert (code, out, "--output" in err) == (2, "", True)


@pytest.mark.parametrize(("flag", "code"), [("--dry-run", 0), ("--diff", 0), ("--check", 1)])
def test_emit_that_compares_writes_nothing(call: Call, output: Path, registry: Path, flag: str, code: int) -> None:
    """The three ways to look change no file, and only --check tells by its exit code that something differs."""
    found = call("multihost_emit", "uwsgi", "--output", output, flag)
    assert found[0] == code
    assert found[2].endswith("4 files differ.") is (code == 1)
    assert not output.exists()
    call("multihost_emit", "uwsgi", "--output", output)
    registry.write_text(registry.read_text().replace("[sites.borealis]", "[sites.draco]"))
    before = states(output)
    assert call("multihost_emit", "uwsgi", "--output", output, flag)[0] == code
    assert states(output) == before


@pytest.mark.parametrize("flag", ["--dry-run", "--diff", "--check"])
def test_emit_that_finds_no_difference_succeeds(call: Call, output: Path, flag: str) -> None:
    """Exit code 0 says that the folder is as it should be."""
    call("multihost_emit", "uwsgi", "--output", output)
    assert call("multihost_emit", "uwsgi", "--output", output, flag)[0] == 0


def test_emit_dry_run_says_what_would_be_done(call: Call, output: Path) -> None:
    """A dry run names every file and what would become of it."""
    call("multihost_emit", "uwsgi", "--output", output)
    (output / "uwsgi/aurora.ini").chmod(0o600)
    (output / "uwsgi/borealis.ini").unlink()
    (output / "uwsgi/gone.ini").write_text(f"{OWNERSHIP_LINE}\n")
    _, out, _ = call("multihost_emit", "uwsgi", "--output", output, "--dry-run")
    assert set(out.splitlines()) == {
        "Would be updated: uwsgi/aurora.ini",
        "Would be created: uwsgi/borealis.ini",
        "Would be removed: uwsgi/gone.ini",
    }


def test_emit_diff_shows_lines(call: Call, output: Path) -> None:
    """A diff shows the old and the new lines."""
    call("multihost_emit", "uwsgi", "--output", output)
    (output / "uwsgi/aurora.ini").write_text(f"{OWNERSHIP_LINE}\nold\n")
    _, out, _ = call("multihost_emit", "uwsgi", "--output", output, "--diff", "--force")
    lines = out.splitlines()
    assert lines[:2] == ["--- a/uwsgi/aurora.ini", "+++ b/uwsgi/aurora.ini"]
    assert "-old" in lines and "+env = MULTIHOST_SITE=aurora" in lines


def test_emit_quietly_reports_nothing(call: Call, output: Path) -> None:
    """With verbosity 0 a run that works prints nothing."""
    assert call("multihost_emit", "uwsgi", "--output", output, verbosity=0) == (0, "", "")
    assert call("multihost_emit", "uwsgi", "--output", output, verbosity=0) == (0, "", "")
    assert (output / "uwsgi/aurora.ini").exists()


def test_emit_into_a_relative_folder_writes_absolute_paths(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is named by an absolute path is so however the folder was given."""
    monkeypatch.chdir(tmp_path)
    call("multihost_emit", "uwsgi", "--output", "output")
    assert f"{tmp_path}/output/uwsgi/" in (tmp_path / "output/uwsgi-emperor/emperor.ini").read_text()


def test_emit_that_cannot_write_is_reported(call: Call, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the file system is exit code 2 and a sentence."""

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    code, _, err = call("multihost_emit", "uwsgi", "--output", output)
    assert (code, "No space left on device" in err) == (2, True)


def test_emit_with_a_broken_registry_writes_nothing(call: Call, output: Path, registry: Path) -> None:
    """A registry with problems changes no file, not even those of its sound sites."""
    registry.write_text(BROKEN)
    assert call("multihost_emit", "uwsgi", "--output", output)[0] == 2
    assert files(output) == set()


def test_emit_shows_progress_to_who_looks(
    call: Call, output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal a long run has a progress bar, on stderr; elsewhere nothing is drawn."""
    from wagtail_multihost.management import progress

    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    call("multihost_emit", "uwsgi", "--output", output)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert call("multihost_emit", "uwsgi", "--output", output)[0] == 0
    assert "files" in capsys.readouterr().err


def test_emit_exit_codes_are_those_of_the_process(manage: Manage, tmp_path: Path) -> None:
    """For a shell: 0 same, 1 differs, 2 could not; the report is on stderr, without a traceback."""
    folder = ["--output", str(tmp_path / "output")]
    assert manage("multihost_emit", "uwsgi", *folder).returncode == 0
    assert manage("multihost_emit", "uwsgi", *folder, "--check").returncode == 0
    differs = manage("multihost_emit", "nginx", *folder, "--check")
    assert (differs.returncode, "Traceback" in differs.stderr) == (1, False)
    unknown = manage("multihost_emit", "uwsgi", *folder, "--site", "draco")
    assert (unknown.returncode, "draco" in unknown.stderr, "Traceback" in unknown.stderr) == (2, True, False)
    assert manage("multihost_emit", "apache").returncode == 2


def test_emit_describes_the_project_it_belongs_to(manage: Manage, project: Path) -> None:
    """The emitted files lead to the project's folder, its settings and its static files."""
    out = manage("multihost_emit", "nginx", "uwsgi").stdout
    for line in (
        f"chdir = {project}",
        "module = website.wsgi:application",
        "env = DJANGO_SETTINGS_MODULE=website.settings",
        f"env = MULTIHOST_REGISTRY={project}/sites.toml",
        f"    alias {project}/static/;",
    ):
        assert line in out.splitlines()


def test_folder_of_templates_that_is_not_there_is_refused(call: Call, output: Path, registry: Path) -> None:
    """A mistake in the path would have the package's own templates used, and nobody would notice."""
    text = registry.read_text()
    registry.write_text(text.replace("[platform]\n", '[platform]\ntemplates = "/no/such/folder"\n'))
    code, _, err = call("multihost_emit", "nginx", "--output", output)
    assert (code, "platform.templates" in err, files(output)) == (2, True, set())

"""What is not rendered again, and what is, whatever has changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accounts import NOBODY, needs_root
from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from wagtail_multihost.emitters import EmittedFile, Emitter, Plan, emitters, files, output, rendering
from wagtail_multihost.emitters.apply import ApplyRequest, apply
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.emitters.apply.writing import find_changes, write_changes
from wagtail_multihost.emitters.emitter import no_validations
from wagtail_multihost.emitters.files import RenderedFile, rendered
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

TARGETS = ("nginx", "uwsgi", "systemd")
#: Every site's own files, one of each target.
OWN = ("nginx/sites/aurora.conf", "uwsgi/aurora.ini", "systemd/multihost-publish@aurora.timer.d/50-site.conf")
BODY = {"nginx": (("body_size", "30m"),), "systemd": (("publish", 15),)}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the templates that are rendered from now on for single sites."""
    names: list[str] = []
    real = files.render

    def render(name: str, **values: object) -> str:
        if name in ("nginx/site.conf", "uwsgi/vassal.ini", "systemd/site.conf"):
            names.append(name)
        return real(name, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "render", render)
    return names


def plan_in(directory: Path, **options: object) -> Plan:
    sites = options.pop("sites", (make_site("aurora", **BODY), make_site("borealis")))
    return make_plan(*sites, directory=directory, **options)  # type: ignore[misc]


def wish_of(plan: Plan, *targets: str, **options: object) -> ApplyRequest:
    chosen = tuple(emitters()[target] for target in targets or TARGETS)
    return ApplyRequest(emitters=chosen, directory=plan.directory, load=lambda: plan, **options)  # type: ignore[arg-type]


def texts(directory: Path, elsewhere: Path) -> dict[str, tuple[str, int]]:
    """Return text and mode of each file, as if they lay in the folder ``elsewhere``, but for what is by chance."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_file() and not name.startswith(".multihost") and path.name != "generation.conf":
            found[name] = (path.read_text().replace(str(directory), str(elsewhere)), path.stat().st_mode)
    return found


def test_what_is_unchanged_is_not_rendered_again(directory: Path, counted: list[str]) -> None:
    """The second run renders no file of a site, and neither does one that compares; both say that nothing differs."""
    assert write_changes(wish_of(plan_in(directory))).changes
    assert sorted(counted) == ["nginx/site.conf", "systemd/site.conf", "uwsgi/vassal.ini", "uwsgi/vassal.ini"]
    counted.clear()
    for run in (find_changes, write_changes):
        assert run(wish_of(plan_in(directory))).changes == []
    assert counted == []


def test_apply_and_emit_remember_for_each_other(directory: Path, counted: list[str]) -> None:
    """What one of them has written the other does not render again."""
    unchecked = (replace(emitters()["uwsgi"], validate=no_validations),)
    wish = ApplyRequest(emitters=unchecked, directory=directory, load=lambda: plan_in(directory))
    assert apply(wish).changed
    counted.clear()
    assert write_changes(wish).changes == []
    assert counted == []
    (directory / ".multihost/manifest.json").unlink()
    assert apply(wish).changed == ()
    assert set(counted) == {"uwsgi/vassal.ini"}
    counted.clear()
    assert apply(wish).changed == ()
    assert counted == []


def test_a_change_of_one_site_renders_that_one(directory: Path, counted: list[str]) -> None:
    """What the others' files are made of is the same."""
    write_changes(wish_of(plan_in(directory), "uwsgi"))
    counted.clear()
    sites = (make_site("aurora", **BODY), make_site("borealis", uwsgi=(("threads", 7),)))
    assert [
        str(change.path) for change in write_changes(wish_of(plan_in(directory, sites=sites), "uwsgi")).changes
    ] == ["uwsgi/borealis.ini"]
    assert counted == ["uwsgi/vassal.ini"]


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("harm", ["edited", "removed", "emptied", "another mode", "a link", "no text"])
def test_what_happened_to_a_file_on_the_disk_is_seen(directory: Path, path: str, harm: str) -> None:
    """Nothing is skipped that is not, byte for byte and with its mode, what was written."""
    write_changes(wish_of(plan_in(directory)))
    file = directory / path
    right, time = file.read_bytes(), file.stat().st_mtime_ns
    if harm == "removed":
        file.unlink()
    elif harm == "another mode":
        file.chmod(0o600)
    elif harm == "a link":
        shutil.copy(file, directory / "elsewhere")
        file.unlink()
        file.symlink_to(directory / "elsewhere")
    else:
        # Of the same length and age: what a look at the file's status alone would not see.
        file.write_bytes({"edited": right.swapcase(), "emptied": b"", "no text": b"\xff" * len(right)}[harm])
        os.utime(file, ns=(time, time))
        if harm == "edited":
            file.write_bytes(right[:-1] + b" ")
            os.utime(file, ns=(time, time))
    assert path in [str(change.path) for change in find_changes(wish_of(plan_in(directory), force=True)).changes]
    write_changes(wish_of(plan_in(directory), force=True))
    assert (file.read_bytes(), file.is_symlink(), file.stat().st_mode & 0o777) == (right, False, 0o644)


def by_a_template(plan: Plan, folder: Path) -> Plan:
    (folder / "uwsgi").mkdir(parents=True)
    (folder / "uwsgi/vassal.ini").write_text("{{ ownership_line }}\n[uwsgi]\nmine = {{ site }}\n")
    return replace(plan, platform=make_platform(templates=folder))


#: Whatever a vassal depends on that is not of its own site's record.
CHANGES: dict[str, Callable[[Plan, Path], Plan]] = {
    "a template of the operator's": by_a_template,
    "options of the platform": lambda plan, _: replace(plan, platform=make_platform(uwsgi=UwsgiOptions(threads=9))),
    "the folder of sockets": lambda plan, _: replace(plan, platform=make_platform(sockets=Path("/run/other"))),
    "another target's options": lambda plan, _: replace(
        plan, platform=make_platform(nginx=NginxOptions(user="web"), user="site-{site}")
    ),
    "the code": lambda plan, _: replace(plan, codebase=make_codebase(virtualenv=Path("/srv/other"))),
    "the registry": lambda plan, _: replace(plan, registry="/srv/other.toml"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_file_is_made_of_is_seen_when_it_changes(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Each of them changes the file, and back again, as a folder that knows nothing has it."""
    monkeypatch.setattr(output, "owner_of", lambda group: None)
    before = plan_in(directory)
    after = CHANGES[what](before, tmp_path / "templates")
    for plan in (before, after, before):
        assert write_changes(wish_of(plan, "uwsgi")).changes
        fresh = tmp_path / f"fresh-{len(list(tmp_path.iterdir()))}"
        write_changes(wish_of(replace(plan, directory=fresh), "uwsgi"))
        assert texts(directory, directory) == texts(fresh, directory)


@pytest.mark.parametrize("what", ["own_version", "version", "sys"])
def test_another_version_renders_all(
    directory: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Of this package, of Jinja2 and of Python; that is noted, and holds from then on."""
    write_changes(wish_of(plan_in(directory), "uwsgi"))
    counted.clear()
    rendering.load_library.cache_clear()
    other = type("sys", (), {"version_info": (9, 9)}) if what == "sys" else lambda *name: "9.9"
    with monkeypatch.context() as patched:
        patched.setattr(rendering, what, other)
        for expected in (["uwsgi/vassal.ini"] * 2, []):
            assert write_changes(wish_of(plan_in(directory), "uwsgi")).changes == []
            assert counted == expected
            counted.clear()
    rendering.load_library.cache_clear()


@pytest.mark.parametrize("among", ["a pipe", "a link to a folder", "no text"])
def test_templates_that_cannot_all_be_read_are_used_and_not_remembered(
    directory: Path, tmp_path: Path, counted: list[str], among: str
) -> None:
    """What they are is not known, so all is rendered each time; nothing waits for a pipe."""
    folder = tmp_path / "templates"
    plan = by_a_template(plan_in(directory), folder)
    if among == "a pipe":
        os.mkfifo(folder / "pipe")
    elif among == "no text":
        (folder / "image").write_bytes(b"\xff")
    else:
        (folder / "link").symlink_to(tmp_path)
    for _ in range(2):
        counted.clear()
        write_changes(wish_of(plan, "uwsgi"))
        assert counted == ["uwsgi/vassal.ini"] * 2
    assert "mine = aurora" in (directory / "uwsgi/aurora.ini").read_text()


@pytest.mark.parametrize("seals", [None, [], "x", {"uwsgi/aurora.ini": 1}, {"uwsgi/aurora.ini": ""}, {}])
def test_seals_that_are_none_render_all(directory: Path, counted: list[str], seals: object) -> None:
    """A manifest of an older version has none, and a damaged one has no right ones."""
    write_changes(wish_of(plan_in(directory), "uwsgi"))
    path = directory / ".multihost/manifest.json"
    found = json.loads(path.read_text())
    found["seals"] = seals
    if seals is None:
        del found["seals"]
    path.write_text(json.dumps(found))
    counted.clear()
    assert write_changes(wish_of(plan_in(directory), "uwsgi")).changes == []
    assert set(counted) == {"uwsgi/vassal.ini"}
    assert set(Manifest(OutputFolder(directory)).seals) == {"uwsgi/aurora.ini", "uwsgi/borealis.ini"}


@pytest.mark.parametrize(
    "name", [".multihost", ".multihost/manifest.json", pytest.param("manifest's owner", marks=needs_root)]
)
def test_seals_that_another_could_have_written_render_all(directory: Path, counted: list[str], name: str) -> None:
    """They are read for a run that compares, which makes and refuses no folder, and not believed."""
    write_changes(wish_of(plan_in(directory), "uwsgi"))
    counted.clear()
    if name == "manifest's owner":
        os.chown(directory / ".multihost/manifest.json", NOBODY, NOBODY)
    else:
        (directory / name).chmod((directory / name).stat().st_mode | 0o020)
    assert find_changes(wish_of(plan_in(directory), "uwsgi")).changes == []
    assert set(counted) == {"uwsgi/vassal.ini"}


def test_a_site_that_is_gone_is_forgotten(directory: Path) -> None:
    """Its seal goes with its file, and those of other targets stay."""
    write_changes(wish_of(plan_in(directory)))
    write_changes(wish_of(plan_in(directory, sites=(make_site("borealis"),)), "uwsgi"))
    assert set(Manifest(OutputFolder(directory)).seals) == {OWN[0], OWN[2], "uwsgi/borealis.ini"}


def test_file_of_a_value_that_is_more_than_its_text_is_made_each_time(directory: Path) -> None:
    """What cannot be said has no seal."""
    file = RenderedFile(PurePosixPath("uwsgi/x.ini"), "systemd/site.conf", {"section": "A", "settings": {("a", 1)}})
    assert file.seal("text") == ""
    assert replace(rendered(file)) == EmittedFile(file.path, file.text)
    assert rendered(rendered(file)) == rendered(file)


def test_target_that_knows_nothing_of_it_is_emitted_each_time(directory: Path) -> None:
    """Its text is its own, and is compared as it is."""
    text = ["one"]

    def emit(plan: Plan) -> Iterator[EmittedFile]:
        yield EmittedFile(PurePosixPath("foreign/x"), f"{OWNERSHIP_LINE}\n{text[0]}\n")

    emitter = Emitter(name="foreign", summary="of another package", folders=("foreign",), emit=emit)
    wish = ApplyRequest(emitters=(emitter,), directory=directory, load=lambda: plan_in(directory))
    for expected in ("one", "two"):
        text[0] = expected
        assert len(write_changes(wish).changes) == 1
        assert write_changes(wish).changes == []
        assert (directory / "foreign/x").read_text().splitlines()[1] == expected
    assert Manifest(OutputFolder(directory)).seals == {}


def test_template_that_fails_for_a_file_is_told_by_its_target(directory: Path, tmp_path: Path) -> None:
    """Whatever it raises, as late as its file is compared."""
    plan = by_a_template(plan_in(directory), tmp_path / "templates")
    (tmp_path / "templates/uwsgi/vassal.ini").write_text("{{ ownership_line }}\n{{ 1 // 0 }}\n")
    with pytest.raises(EmitError, match=r"^The target uwsgi failed with ZeroDivisionError: "):
        write_changes(wish_of(plan, "uwsgi"))
    assert not (directory / "uwsgi").exists()


sites = st.dictionaries(
    st.sampled_from(["aurora", "borealis", "corona", "draco"]),
    st.fixed_dictionaries(
        {},
        optional={
            "aliases": st.sampled_from([("a.example.net",), ("b.example.net",)]),
            "uwsgi": st.sampled_from([(("threads", 3),), (("on_demand", True),), (("memory", "256m"),)]),
            "nginx": st.sampled_from([(("body_size", "30m"),), (("access_log", True),)]),
            "systemd": st.sampled_from([(("publish", 15),), (("publish", 30),)]),
            "code": st.sampled_from([(("directory", Path("/srv/x")),), (("settings_module", "x.settings"),)]),
            "socket": st.sampled_from(["one.sock", "two.sock"]),
        },
    ),
    min_size=1,
)
platforms = st.fixed_dictionaries(
    {},
    optional={
        "uwsgi": st.sampled_from([UwsgiOptions(threads=5), UwsgiOptions(http="127.0.0.1:8000")]),
        "nginx": st.sampled_from([NginxOptions(user="web"), NginxOptions(body_size="30m")]),
        "systemd": st.sampled_from([SystemdOptions(publish=0), SystemdOptions(memory="1g")]),
        "runner": st.just("gunicorn"),
        "sockets": st.just(Path("/run/other")),
    },
)
steps = st.tuples(
    sites, platforms, st.sampled_from(["", "edit", "remove", "mode"]), st.booleans(), st.sampled_from(["", "x", "y"])
)


@given(st.lists(steps, min_size=1, max_size=4))
@settings(deadline=None)
def test_what_is_remembered_is_what_would_be_rendered(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple]
) -> None:
    """After any changes of sites, platform, templates and files on the disk a folder is as one that is new."""
    folder = tmp_path_factory.mktemp("seals")
    directory = folder / "out"
    for number, (own, shared, harm, compares, template) in enumerate(changes):
        if template:
            place = folder / f"templates-{template}" / "uwsgi"
            place.mkdir(parents=True, exist_ok=True)
            (place / "vassal.ini").write_text(f"{{{{ ownership_line }}}}\n; {template} {{{{ socket }}}}\n")
            shared = {**shared, "templates": place.parent}
        made = [make_site(site, **options) for site, options in unshared(own)]
        plan = make_plan(*made, directory=directory, platform=make_platform(**shared))
        fresh = replace(plan, directory=folder / f"fresh-{number}")
        options = {"force": True, "allow_mass_delete": True}
        spoil(directory, harm, number)
        differing = bool(find_changes(wish_of(plan, **options)).changes) if compares else None
        found = write_changes(wish_of(plan, **options))
        write_changes(wish_of(fresh))
        assert texts(directory, directory) == texts(fresh.directory, directory)
        assert differing in (None, bool(found.changes))
        assert find_changes(wish_of(plan)).changes == []


def unshared(own: dict[str, dict[str, object]]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the sites, no two of which have one socket or alias."""
    taken: set[object] = set()
    for site, options in own.items():
        yield site, {key: value for key, value in options.items() if (key, value) not in taken}
        taken |= {(key, options.get(key)) for key in ("socket", "aliases")}


def spoil(directory: Path, harm: str, number: int) -> None:
    """Do ``harm`` to one of the files."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file() and ".multihost" not in path.parts]
    if not files or not harm:
        return
    path = files[number % len(files)]
    if harm == "edit":
        path.write_text(path.read_text() + "# mine\n")
    elif harm == "remove":
        path.unlink()
    else:
        path.chmod(0o600)

"""What .dockerignore and .gitignore leave out, and what of a platform they must."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.production.build_context import (
    context_findings,
    has_secret,
    is_ignored,
    own_paths,
    project_folder,
    repository_findings,
)
from wagtail_multihost.production.ignore_files import leaves_out

KEY = ("data", "platform.key")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize(
    ("lines", "docker", "git"),
    [
        (["data/"], True, True),
        (["/data"], True, True),
        (["data/*"], True, True),
        (["data/**"], True, True),
        (["**/data"], True, True),
        (["**/platform.key"], True, True),
        (["*"], True, True),
        (["**"], True, True),
        (["  data/  "], True, True),
        (["*.key"], False, True),
        (["platform.key"], False, True),
        ([], False, False),
        (["# data/"], False, False),
        (["data2/"], False, False),
        (["other/data/"], False, False),
        (["data/sites"], False, False),
        (["da[t]a/"], False, False),
        (["../data"], False, False),
        (["data/", "!data"], False, False),
        (["data/*", "!data/platform.key"], False, False),
        (["data/", "!**/*.key"], False, False),
        (["*", "!d?ta"], False, False),
        (["data/*", "!data/.gitkeep"], True, True),
        (["*", "!website"], True, True),
        (["!data", "data/"], True, True),
    ],
)
def test_lines_leave_out_what_they_surely_do(lines: list[str], docker: bool, git: bool) -> None:
    """The last line about a path decides; what is not surely left out is not."""
    assert leaves_out(lines, KEY, at_any_depth=False) is docker
    assert leaves_out(lines, KEY, at_any_depth=True) is git


@pytest.mark.parametrize(
    ("line", "file", "folder"),
    [
        ("sites.toml/", False, True),
        ("/sites.toml/", False, True),
        ("**/sites.toml/", False, True),
        ("*/", False, True),
        ("**/", False, True),
        ("sites.toml", True, True),
    ],
)
@pytest.mark.parametrize("at_any_depth", [True, False])
def test_slash_at_the_end_of_a_line_means_folders_alone(
    line: str, file: bool, folder: bool, at_any_depth: bool
) -> None:
    """A registry is a file, which such a line leaves to the repository."""
    path = ("sites.toml",)
    assert leaves_out([line], path, at_any_depth=at_any_depth) is file
    assert leaves_out([line], path, at_any_depth=at_any_depth, is_folder=True) is folder
    assert leaves_out([line], (*path, "in it"), at_any_depth=at_any_depth) is folder


def test_folder_is_looked_at_as_one(project: Path) -> None:
    """Lines with a slash leave out the folders of sites, and not the files beside them."""
    for name in (".gitignore", ".dockerignore"):
        (project / name).write_text("data/platform.key/\ndata/sites/\nsites.toml/\n")
    assert found(project) == (2, 2)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the tutorial's registry and a data folder, and a Dockerfile."""
    project = tmp_path / "project"
    (project / "data" / "sites").mkdir(parents=True)
    for name in ("manage.py", "sites.toml", "Dockerfile", "data/platform.key"):
        (project / name).write_text("")
    return project


def found(project: Path) -> tuple[int, int]:
    """Return how many things an image and a repository would take along."""
    data = project / "data"
    paths = own_paths(project, data, [])
    in_context = [*context_findings(paths, data)]
    in_repository = [*repository_findings(project, paths, data)]
    assert all(f.sentence.endswith(".") and f.hint.endswith(".") for f in (*in_context, *in_repository))
    return len(in_context), len(in_repository)


def test_project_without_the_lines_is_found(project: Path) -> None:
    """Key, sites and registry are each found, and none with the documented lines."""
    assert found(project) == (3, 3)
    (project / ".dockerignore").write_text((EXAMPLES / "dockerignore").read_text())
    assert found(project) == (0, 3)
    (project / ".gitignore").write_text((EXAMPLES / "gitignore").read_text())
    assert found(project) == (0, 0)


def test_folder_that_no_image_is_built_from_is_no_context(project: Path) -> None:
    """Without a file that describes an image there is nothing for Docker to leave out."""
    (project / "Dockerfile").unlink()
    (project / ".gitignore").write_text("data/\nsites.toml\n")
    assert found(project) == (0, 0)


@pytest.mark.parametrize("name", ["Dockerfile.web", "web.Dockerfile", "Containerfile"])
def test_every_file_that_describes_an_image_counts(project: Path, name: str) -> None:
    """Each has its own file of lines, which goes before the folder's."""
    (project / "Dockerfile").rename(project / name)
    assert found(project)[0] == 3
    (project / ".dockerignore").write_text("data\nsites.toml\n")
    assert found(project)[0] == 0
    (project / f"{name}.dockerignore").write_text("")
    assert found(project)[0] == 3


def test_data_below_another_build_context_is_found(project: Path) -> None:
    """A Dockerfile further up takes it too, by the lines of its own folder."""
    (project / "Dockerfile").rename(project.parent / "Dockerfile")
    (project / ".dockerignore").write_text("data\nsites.toml\n")
    assert found(project)[0] == 3
    (project.parent / ".dockerignore").write_text("project/data\nproject/sites.toml\n")
    assert found(project)[0] == 0


def test_lines_of_the_repository_count_and_the_nearest_decide(project: Path) -> None:
    """A .gitignore above the project is read in a repository alone, and the project's own goes before it."""
    key = project / "data" / "platform.key"
    (project.parent / ".gitignore").write_text("data/\n")
    assert not is_ignored(key, project)
    (project.parent / ".git").mkdir()
    assert is_ignored(key, project)
    (project / ".gitignore").write_text("!data\n")
    assert not is_ignored(key, project)


def test_project_is_where_manage_py_is(project: Path) -> None:
    """Settings may be imported from a folder below it."""
    (project / "src").mkdir()
    assert project_folder(project / "src") == project_folder(project) == project
    assert project_folder(project / "data" / "sites" / "a" / "b") == project / "data" / "sites" / "a" / "b"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"platform": {"secret_key": "in the clear"}}, True),
        ({"platform": {"secret_keys": {"2026": "in the clear"}}}, True),
        ({"sites": {"a": {"database": "postgresql://u:secret@h/d"}}}, True),
        ({"sites": {"a": {"secret_key_fallbacks": ["in the clear"]}}}, True),
        ({"sites": {"a": {"cache": {"password": "in the clear"}}}}, True),
        ({"sites": {"a": {"frontend": {"token": "in the clear"}}}}, True),
        ({"platform": {"secret_key": "env:NAME", "origin": "https://{hostname}"}}, False),
        ({"platform": {"secret_keys": {"2026": "env:NAME", "2027_file": "/run/secrets/key"}}}, False),
        ({"sites": {"a": {"hostnames": ["a.example.org"], "password_file": "/run/a"}}}, False),
    ],
)
def test_registry_with_a_secret_in_it_is_told_from_one_without(document: object, expected: bool) -> None:
    """Values are secrets where their keys say so; variables' names and files' paths are not."""
    assert has_secret(document) is expected


@pytest.mark.parametrize("name", [".env", "aurora.env"])
def test_documented_lines_leave_a_file_of_variables_out(tmp_path: Path, name: str) -> None:
    """A registry of one site in a file of variables has secrets: neither an image nor a commit contains it."""
    for example in ("dockerignore", "gitignore"):
        (tmp_path / f".{example}").write_text((EXAMPLES / example).read_text())
    for file in ("Dockerfile", "manage.py", name):
        (tmp_path / file).touch()
    assert not list(context_findings([tmp_path / name]))
    assert not list(repository_findings(tmp_path, [tmp_path / name]))

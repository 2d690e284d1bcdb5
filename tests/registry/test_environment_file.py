"""A registry of one site in a file of variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.registry.conftest import PLATFORM_KEY
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.environment_file import parse_variables
from wagtail_multihost.registry.lines import located_labels
from wagtail_multihost.spec import Secret

MINIMAL = f"""\
# The site aurora.
MULTIHOST_REGISTRY=env:
MULTIHOST_SITE=aurora
export MULTIHOST_SITE_HOSTNAMES=aurora.example.org,www.aurora.example.org

MULTIHOST_PLATFORM_NAME=aviary
MULTIHOST_PLATFORM_SECRET_KEY='{PLATFORM_KEY}'
"""
SECRET = "hidden-value-0123456789"
Write = Callable[..., Path]


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    """Write the file of the site, with more lines; return its path."""

    def write(*lines: str, basis: str = MINIMAL, mode: int = 0o600) -> Path:
        path = tmp_path / "aurora.env"
        path.write_text(basis + "".join(f"{line}\n" for line in lines), encoding="utf-8")
        path.chmod(mode)
        return path

    return write


def problems(path: Path, environ: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Return where the problems of a file are, and what they are; none quotes a value."""
    with pytest.raises(ConfigurationError) as found:
        open_registry(path, environ or {}).site("aurora")
    assert SECRET not in str(found.value)
    return [(problem.where, problem.message) for problem in found.value.problems]


def test_file_describes_one_site(write: Write, tmp_path: Path) -> None:
    """Keys are the same as in variables; relative paths start at the file's folder; the process's are not read."""
    inherited = {"MULTIHOST_SITE": "other", "MULTIHOST_SITE_HOSTNAMES": "x.example", "MULTIHOST_PLATFORM_NAME": "x"}
    registry = open_registry(write(), inherited)
    platform, site = registry.site("aurora")
    assert (platform.name, platform.secret_key, platform.data) == ("aviary", Secret(PLATFORM_KEY), tmp_path / "data")
    assert (site.id, site.hostnames) == ("aurora", ("aurora.example.org", "www.aurora.example.org"))
    assert site.sources["hostnames"] == "aurora.env: MULTIHOST_SITE_HOSTNAMES"
    assert registry.load().sites[0].id == "aurora"
    assert registry.url == str(tmp_path / "aurora.env")


def test_file_url_and_hidden_file_are_opened(write: Write, tmp_path: Path) -> None:
    """The file may be named by a URL, and may have no other name than .env."""
    path = write().rename(tmp_path / ".env")
    for url in (path, f"file://{path}"):
        assert open_registry(url, {}).site("aurora")[1].id == "aurora"


def test_nothing_reaches_the_process(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.environ has neither the file's variables afterwards, nor is it asked for any."""
    monkeypatch.setenv("MULTIHOST_SITE_ALIASES", "stray.example")
    before = dict(os.environ)
    _, site = open_registry(write("OTHER_PROGRAM=1"), os.environ).site("aurora")
    assert site.aliases == ()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("a$HOME", "a$HOME"),
        ("$HOME", "$HOME"),
        ("${HOME}", "${HOME}"),
        ("a#b", "a#b"),
        ("a=b", "a=b"),
        ("'a # b'", "a # b"),
        ('"a # b"', "a # b"),
        ("'$HOME'", "$HOME"),
        (r"'a\nb'", r"a\nb"),
        (r'"a \" b"', 'a " b'),
        (r'"a \\ b"', r"a \ b"),
        ('"it\'s"', "it's"),
        ("'  blanks  '", "  blanks  "),
        ("äöü", "äöü"),
        ("''", ""),
    ],
)
def test_value_is_taken_literally(written: str, value: str) -> None:
    """Quotes and escapes are django-environ's; a dollar sign is one."""
    assert parse_variables(f"MULTIHOST_SITE_X={written}\n", "x.env") == {"MULTIHOST_SITE_X": value}


@pytest.mark.parametrize(
    "line",
    [
        f"MULTIHOST_SITE_X = {SECRET}",
        f"MULTIHOST_SITE_X={SECRET} # comment",
        f"MULTIHOST_SITE_X= {SECRET}",
        f"MULTIHOST_SITE_X={SECRET} ",
        f"MULTIHOST_SITE_X='{SECRET}",
        f"MULTIHOST_SITE_X='{SECRET}' # comment",
        f'MULTIHOST_SITE_X="{SECRET}',
        f'MULTIHOST_SITE_X="{SECRET}\\"',
        f'MULTIHOST_SITE_X="{SECRET}\\n"',
        f"""MULTIHOST_SITE_X='"{SECRET}"'""",
        f"'{SECRET}'",
        f" MULTIHOST_SITE_X={SECRET}",
        f"MULTIHOST-SITE-X={SECRET}",
        f"MULTIHOST_STIE_X={SECRET}",
        f"MULTIHOST_SNAPSHOT_PUBLIC_KEY={SECRET}",
        "MULTIHOST_SITE_HOSTNAMES=twice.example",
        " # an indented comment",
        "   ",
    ],
)
def test_line_that_could_be_read_in_two_ways_is_refused(write: Write, line: str) -> None:
    """Nothing is dropped or guessed: the report names the line, and quotes nothing of it but a name."""
    [(where, message)] = problems(write(line))
    assert where.startswith("aurora.env:8")
    assert message


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_value_survives_single_quotes_or_is_refused(value: str) -> None:
    """What is accepted in quotes is the value itself, whatever characters it has."""
    try:
        found = parse_variables(f"MULTIHOST_SITE_X='{value}'", "x.env")
    except ConfigurationError:
        return
    assert found == {"MULTIHOST_SITE_X": value}


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes it fail in any other way, and every line that is accepted sets its variable."""
    try:
        found = parse_variables(text, "x.env")
    except ConfigurationError:
        return
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(found) == len(lines)


@pytest.mark.parametrize("word", ["ja", "2", "y", "enabled", "$TRUE"])
def test_boolean_that_is_none_is_refused(write: Write, word: str) -> None:
    """django-environ would read it as false."""
    [(where, _)] = problems(write(f"MULTIHOST_SITE_ENABLED={word}"))
    assert where == "aurora.env: MULTIHOST_SITE_ENABLED"


def test_misspelt_key_is_refused(write: Write) -> None:
    """Variables with our prefixes are keys, or mistakes."""
    [(where, message)] = problems(write("MULTIHOST_SITE_HOSTNAME=a.example"))
    assert where == "aurora.env: MULTIHOST_SITE_HOSTNAME"
    assert "hostnames" in message


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602])
def test_file_that_others_can_read_or_change_is_refused(write: Write, mode: int) -> None:
    """It may have the site's secrets, so it is kept as files of secrets are."""
    [(where, message)] = problems(write(mode=mode))
    assert where == "MULTIHOST_REGISTRY"
    assert "aurora.env" in message


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "binary"])
def test_file_that_is_none_is_refused(write: Write, tmp_path: Path, kind: str) -> None:
    """A path that leads to no text is one sentence, at once."""
    path = write()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00")
        path.chmod(0o600)
    elif kind == "folder":
        path = tmp_path / "x.env" / ".env"
        path.mkdir(parents=True)
        path = path / "y.env"
    [(where, message)] = problems(path)
    assert where == "MULTIHOST_REGISTRY"
    assert message.endswith(".")


def test_file_names_its_site(write: Write) -> None:
    """Without the id there is no site to read, and another id is not that site's."""
    [(where, message)] = problems(write(basis=MINIMAL.replace("MULTIHOST_SITE=aurora\n", "")))
    assert (where, "MULTIHOST_SITE=" in message) == ("aurora.env", True)
    with pytest.raises(ConfigurationError, match="Did you mean aurora"):
        open_registry(write(), {}).site("aurore")


def test_byte_order_mark_and_other_newlines_are_accepted(write: Write, tmp_path: Path) -> None:
    """Editors on other systems write them."""
    path = tmp_path / "aurora.env"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    path.chmod(0o600)
    assert open_registry(path, {}).site("aurora")[1].hostnames[0] == "aurora.example.org"


def test_reference_leads_to_the_processs_variable(write: Write) -> None:
    """env:NAME is looked up where the process is, not in the file."""
    path = write("MULTIHOST_SITE_SECRET_KEY=env:KEY_OF_AURORA", "KEY_OF_AURORA=of-the-file")
    key = "k" * 25 + "of-the-process-0123456789-0123"
    _, site = open_registry(path, {"KEY_OF_AURORA": key}).site("aurora")
    assert site.secret_key == Secret(key)


def test_folder_with_the_file_in_it_is_no_sites(write: Write, tmp_path: Path) -> None:
    """A folder that visitors' files are in may not hold the registry."""
    path = write("MULTIHOST_SITE_STORAGE__BACKEND=files", f"MULTIHOST_SITE_STORAGE__PATH={tmp_path}")
    with pytest.raises(ConfigurationError) as found:
        open_registry(path, {}).load()
    assert any("registry" in problem.message for problem in found.value.problems)


def test_lines_of_variables_are_found(write: Write) -> None:
    """explain says in which line of the file a value is."""
    labels = located_labels(open_registry(write("MULTIHOST_SITE_CACHE__BACKEND=locmem"), {}))
    assert labels["aurora.env: MULTIHOST_SITE_HOSTNAMES"] == "aurora.env:4: MULTIHOST_SITE_HOSTNAMES"
    assert labels["aurora.env: MULTIHOST_SITE_CACHE"] == "aurora.env:8: MULTIHOST_SITE_CACHE__BACKEND"
    assert located_labels(open_registry(write(mode=0o666), {})) == {}


@pytest.mark.parametrize("url", ["env:", "aurora.env"])
@pytest.mark.parametrize("installed", [ModuleType("environ"), None])
def test_another_package_of_the_name_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, url: str, installed: ModuleType | None
) -> None:
    """environ-config installs a package of the same name; nothing has been read yet when that is said."""
    monkeypatch.setitem(sys.modules, "environ", installed)
    with pytest.raises(ConfigurationError, match="environ-config"):
        open_registry(url, {})

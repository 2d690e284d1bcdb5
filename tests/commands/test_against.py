"""multihost_explain --against: what would change for a project that runs already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import KEY, SETTINGS, Called, Manage
from tests.commands.test_explain import Call

LIVE_SECRET = "a-live-key-that-is-never-printed-0123456789-0123456789"
LIVE = SETTINGS[: SETTINGS.index("\nresolve(")].replace("from wagtail_multihost.resolver import resolve\n", "")
LIVE += f"""
import os

if __name__ == "website.live":
    print("this is no answer")
SECRET_KEY = os.environ.get("LIVE_KEY", "{LIVE_SECRET}")
SESSION_COOKIE_NAME = "live"
WAGTAIL_SITE_NAME = "Live"
"""


@pytest.fixture
def live(project: Path) -> Path:
    """The project's settings as they run today: without the resolver."""
    path = project / "website" / "live.py"
    path.write_text(LIVE)
    return path


@pytest.mark.usefixtures("live")
def test_against_compares_two_modules(manage: Manage) -> None:
    """The settings that call resolve() are compared with the module, each difference with what it means."""
    result = manage("multihost_explain", "aurora", "--against", "website.live", "--json")
    assert result.returncode == 0, result.stderr
    rows = {row["setting"]: row for row in json.loads(result.stdout)}
    assert rows["DATABASES.default.NAME"]["now"].endswith("db.sqlite3")
    assert rows["DATABASES.default.NAME"]["keep"].startswith("sites.aurora.database.path = ")
    assert rows["SESSION_COOKIE_NAME"]["now"] == "live"
    assert rows["SECRET_KEY"]["now"] == rows["SECRET_KEY"]["then"] == "***"
    assert {row["kind"] for row in rows.values()} == {"difference"}
    assert "STATIC_ROOT" not in rows and "INSTALLED_APPS" not in rows
    assert LIVE_SECRET not in result.stdout and KEY not in result.stdout


def test_against_works_before_anything_calls_the_resolver(manage: Manage, live: Path) -> None:
    """Where no settings call resolve() yet, the module itself gets the site's settings, as the last line would."""
    own = live.with_name("settings.py")
    own.write_text(LIVE)
    result = manage("multihost_explain", "aurora", "--against", "website.live")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("# What changes for a project that runs with website.live, with resolve()")
    at = lines.index("SESSION_COOKIE_NAME")
    assert lines[at + 1 : at + 3] == ['    now:  "live"', '    then: "__Host-live_aurora"']
    at = lines.index("WAGTAIL_SITE_NAME")
    assert lines[at + 4] == '    To keep it: sites.aurora.settings.WAGTAIL_SITE_NAME = "Live"'
    assert "this is no answer" not in result.stdout


def test_against_tells_what_every_site_would_share(manage: Manage, live: Path) -> None:
    """What the resolver refuses in the live settings is said first, with the rest of the plan below."""
    live.with_name("settings.py").write_text(LIVE)
    live.write_text(f'{LIVE}DATABASES["old"] = {{**DATABASES["default"]}}\n')
    result = manage("multihost_explain", "aurora", "--against", "website.live", "--json")
    assert result.returncode == 0, result.stderr
    first, *rest = json.loads(result.stdout)
    assert (first["kind"], first["setting"]) == ("refused", "DATABASES")
    assert "DATABASES.default.NAME" in {row["setting"] for row in rest}
    assert "every site would share" in manage("multihost_explain", "aurora", "--against", "website.live").stdout


@pytest.mark.parametrize(
    ("module", "text", "sentence"),
    [
        ("website.none", "", "is not there; accepted: the dotted name"),
        ("nowhere", "", "is not there; accepted: the dotted name"),
        ("../live", "", "has a name that cannot be imported; accepted"),
        ("website.settings", "", "calls resolve() already"),
        ("website.live", "from website.settings import *\n", "calls resolve() already"),
        (
            "website.live",
            "from wagtail_multihost.resolver import resolve\nD = resolve().databases\n",
            "calls resolve()",
        ),
        ("website.live", "import os\nX = os.environ['LIVE_NAME']\n", "KeyError: 'LIVE_NAME' at "),
        ("website.live", f"int('{LIVE_SECRET}')\n", "cannot be imported: ValueError at "),
        ("website.live", "import nothing_there\n", "ModuleNotFoundError: No module named 'nothing_there' at "),
        ("website.live", "import sys\nsys.exit(3)\n", "cannot be imported: SystemExit at "),
        ("website.live", "import os\nos._exit(3)\n", "ended its process with the code 3"),
        ("website.live", "", "has no settings"),
    ],
    ids=range(12),
)
def test_modules_that_cannot_be_used_are_refused(
    manage: Manage, project: Path, module: str, text: str, sentence: str
) -> None:
    """One sentence says what is wrong with the module, without what may be a secret; the exit code is 2."""
    (project / "website" / "live.py").write_text(text)
    result = manage("multihost_explain", "aurora", "--against", module)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"--against: The module {module!r} " in result.stderr
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert LIVE_SECRET not in result.stderr


@pytest.mark.usefixtures("live")
def test_against_needs_a_site_of_the_registry(manage: Manage) -> None:
    """An unknown site is exit code 2, before the module is imported."""
    result = manage("multihost_explain", "auora", "--against", "website.none")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Did you mean aurora?" in result.stderr


@pytest.mark.parametrize("more", [["--all"], ["--rotation"], ["--variables"], ["--schema"]], ids=" ".join)
def test_against_is_asked_alone(call: Call, more: list[str]) -> None:
    """Another list beside it is refused with a sentence."""
    found: Called = call(
        "multihost_explain", *(["aurora"] if more[0] in ("--all", "--rotation") else []), "--against", "x", *more
    )
    assert found[:2] == (2, "")
    assert call("multihost_explain", "aurora", "--against", "")[0] == 2


def test_against_reads_the_live_module_as_no_site(manage: Manage, live: Path) -> None:
    """A module that calls the resolver only for a site is read as it runs today, whatever site the command is for."""
    own = 'if "MULTIHOST_SITE" in os.environ:\n    from wagtail_multihost.resolver import resolve\n    resolve()\n'
    live.write_text(f"{LIVE}{own}")
    environ = {"MULTIHOST_SITE": "aurora"}
    result = manage("multihost_explain", "aurora", "--against", "website.live", "--json", environ=environ)
    assert result.returncode == 0, result.stderr
    assert "SESSION_COOKIE_NAME" in {row["setting"] for row in json.loads(result.stdout)}

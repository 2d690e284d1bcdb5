"""The tutorial's project on its way to production."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import Manage

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
IDS = re.compile(r"wagtail_multihost\.([EW]\d{3})")
RESOLVE = "\nfrom wagtail_multihost.resolver import resolve\n\nresolve().apply(globals())\n"
pytestmark = pytest.mark.projects


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the tutorial: ``wagtail start``, the app, the middleware, the line and the registry."""
    code = "import sys; from wagtail.bin.wagtail import main; sys.argv[0] = 'wagtail'; main()"
    folder = tmp_path / "mysite"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", code, "start", "mysite", str(folder)], check=True, timeout=120)
    base = folder / "mysite" / "settings" / "base.py"
    text = base.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = ["wagtail_multihost",')
    middleware = 'MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware",'
    base.write_text(text.replace("MIDDLEWARE = [", middleware))
    for name in ("dev", "production"):
        with open(base.with_name(f"{name}.py"), "a") as settings:
            settings.write(RESOLVE)
    (folder / "sites.toml").write_text((EXAMPLES / "street.toml").read_text())
    return folder


def found(manage: Manage, *words: str, site: str = "") -> set[str]:
    """Return the ids that ``check --deploy`` tells."""
    environ = {"MULTIHOST_SITE": site} if site else {}
    done = manage("check", "--deploy", "--tag", "multihost", *words, environ=environ)
    return set(IDS.findall(done.stderr + done.stdout))


def test_tutorial_is_told_what_it_lacks_for_production(project: Path, manage: Manage) -> None:
    """Each thing of the tutorial that is for development is reported, or refused, and a second key is never made."""
    lacking = {"E022", "E023", "E024", "W009", "W010", "W011", "W012", "W016"}
    assert manage("multihost_as", "aurora", "shell", "--no-imports", "-c", "0").returncode == 0
    (project / "sites.toml").chmod(0o644)
    assert (project / "data" / "platform.key").exists()
    assert found(manage) == {*lacking, "W008"}
    assert found(manage, site="aurora") >= {*lacking, "W008"}
    registry = (project / "sites.toml").read_text()
    (project / "sites.toml").write_text(registry.replace("[platform]", '[platform]\nenvironment = "production"'))
    assert "not pinned" in manage("multihost_sites").stderr
    assert manage("multihost_sites", "--pin").returncode == 0
    assert found(manage) >= lacking
    assert "W008" not in found(manage)
    if os.geteuid() == 0:  # who runs nothing of a site in production
        refused = manage("check", environ={"MULTIHOST_SITE": "aurora"})
        assert refused.returncode != 0
        assert "No account is stated" in refused.stderr
    else:
        assert found(manage, site="aurora") >= {"E006", "E022", "E023", "E024", "W010", "W011"}
    emitted = manage("multihost_emit", "nginx", "uwsgi", "--output", "out")
    assert emitted.returncode == 2
    assert "mysite.settings.dev" in emitted.stderr
    assert [path for path in (project / "out").rglob("*") if path.suffix in (".conf", ".ini")] == []
    applied = manage("multihost_apply", "nginx", "--output", "out")
    assert applied.returncode == 2
    assert "DJANGO_SETTINGS_MODULE" in applied.stderr
    emitted = manage("multihost_emit", "uwsgi", "--output", "out", "--settings", "mysite.settings.production")
    assert emitted.returncode == 0, emitted.stderr
    assert "has no secret_key" in emitted.stderr
    assert "build context" in emitted.stderr
    (project / "data" / "platform.key").unlink()
    refused = manage("check", environ={"MULTIHOST_SITE": "aurora"})
    assert refused.returncode != 0
    assert "/etc/multihost/platform.key" in refused.stderr
    assert not (project / "data" / "platform.key").exists()


def docker_context(project: Path) -> set[str]:
    """
    Return the files that ``COPY . .`` takes, by the rules of .dockerignore: patterns start at the top, the last that
    matches a file or a folder above it decides. There is no Docker here; this stands in for it.
    """
    file = project / ".dockerignore"
    lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
    patterns = [line for line in lines if line and not line.startswith("#")]
    taken = set()
    for path in project.rglob("*"):
        parts = path.relative_to(project).parts
        is_out = False
        for pattern in patterns:
            own = pattern.lstrip("!").strip("/").split("/")
            if len(own) <= len(parts) and all(map(fnmatch.fnmatchcase, parts, own)):
                is_out = not pattern.startswith("!")
        if path.is_file() and not is_out:
            taken.add("/".join(parts))
    return taken


def test_image_of_wagtail_start_has_no_key(project: Path, manage: Manage) -> None:
    """Without the documented lines the image has the key and the registry, and the check says so; with them neither."""
    assert "COPY --chown=wagtail:wagtail . ." in (project / "Dockerfile").read_text()
    assert manage("multihost_as", "aurora", "shell", "--no-imports", "-c", "0").returncode == 0
    private = {"data/platform.key", "sites.toml"}
    assert private <= docker_context(project)
    assert {"E024", "W016"} <= found(manage)
    for name in ("dockerignore", "gitignore"):
        with open(project / f".{name}", "a") as file:
            file.write((EXAMPLES / name).read_text())
    taken = docker_context(project)
    assert "manage.py" in taken
    assert not {name for name in taken if name in private or name.startswith("data/")}
    assert not {"E024", "W016"} & found(manage)


def test_emitting_with_debug_is_refused_in_production(project: Path, manage: Manage) -> None:
    """A module that is named for production is refused too while DEBUG is true in it."""
    registry = (project / "sites.toml").read_text()
    (project / "sites.toml").write_text(registry.replace("[platform]", '[platform]\nenvironment = "production"'))
    assert manage("multihost_sites", "--pin").returncode == 0
    with open(project / "mysite" / "settings" / "production.py", "a") as settings:
        settings.write("\nDEBUG = True\n")
    done = manage("multihost_emit", "uwsgi", "--settings", "mysite.settings.production")
    assert done.returncode == 2
    assert "DEBUG is true in 'mysite.settings.production'" in done.stderr
    assert os.linesep.join(done.stderr.splitlines()).count("Traceback") == 0


def go_to_production(project: Path, manage: Manage) -> None:
    registry = (project / "sites.toml").read_text()
    (project / "sites.toml").write_text(registry.replace("[platform]", '[platform]\nenvironment = "production"'))
    assert manage("multihost_sites", "--pin").returncode == 0


@pytest.mark.parametrize("environment", ["development", "production"])
def test_readme_emits_the_settings_for_production(project: Path, manage: Manage, environment: str) -> None:
    """The commands of the README, as they are pasted, name no module for development in what servers start."""
    if environment == "production":
        go_to_production(project, manage)
    lines = re.findall(r"^python manage\.py (multihost_emit .*)$", README.read_text(), re.MULTILINE)
    assert len(lines) >= 2
    outputs = [manage(*line.split()) for line in lines]
    assert [done.returncode for done in outputs] == [0] * len(lines), [done.stderr for done in outputs]
    text = "".join(done.stdout for done in outputs)
    assert "DJANGO_SETTINGS_MODULE=mysite.settings.production" in text
    assert "mysite.settings.dev" not in text


def test_module_for_production_is_named_in_the_refusal(project: Path, manage: Manage) -> None:
    """What stands beside the module for development is named as it is to be typed, if it is there."""
    go_to_production(project, manage)
    assert "DJANGO_SETTINGS_MODULE: mysite.settings.production;" in manage("multihost_emit", "uwsgi").stderr
    (project / "mysite/settings/production.py").rename(project / "mysite/settings/live.py")
    done = manage("multihost_emit", "uwsgi")
    assert done.returncode == 2
    assert "DJANGO_SETTINGS_MODULE, such as mysite.settings.production;" in done.stderr


def test_emitting_settings_without_the_resolver_is_refused_in_production(project: Path, manage: Manage) -> None:
    """All sites would run with the same database: base settings are no module for a site."""
    go_to_production(project, manage)
    done = manage("multihost_emit", "uwsgi", "--settings", "mysite.settings.base")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'mysite.settings.base' does not call resolve().apply(globals())" in done.stderr


def test_codebase_of_a_release_is_emitted_by_whatever_settings(project: Path, manage: Manage) -> None:
    """The files name the module of the release, so DEBUG of the command's own settings is of no meaning."""
    go_to_production(project, manage)
    for name in ("production", "dev"):
        made = manage("multihost_codebase", "--output", f"{name}.json", "--settings", f"mysite.settings.{name}")
        assert made.returncode == 0, made.stderr
    done = manage("multihost_emit", "uwsgi", "--codebase", "production.json")
    assert done.returncode == 0, done.stderr
    assert "DJANGO_SETTINGS_MODULE=mysite.settings.production" in done.stdout
    done = manage("multihost_emit", "uwsgi", "--codebase", "dev.json", "--settings", "mysite.settings.production")
    assert (done.returncode, done.stdout) == (2, "")


def test_tutorial_on_its_own_machine_is_quiet(project: Path, manage: Manage) -> None:
    """Names that lead to the visitor's own machine are no reason for cautions."""
    done = manage("multihost_emit", "nginx")
    assert done.returncode == 0
    assert "Caution" not in done.stderr

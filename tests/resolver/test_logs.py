"""LOGGING."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.folders import prepare_private_folders
from wagtail_multihost.resolver.logs import OURS, SITE_FILTER, log_settings

FILE = "logging.handlers.WatchedFileHandler"
LOGS = "/srv/data/sites/aurora/logs"


def logging_of(project: dict[str, object]) -> Any:
    return values_of(log_settings(a_platform(), a_site(), project)).get("LOGGING")


def with_handlers(handlers: dict[str, Any], **others: Any) -> dict[str, object]:
    return {"LOGGING": {"version": 1, "handlers": handlers, **others}}


@pytest.mark.parametrize(
    "project",
    [
        {},
        {"LOGGING": None},
        {"LOGGING": {"version": 1}},
        with_handlers({"a": {}}, incremental=True),
    ],
)
def test_logging_without_handlers_stays_as_it_is(project: dict[str, object]) -> None:
    """A project without handlers of its own has Django's."""
    assert logging_of(project) is None


def test_logging_filters_of_handlers_are_kept_and_ours_is_added() -> None:
    """Every handler gives records the site, after the filters it has; the project's table is not written to."""
    handlers = {"plain": {"class": "logging.StreamHandler"}, "own": {"()": "project.Handler", "filters": ["quiet"]}}
    project = with_handlers(handlers, filters={"quiet": {"name": "quiet"}})
    before = json.dumps(project)
    result = logging_of(project)
    assert result["filters"] == {"quiet": {"name": "quiet"}, OURS: {"()": SITE_FILTER, "site": "aurora"}}
    assert [handler["filters"] for handler in result["handlers"].values()] == [[OURS], ["quiet", OURS]]
    assert json.dumps(project) == before


@pytest.mark.parametrize(
    ("formatter", "result"),
    [
        ({}, {"format": "%(site)s %(message)s"}),
        ({"format": "%(levelname)s %(message)s"}, {"format": "%(site)s %(levelname)s %(message)s"}),
        ({"format": "{message}", "style": "{"}, {"format": "{site} {message}", "style": "{"}),
        ({"format": "$message", "style": "$"}, {"format": "${site} $message", "style": "$"}),
        ({"format": "[%(site)-9s] %(message)s"}, {"format": "[%(site)-9s] %(message)s"}),
        ({"format": "{site:>9} {message}", "style": "{"}, {"format": "{site:>9} {message}", "style": "{"}),
        ({"format": "$site $message", "style": "$"}, {"format": "$site $message", "style": "$"}),
        ({"class": "logging.Formatter", "format": "a"}, {"class": "logging.Formatter", "format": "%(site)s a"}),
        ({"class": "project.JsonFormatter", "format": "a"}, {"class": "project.JsonFormatter", "format": "a"}),
        ({"()": "project.JsonFormatter", "fmt": "a"}, {"()": "project.JsonFormatter", "fmt": "a"}),
        ({"format": "%s", "style": "?"}, {"format": "%s", "style": "?"}),
    ],
)
def test_logging_formats_get_the_site_in_front(formatter: dict[str, Any], result: dict[str, Any]) -> None:
    """Plain formats that do not say the site begin with it; classes of the project's own are left alone."""
    handlers = {"a": {"class": "logging.StreamHandler", "formatter": "own"}}
    assert logging_of(with_handlers(handlers, formatters={"own": formatter}))["formatters"]["own"] == result


def test_logging_handlers_without_a_formatter_get_one() -> None:
    """A handler of the standard library's says the site; one of the project's own makes its lines itself."""
    handlers = {"a": {"class": "logging.StreamHandler"}, "b": {"class": "project.Handler"}, "c": {"()": "project.make"}}
    result = logging_of(with_handlers(handlers))["handlers"]
    assert {name: handler.get("formatter") for name, handler in result.items()} == {"a": OURS, "b": None, "c": None}


@pytest.mark.parametrize(
    ("filename", "result"),
    [
        ("/var/log/django/error.log", f"{LOGS}/error.log"),
        ("error.log", f"{LOGS}/error.log"),
        (Path("/var/log/error.log"), f"{LOGS}/error.log"),
        ("/var/log/aurora-1/error.log", f"{LOGS}/error.log"),
        ("/var/log/my-aurora.log", f"{LOGS}/my-aurora.log"),
        ("/var/log/aurora/error.log", "/var/log/aurora/error.log"),
        ("/var/log/django_aurora.log", "/var/log/django_aurora.log"),
        ("/var/log/django.aurora.log", "/var/log/django.aurora.log"),
        ("/dev/stderr", "/dev/stderr"),
        ("/proc/self/fd/1", "/proc/self/fd/1"),
    ],
)
def test_logging_file_of_all_sites_becomes_one_of_the_sites(filename: object, result: str) -> None:
    """A file whose path has the site's id as a word stays; another one goes to the site's folder of logs."""
    handlers = {"file": {"class": FILE, "filename": filename}}
    assert logging_of(with_handlers(handlers))["handlers"]["file"]["filename"] == result


def test_logging_files_of_the_same_name_stay_apart() -> None:
    """Two files of one name in two folders do not become one; one file of two handlers does."""
    paths = {"a": "/var/log/a/error.log", "b": "/var/log/b/error.log", "c": "/var/log/a/error.log"}
    handlers = {name: {"class": FILE, "filename": path} for name, path in paths.items()}
    result = logging_of(with_handlers(handlers))["handlers"]
    assert [handler["filename"] for handler in result.values()] == [
        f"{LOGS}/error.log",
        f"{LOGS}/b-error.log",
        f"{LOGS}/error.log",
    ]


def test_logging_folder_is_made_for_the_site_and_its_group(tmp_path: Path) -> None:
    """The handlers open their files at once, so the folder is there before; an open stream is no obstacle."""
    platform, site = a_platform(data=tmp_path), a_site()
    handlers = {
        "file": {"class": FILE, "filename": "a.log"},
        "out": {"class": "logging.StreamHandler", "stream": sys.stdout},
    }
    values = values_of(log_settings(platform, site, with_handlers(handlers)))
    assert prepare_private_folders(platform, site, values) == {}
    assert (tmp_path / "sites" / "aurora" / "logs").stat().st_mode & 0o777 == 0o750


def test_logging_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Logs that would be lost stop the process, with the folder's name."""
    (tmp_path / "sites").write_text("a file")
    platform, site = a_platform(data=tmp_path), a_site()
    values = values_of(log_settings(platform, site, with_handlers({"file": {"class": FILE, "filename": "a.log"}})))
    with pytest.raises(ConfigurationError, match="cannot be created"):
        prepare_private_folders(platform, site, values)


SCRIPT = """
import json, logging, logging.config, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
logging.getLogger("project").warning("a line", extra={"site": "not this"})
"""


def test_logging_lines_say_the_site(tmp_path: Path) -> None:
    """What Python writes with the result has the site in every line of every handler."""
    (tmp_path / "aurora").mkdir()
    file = tmp_path / "aurora" / "a.log"
    handlers = {
        "file": {"class": FILE, "filename": str(file), "formatter": "braces"},
        "bare": {"class": "logging.StreamHandler"},
    }
    formatters = {"braces": {"format": "{levelname} {message}", "style": "{"}}
    project = with_handlers(handlers, formatters=formatters, root={"handlers": [*handlers], "level": "INFO"})
    completed = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(logging_of(project))], check=True, capture_output=True, text=True
    )
    assert completed.stderr == "aurora a line\n"
    assert file.read_text() == "aurora WARNING a line\n"

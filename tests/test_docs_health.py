"""The documentation of health names everything that there is, and its examples work."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.test_docs import DOCS, PAGES, blocks, refuse_words, section
from wagtail_multihost.health import contrib, probes
from wagtail_multihost.health.access import Gate, HealthRequest
from wagtail_multihost.health.asking import ServerQuery as ask_for
from wagtail_multihost.health.asking import add_arguments
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import FORMATS, Endpoint
from wagtail_multihost.health.formats import MEDIA_TYPES
from wagtail_multihost.health.options import DEFAULT_PROBES, HealthOptions, read_settings
from wagtail_multihost.health.probe import CODES, Outcome, Probe, is_required
from wagtail_multihost.health.report import ProbeEntry, ProbeResult, Report, make_report
from wagtail_multihost.health.seen import WORDS
from wagtail_multihost.health.status import Criticality, Status
from wagtail_multihost.signals import health_changed

EXAMPLES = DOCS / "examples"
ROW = re.compile(r"^\| `([^`|]+)` \|(.*)\|$", re.MULTILINE)
SITE = "aurora"
TOKEN = "t" * 32


class Still:
    """A source whose report is what a test says."""

    def __init__(self, report: Report | None) -> None:
        self.report = report

    def ask(self) -> Report | None:
        return self.report

    def wait(self, seconds: float) -> Report | None:
        return self.report


def report_of(status: Status = Status.PASS, *, age: float = 0) -> Report:
    now = time.monotonic()
    return Report(sites={SITE: status}, status=status, fresh_until=now + 60 - age, made=now)


def endpoint_of(folder: Path, report: Report | None) -> Endpoint:
    drain = Drain(folder / "drain")
    return Endpoint(HealthOptions(), Still(report), Gate(lambda: [TOKEN], ()), drain, sites=(SITE,), service=SITE)


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells beside the first one of each row that begins with code, below a heading of the reference."""
    found = ROW.findall(section("health.md", heading))
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in found}


def probe_classes() -> Iterator[tuple[str, type[Probe]]]:
    """Yield each probe that the package has, found as a project would have to name it."""
    for package in (probes, contrib):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            try:
                module = importlib.import_module(found.name)
            except ImportError:  # its extra is not installed in this environment
                assert package is contrib
                continue
            for name, value in vars(module).items():
                if issubclass(type(value), type) and issubclass(value, Probe) and value.__module__ == found.name:
                    yield f"{found.name}.{name}", value


def stated(cell: str) -> Any:
    """Return the value of a default as the reference has it."""
    return ast.literal_eval(cell.strip("`"))


def plain(value: object) -> object:
    """Return a default in the types that a settings module has."""
    if isinstance(value, Criticality):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def default_of(option: Field[Any]) -> object:
    if option.default_factory is not MISSING:
        return plain(option.default_factory())
    return plain(option.default)


def test_every_key_of_the_setting_has_a_row_with_its_default() -> None:
    """The table of MULTIHOST_HEALTH has each declared key, and no other, with the default that the code has."""
    documented = rows("MULTIHOST_HEALTH")
    declared = {option.name.upper(): option for option in fields(HealthOptions)}
    assert list(documented) == [*declared, "PROBES"]
    assert {name: stated(documented[name][1]) for name in declared} == {
        name: plain(option.default) for name, option in declared.items()
    }
    assert re.findall(r"`(\w+)`", documented["PROBES"][1]) == list(DEFAULT_PROBES)


@pytest.mark.parametrize(("path", "probe"), [pytest.param(*found, id=found[0]) for found in probe_classes()])
def test_every_probe_has_a_section_with_its_options_and_codes(path: str, probe: type[Probe]) -> None:
    """Each probe of the package is a heading, with each option of its own, its default, and each code it declares."""
    documented, common = rows(path), {option.name: default_of(option) for option in fields(Probe)}
    own = [option for option in fields(probe) if option.init and common.get(option.name, MISSING) != default_of(option)]
    assert set(documented) == {option.name for option in own} | set(probe.codes)
    for option in own:
        if is_required(option):
            assert documented[option.name][1] == "required"
        else:
            assert stated(documented[option.name][1]) == default_of(option)
        assert documented[option.name][2]
    for code, meaning in probe.codes.items():
        assert documented[code] == [meaning]
        assert meaning.endswith(".")


def test_what_all_probes_have_is_documented() -> None:
    """The options and codes that every probe has are in the reference, with their defaults."""
    documented = rows("Probes")
    assert {name: stated(documented[name][1]) for name in ("criticality", "timeout", "interval", "retry")} == {
        option.name: default_of(option) for option in fields(Probe)
    }
    assert {word.value for word in Criticality} <= set(documented)
    assert set(rows("Codes")) == set(CODES)


def test_every_path_is_documented_and_answered(tmp_path: Path) -> None:
    """The table of paths has each path that the endpoint answers, and no other."""
    endpoint = endpoint_of(tmp_path, report_of())
    answered = {path.removeprefix(endpoint.prefix).rstrip("/") for path in endpoint.routes}
    documented = {path.replace("site/ID", f"site/{SITE}") for path in rows("Paths")}
    assert documented == answered
    assert set(FORMATS) <= documented


def test_every_media_type_is_documented() -> None:
    """The table of forms has each media type that `health` is written in."""
    assert list(rows("Forms")) == list(MEDIA_TYPES)


def codes_of_words(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield each word that `ready` says in the states there are, and its status code."""
    old = report_of(age=120)
    for report in (*(report_of(status) for status in Status), None, old):
        answer = endpoint_of(folder, report).answer(HealthRequest("GET", "/-/ready"))
        assert answer is not None
        yield answer.body.decode(), answer.status
    draining = endpoint_of(folder, report_of())
    draining.drain.begin()
    answer = draining.answer(HealthRequest("GET", "/-/ready"))
    assert answer is not None
    yield answer.body.decode(), answer.status


def test_every_word_is_documented_with_its_status_code(tmp_path: Path) -> None:
    """The table of words has what `ready` says in each state, with the code it has then."""
    documented = {word: int(cells[0]) for word, cells in rows("Words").items()}
    assert documented == dict(codes_of_words(tmp_path))
    assert set(documented) == set(WORDS)


def test_every_argument_of_the_signal_is_documented() -> None:
    """The section on the signal names each argument that a receiver gets."""
    from wagtail_multihost.health.process import announce

    heard: list[dict[str, object]] = []

    def hear(**arguments: object) -> None:
        heard.append(arguments)

    health_changed.connect(hear, weak=False)
    try:
        announce(None, report_of(Status.FAIL))
    finally:
        health_changed.disconnect(hear)
    text = section("health.md", "Signal")
    assert heard
    assert [name for name in set(heard[0]) - {"signal", "sender"} if f"`{name}`" not in text] == []


STATED = re.compile(r"`([A-Za-z_]{3,})` \(([0-9.]+)\b")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_defaults_stated_in_pages_are_right(path: Path) -> None:
    """A page that says `STALE` (60 s) says what the code has."""
    declared = {option.name.upper(): option.default for option in fields(HealthOptions)}
    declared |= {option.name: option.default for option in fields(Probe)}
    wrong = [
        (name, value)
        for name, value in STATED.findall(path.read_text(encoding="utf-8"))
        if name in declared and declared[name] != float(value)
    ]
    assert wrong == []


def test_defaults_stated_wrongly_are_noticed() -> None:
    """The form that is looked for in pages is the one that they use."""
    found = [name for path in PAGES for name, _ in STATED.findall(path.read_text(encoding="utf-8"))]
    assert {"INTERVAL", "RETRY", "STALE", "BUDGET", "IDLE", "QUORUM", "timeout"} <= set(found)


def health_settings(text: str) -> Any:
    """Return MULTIHOST_HEALTH of a module's text; None without one."""
    if "MULTIHOST_HEALTH =" not in text:
        return None
    values: dict[str, Any] = {"__name__": "settings"}
    exec(compile(text, "settings", "exec"), values)  # the text is the documentation's
    return values["MULTIHOST_HEALTH"]


def settings_in_pages() -> Iterator[Any]:
    yield pytest.param((EXAMPLES / "health_settings.py").read_text(encoding="utf-8"), id="health_settings.py")
    for path in PAGES:
        for number, text in enumerate(blocks(path, "python")):
            if "MULTIHOST_HEALTH =" in text:
                yield pytest.param(text, id=f"{path.name}-{number}")


@pytest.mark.parametrize("text", list(settings_in_pages()))
def test_settings_in_pages_are_accepted(text: str, own_probe: None) -> None:
    """Each MULTIHOST_HEALTH that a page or an example has is read without a problem."""
    settings = read_settings(health_settings(text))
    assert settings.probes
    assert all(settings.probes.values())


@pytest.fixture
def own_probe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the example of a probe what pages import as mysite.probes; return its class."""
    values = runpy.run_path(str(EXAMPLES / "publishing_probe.py"), run_name="mysite.probes")
    module = SimpleNamespace(PublishingProbe=values["PublishingProbe"])
    monkeypatch.setitem(sys.modules, "mysite.probes", module)
    return values["PublishingProbe"]


@pytest.mark.django_db
def test_the_example_of_a_probe_finds_pages_that_are_late(own_probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes where nothing waits, warns of a revision whose time has passed, and closes its connection."""
    from datetime import timedelta

    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from django.utils import timezone
    from wagtail.models import Page, Revision

    closed: list[bool] = []
    monkeypatch.setattr(type(connection._connections["default"]), "close", lambda self: closed.append(True))
    probe = own_probe(late=60)
    (outcome,) = probe.measure()
    assert (outcome.status, outcome.code) == (Status.PASS, "ok")
    kind = ContentType.objects.get_for_model(Page)
    moment = timezone.now() - timedelta(hours=1)
    Revision.objects.create(
        content_type=kind, base_content_type=kind, object_id="1", content={}, approved_go_live_at=moment
    )
    (outcome,) = probe.measure()
    assert (outcome.status, outcome.code, outcome.value) == (Status.WARN, "overdue", 1)
    assert outcome.code in probe.codes
    assert closed == [True, True]


def container() -> dict[str, Any]:
    return dict(pod()["containers"][0])


def pod() -> dict[str, Any]:
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8"))
    (deployment,) = [document for document in documents if document["kind"] == "Deployment"]
    return dict(deployment["spec"]["template"]["spec"])


@pytest.mark.parametrize("kind", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_of_the_kubernetes_example_are_answered(kind: str, tmp_path: Path) -> None:
    """Each probe of the deployment asks its own path, at a port that the container has, and is answered 200."""
    probe, names = container()[kind], {port["name"] for port in container()["ports"]}
    asked = probe["httpGet"]
    answer = endpoint_of(tmp_path, report_of()).answer(HealthRequest("GET", asked["path"]))
    assert answer is not None
    assert answer.status == 200
    paths = {"startupProbe": "/-/startup", "livenessProbe": "/-/live", "readinessProbe": "/-/ready"}
    assert asked["path"] == paths[kind]
    assert asked["port"] in names


def test_the_kubernetes_example_has_time_to_stop() -> None:
    """The wait of preStop and the server's time to finish fit into the grace period, which both use up."""
    grace = pod()["terminationGracePeriodSeconds"]
    wait = int(re.findall(r"--wait=(\d+)", " ".join(container()["lifecycle"]["preStop"]["exec"]["command"]))[0])
    finish = int(re.findall(r"--graceful-timeout=(\d+)", " ".join(container()["command"]))[0])
    ready = container()["readinessProbe"]
    assert wait + finish < grace
    assert ready["periodSeconds"] * ready["failureThreshold"] + ready.get("timeoutSeconds", 1) < wait


def test_the_port_of_the_kubernetes_example_is_the_servers() -> None:
    """The server listens at the port that the container names."""
    (port,) = [port["containerPort"] for port in container()["ports"]]
    assert f"--bind=0.0.0.0:{port}" in container()["command"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_yaml_examples_are_valid(path: Path) -> None:
    """Each document of a YAML example is a mapping."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert documents and all(isinstance(document, dict) for document in documents)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_yaml_in_pages_is_valid(path: Path) -> None:
    """Each YAML block in a page is valid."""
    for text in blocks(path, "yaml"):
        assert all(yaml.safe_load_all(text))


def test_metrics_of_the_rules_and_the_page_are_those_that_there_are(tmp_path: Path) -> None:
    """Each metric that an alert asks for is in the answer, and the page has a row for each of them and no other."""
    entry = ProbeEntry("disk", Counting(), SITE)
    result = ProbeResult(entry, (Outcome(Status.PASS, value=1, unit="days"),), time.monotonic(), 0, 0)
    report = make_report([result], [SITE], quorum=50, stale=60, now=time.monotonic(), time=0)
    question = HealthRequest("GET", "/-/metrics", authorization=f"Bearer {TOKEN}")
    answer = endpoint_of(tmp_path, report).answer(question)
    assert answer is not None
    found = set(re.findall(r"^# TYPE (\w+)", answer.body.decode(), re.MULTILINE))
    rules = (EXAMPLES / "prometheus-rules.yaml").read_text(encoding="utf-8")
    page = (DOCS / "how-to" / "watch-with-prometheus.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmultihost_\w+", rules)) - found == set()
    assert set(re.findall(r"^\| `(multihost_\w+)`", page, re.MULTILINE)) == found


@dataclass(frozen=True, kw_only=True)
class Counting(Probe):
    """A probe that is never run."""

    def measure(self) -> Iterator[Outcome]:
        raise NotImplementedError


def test_the_prometheus_example_asks_for_what_there_is(tmp_path: Path) -> None:
    """The path that is scraped is answered, and the file of rules is the example."""
    document = yaml.safe_load((EXAMPLES / "prometheus.yaml").read_text(encoding="utf-8"))
    answer = endpoint_of(tmp_path, None).answer(HealthRequest("GET", document["scrape_configs"][0]["metrics_path"]))
    assert answer is not None
    assert answer.status == 200
    assert [(EXAMPLES / name).is_file() for name in document["rule_files"]] == [True]


def health_lines() -> Iterator[Any]:
    """Yield the words after multihost-health of every command line in a page or an example."""
    for path in PAGES:
        for block in blocks(path, "shell", "console", "bash", "docker"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("multihost-health "):
                    yield pytest.param(shlex.split(line)[1:], id=f"{path.name}: {line[:60]}")
    (words,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", (EXAMPLES / "Dockerfile").read_text(), re.MULTILINE)
    yield pytest.param(json.loads(words)[1:], id="Dockerfile")
    words = json.loads((EXAMPLES / "ecs-health-check.json").read_text())["healthCheck"]["command"]
    yield pytest.param(words[2:], id="ecs-health-check.json")


@pytest.mark.parametrize("words", list(health_lines()))
def test_command_lines_of_multihost_health_are_accepted(words: list[str]) -> None:
    """Each command line in a page or an example has options that there are, and asks a path that there is."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser, asks_always=True)
    options = parser.parse_args(words)
    options.token_file = None
    path = ask_for(options).path
    assert path.removeprefix("/-/").rstrip("/") in {"ready", "live", "drain", "health.txt", "health.json"}
    assert (options.probe, options.drain, options.undrain).count(True) <= 1


@pytest.mark.parametrize("name", ["Dockerfile", "ecs-health-check.json"])
def test_container_checks_end_with_0_or_1(name: str) -> None:
    """The examples for Docker and ECS have --probe, as both know no other exit codes."""
    assert '"--probe"' in (EXAMPLES / name).read_text(encoding="utf-8")


LOGGED = """
import logging.config, runpy
logging.config.dictConfig(runpy.run_path("gunicorn.conf.py")["logconfig_dict"])
for path, status in (("/-/ready", "200"), ("/-/ready", "503"), ("/page", "200")):
    logging.getLogger("gunicorn.access").info("%(U)s %(s)s", {"U": path, "s": status})
"""


def test_the_example_of_gunicorns_logs_drops_probes() -> None:
    """With the logging of the example a probe that passed leaves no line; one that did not, and a page, do."""
    done = subprocess.run(
        [sys.executable, "-c", LOGGED], cwd=EXAMPLES, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.splitlines()) == (0, ["/-/ready 503", "/page 200"])


def test_pre_stop_of_the_kubernetes_example_is_a_command_that_there_is() -> None:
    """What preStop runs is accepted by the command, and drains."""
    python, manage, *words = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert (python, manage) == ("python", "manage.py")
    assert refuse_words(words) == ""
    assert "--drain" in words

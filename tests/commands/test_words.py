"""What commands print of what they have found, and how they start another process."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.core.management.base import CommandError
from django.db import Error

from tests.health import samples
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.as_site.run import RunRequest
from wagtail_multihost.emitters.apply import ApplyResult
from wagtail_multihost.exceptions import ApplyError, ConfigurationError
from wagtail_multihost.health.probe import failed, passed, warned
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.launch.guard import Ended
from wagtail_multihost.management import as_site
from wagtail_multihost.management.as_site import SiteCommand, own_identity_or_start, start_as_site, without_registry
from wagtail_multihost.management.command import has_no_reader
from wagtail_multihost.management.commands import multihost_adopt, multihost_explain, multihost_health
from wagtail_multihost.management.commands.multihost_apply import Command as Apply
from wagtail_multihost.management.commands.multihost_apply import describe_result, parse_command, parse_seconds
from wagtail_multihost.registry.keys import Key, declared
from wagtail_multihost.resolver.rotation import SiteCredential
from wagtail_multihost.running import Running

# multihost_apply


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ApplyResult(), ["Nothing differs."]),
        (ApplyResult(changed=("a", "b"), seconds=1.5), ["Changed: a", "Changed: b", "Applied in 1.5 s."]),
        (ApplyResult(removed=("a",), reloaded=True, seconds=2), ["Removed: a", "Applied, reloaded in 2 s."]),
        (ApplyResult(verified=True), ["Applied, verified generation in 0 s."]),
        (ApplyResult(verified=True, generation="abc"), ["Applied, verified generation abc in 0 s."]),
        (ApplyResult(together=True), ["Applied, together with another run in 0 s."]),
        (
            ApplyResult(changed=("a",), removed=("b",), reloaded=True, verified=True, generation="x", together=True),
            ["Changed: a", "Removed: b", "Applied, reloaded, verified generation x, together with another run in 0 s."],
        ),
    ],
)
def test_apply_says_what_was_done(result: ApplyResult, expected: list[str]) -> None:
    """A line for each file, and one for all that was done with them."""
    assert describe_result(result) == expected


def said(call: Callable[[Apply], None]) -> str:
    out = io.StringIO()
    call(Apply(stdout=out))
    return out.getvalue()


def test_apply_reports_in_the_form_that_is_asked_for() -> None:
    """JSON has every part of the result, and goes before silence; with verbosity 0 no line is printed."""
    result = ApplyResult(changed=("a",), reloaded=True, generation="g", seconds=1)
    assert json.loads(said(lambda own: own.report(result, json=True, verbosity=0))) == {
        "changed": ["a"],
        "removed": [],
        "reloaded": True,
        "verified": False,
        "generation": "g",
        "seconds": 1,
        "together": False,
    }
    assert said(lambda own: own.report(result, json=False, verbosity=1)) == "Changed: a\nApplied, reloaded in 1 s.\n"
    assert said(lambda own: own.report(result, json=False, verbosity=0)) == ""


def test_apply_that_looks_shows_in_the_form_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON goes before the diff, that before lines; files that would come are apart from those that would go."""
    changes: Any = [
        SimpleNamespace(path="a", new=object(), word="created"),
        SimpleNamespace(path="b", new=None, word="removed"),
    ]
    monkeypatch.setattr("wagtail_multihost.management.commands.multihost_apply.diff", lambda change: f"<{change.path}>")
    options = {"json": False, "diff": False, "verbosity": 1}

    def shown(found: Any = changes, **more: Any) -> str:
        return said(lambda own: own.show(found, **{**options, **more}))

    assert json.loads(shown(json=True, diff=True, verbosity=0)) == {"changed": ["a"], "removed": ["b"]}
    assert shown(diff=True, verbosity=0) == "<a><b>"
    assert shown() == "Would be created: a\nWould be removed: b\n"
    assert (shown(verbosity=0), shown([])) == ("", "Nothing differs.\n")


def test_time_and_hook_are_read_as_they_are_written() -> None:
    """A time is a number of seconds within a day, a hook words that no shell reads."""
    assert (parse_seconds("7"), parse_seconds("0.5"), parse_command("a 'b c' $d")) == (7, 0.5, ("a", "b c", "$d"))
    for text in ("0", "86400"):
        with pytest.raises(ArgumentTypeError):
            parse_seconds(text)
    for text in ("", "'"):
        with pytest.raises(ArgumentTypeError):
            parse_command(text)


# multihost_explain


def test_key_has_its_kind_type_default_meaning_and_variables() -> None:
    """One that is of every kind says none."""
    with_kind = next(key for key in declared() if key.kind)
    without = next(key for key in declared() if not key.kind)
    for key, first in ((with_kind, f"{with_kind.path} ({with_kind.kind})"), (without, without.path)):
        found: Key = key
        assert multihost_explain.lines_of_key(found) == [
            first,
            f"{key.type}; default: {key.default}",
            key.meaning,
            ", ".join(key.variables),
        ]


def test_credential_has_its_origin_and_what_a_change_invalidates() -> None:
    """What is blank of the origin is left out."""
    credential = SiteCredential("SECRET_KEY", "made", "", ("a", "b"))
    assert multihost_explain.lines_of_credential(credential) == [
        "SECRET_KEY",
        "made",
        "A change invalidates:",
        "- a",
        "- b",
    ]
    assert multihost_explain.lines_of_credential(credential._replace(source="from"))[1] == "made; from"
    assert multihost_explain.lines_of_credential(credential._replace(made="", source="from"))[1] == "from"


def a_row(kind: str, **changes: Any) -> dict[str, Any]:
    values = {"rule": "rule", "source": "file:1", "overrides": False, "overrode": None}
    return {"kind": kind, "name": "A", "value": {"b": 1}, **values, **changes}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (a_row("setting"), ['A = {"b": 1}', "rule; file:1"]),
        (a_row("setting", source=""), ['A = {"b": 1}', "rule"]),
        (a_row("setting", rule="", source=""), ['A = {"b": 1}']),
        (a_row("fact"), ['A = {"b": 1}', "file:1"]),
        (a_row("project"), ['A = {"b": 1}']),
        (
            a_row("setting", overrides=True, overrode=[1]),
            ['A = {"b": 1}', "rule; file:1", "overrides the project's [1]"],
        ),
    ],
)
def test_row_has_what_is_known_of_its_kind(row: Any, expected: list[str]) -> None:
    """A heading comes before the first row alone."""
    heading = [f"# {multihost_explain.HEADINGS[row['kind']]}"]
    assert list(multihost_explain.lines_of_rows([row, row])) == [heading, expected, expected]
    assert list(multihost_explain.lines_of_rows([])) == []


def test_settings_of_the_project_are_those_that_it_states(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the resolver made is not; what the project had in its place, and what was set after it, is."""
    settings.X_OWN, settings.X_MADE = "own", "made"
    applied = Running(values={"X_MADE": "made"})
    for latest, made in ((applied, {}), (None, {"X_MADE": "made"})):
        monkeypatch.setattr(running, "_current", latest)
        found = multihost_explain.current_settings({"X_BEFORE": 1, "X_OWN": "before"})
        assert {name: found[name] for name in found if name.startswith("X_")} == {"X_BEFORE": 1, "X_OWN": "own", **made}
        assert "APPEND_SLASH" not in found and "INSTALLED_APPS" in found


# multihost_adopt


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y", True), (" YES ", True), ("Y", True), ("n", False), ("", False), ("yess", False), (None, False)],
)
def test_adoption_is_confirmed_by_a_yes_alone(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, expected: bool
) -> None:
    """The question has the site and what would be done; no answer is none."""
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", ask)
    for retires, word in ((False, "Take over"), (True, "Retire")):
        adoption: Any = SimpleNamespace(retires=retires, own=OwnIdentity(a_platform(), a_site()))
        assert multihost_adopt.ask_confirmation(adoption) is expected
        assert asked[-1].startswith(word) and "aurora? [y/N]" in asked[-1]


class Adopted:
    """An adoption that notes what is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, needed: bool = True, steps: tuple[str, ...] = ()) -> None:
        self.is_needed, self.retires = needed, False
        self.own = OwnIdentity(a_platform(), a_site())
        self.plan = SimpleNamespace(steps=steps)
        self.done: list[str] = []
        self.forgets = self.confirms = True
        monkeypatch.setattr(multihost_adopt, "describe_adoption", lambda adoption: ["It is this."])
        monkeypatch.setattr(multihost_adopt, "ask_confirmation", lambda adoption: self.confirms)
        monkeypatch.setattr(multihost_adopt, "carry_out_adoption", lambda adoption: self.done.append("carried out"))
        monkeypatch.setattr(multihost_adopt.wagtail_site, "forget_root_paths", self.forget)

    def forget(self) -> bool:
        self.done.append("forgot")
        return self.forgets

    def run(self, **options: Any) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        given: Any = {"dry_run": False, "interactive": True, "json": False, **options}
        multihost_adopt.Command(stdout=out, stderr=err).adopt(self, **given)  # type: ignore[arg-type]
        return out.getvalue(), err.getvalue()


def test_adoption_that_is_needed_is_carried_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that Wagtail keeps are forgotten where rows were changed; a cache that is down is told of."""
    done = "It is this.\nDone. Restart the processes of aurora.\n"
    plain = Adopted(monkeypatch)
    assert (plain.run(), plain.done) == ((done, ""), ["carried out"])
    changed = Adopted(monkeypatch, steps=("a",))
    assert (changed.run(), changed.done) == ((done, ""), ["carried out", "forgot"])
    changed.forgets = False
    out, err = changed.run(interactive=False)
    assert out == done and "cache cannot be reached" in err


def test_adoption_that_is_declined_or_not_needed_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run asks nothing; who does not ask is not declined."""
    adoption = Adopted(monkeypatch, steps=("a",))
    adoption.confirms = False
    with pytest.raises(CommandError) as caught:
        adoption.run()
    assert caught.value.returncode == 1 and adoption.done == []
    assert (adoption.run(dry_run=True), adoption.done) == (("It is this.\n", ""), [])
    adoption.run(interactive=False)
    assert adoption.done == ["carried out", "forgot"]
    idle = Adopted(monkeypatch, needed=False)
    assert (idle.run(), idle.done) == (("It is this.\nThere is nothing to do.\n", ""), [])
    lines = {"site": "aurora", "lines": ["It is this."]}
    assert json.loads(idle.run(json=True)[0]) == {**lines, "needed": False, "done": False}
    assert json.loads(adoption.run(json=True, interactive=False)[0]) == {**lines, "needed": True, "done": True}


# Starting again as a site


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["a", "--registry", "x", "b"], ["a", "b"]),
        (["a", "--registry=x", "b"], ["a", "b"]),
        (["a", "--reg", "x"], ["a"]),
        (["a", "--r=x", "b"], ["a", "b"]),
        (["--registry"], []),
        (["--", "a"], ["--", "a"]),
        (["-", "--retire", "--registryx", "--=x", ""], ["-", "--retire", "--registryx", "--=x", ""]),
        (["a", "--registry", "--registry", "b"], ["a", "b"]),
    ],
)
def test_registry_is_taken_out_of_a_command_line(words: list[str], kept: list[str]) -> None:
    """With its value, also where it is abbreviated; everything else stays, in its order."""
    assert without_registry(words) == kept


def test_command_ends_as_the_one_that_it_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its code, and a sentence on stderr, escaped, where there is one."""
    asked: list[tuple[Any, ...]] = []
    request = RunRequest(registry="own.toml")
    monkeypatch.setattr(as_site, "registry_of", lambda url: ("registry", url))
    monkeypatch.setattr(as_site, "restart_words", lambda: ["python", "manage.py"])
    for code, sentence, printed in ((3, "", ""), (124, "It took\x1b too long.", "It took\\x1b too long.\n")):
        ended = Ended(code, sentence)
        monkeypatch.setattr(as_site, "run_as_site", lambda *words, ended=ended: asked.append(words) or ended)
        with pytest.raises(SystemExit) as caught:
            start_as_site("aurora", ["check"], request)
        assert caught.value.code == code
        assert capsys.readouterr() == ("", printed)
    assert asked[0] == ("aurora", ("registry", "own.toml"), ["python", "manage.py"], ["check"], request)


@pytest.fixture(name="started")
def _started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Note what is started, and be of no site."""
    found: list[tuple[Any, ...]] = []

    def start(*words: Any) -> NoReturn:
        found.append(words)
        raise SystemExit(0)

    monkeypatch.setattr(as_site, "start_as_site", start)
    monkeypatch.setattr(as_site, "own_identity", lambda: None)
    monkeypatch.setattr(as_site, "settings_module", lambda: "street.settings")
    monkeypatch.setattr(sys, "argv", ["manage.py", "multihost_own", "aurora", "--registry", "x.toml"])
    monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)
    return found


def test_process_of_no_site_starts_the_command_again(started: list[tuple[Any, ...]]) -> None:
    """As the site, with its words but for the registry, which goes along by itself."""
    with pytest.raises(SystemExit):
        own_identity_or_start("multihost_own", "aurora", "x.toml")
    assert started == [
        ("aurora", ["multihost_own", "aurora"], RunRequest(settings="street.settings", registry="x.toml"))
    ]


def test_process_of_the_site_goes_on(started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another registry is asked for than the one that it has."""
    own = OwnIdentity(a_platform(), a_site())
    monkeypatch.setattr(as_site, "own_identity", lambda: own)
    assert own_identity_or_start("multihost_own", "aurora", None) is own
    with pytest.raises(SystemExit):
        own_identity_or_start("multihost_own", "aurora", "x.toml")
    monkeypatch.setenv("MULTIHOST_REGISTRY", "x.toml")
    assert own_identity_or_start("multihost_own", "aurora", "x.toml") is own
    with pytest.raises(ConfigurationError, match=r"MULTIHOST_SITE.*names the site aurora.*for 'borealis'"):
        own_identity_or_start("multihost_own", "borealis", None)
    assert len(started) == 1


def test_process_that_is_not_the_commands_is_not_replaced(
    started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other code that calls the command must name the site itself."""
    for argv in (["manage.py", "other"], ["manage.py"], ["manage.py", "x", "multihost_own"]):
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(ConfigurationError, match=r"MULTIHOST_SITE.*must name the site 'aurora'"):
            own_identity_or_start("multihost_own", "aurora", None)
    assert started == []


class OwnSite(SiteCommand):
    """A command about a site's database."""

    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        if options["fails"]:
            raise Error("line\nof an error\x1b")
        self.stdout.write(own.site.id)


def test_error_of_a_database_is_a_sentence_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, whatever the server said; the command is named after its module."""
    asked: list[tuple[Any, ...]] = []
    own = OwnIdentity(a_platform(), a_site())
    monkeypatch.setattr(as_site, "own_identity_or_start", lambda *words: asked.append(words) or own)
    out = io.StringIO()
    OwnSite(stdout=out).run(site="aurora", registry="r", fails=False)
    assert (out.getvalue(), asked) == ("aurora\n", [("test_words", "aurora", "r")])
    with pytest.raises(CommandError, match="The database cannot be used: line of an error") as caught:
        OwnSite().run(site="aurora", registry=None, fails=True)
    assert caught.value.returncode == 2 and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["manage.py", "run.py", "__main__.py", "manage", "none.py"])
def test_program_is_a_script_that_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """By its absolute path; all else is started by the module django."""
    monkeypatch.chdir(tmp_path)
    for found in ("manage.py", "run.py", "__main__.py", "manage"):
        Path(found).touch()
    monkeypatch.setattr(sys, "argv", [name, "check"])
    script = [sys.executable, str(tmp_path / name)]
    module = [sys.executable, "-m", "django"]
    assert as_site.restart_words() == (script if name in ("manage.py", "run.py") else module)


# multihost_health


def test_line_of_a_probe_has_the_codes_of_what_is_wrong() -> None:
    """What passes is not in it, and a site that is well has the word alone."""
    found = samples.report(
        samples.sample("disk", warned("low", 1, "percent"), passed()),
        samples.sample("database", passed(), site="aurora"),
        samples.sample("migrations", failed("behind"), site="aurora"),
    )
    assert multihost_health.format_line("fail", found) == "fail: disk low, migrations behind"
    assert multihost_health.format_line("pass", samples.report(samples.sample("disk", passed()))) == "pass"


def test_status_words_are_coloured_where_lines_begin_with_them() -> None:
    """Each in its own colour, and no word that only begins alike or stands elsewhere."""
    command = multihost_health.Command(stdout=io.StringIO())
    styles: Any = {name: lambda text, name=name: f"<{name} {text}>" for name in ("SUCCESS", "WARNING", "ERROR")}
    command.style = SimpleNamespace(**styles)
    text = "pass a\nwarn\nfail fail\ndraining x\npassed\n pass\nstarting"
    assert command.coloured(text) == (
        "<SUCCESS pass> a\n<WARNING warn>\n<ERROR fail> fail\n<ERROR draining> x\npassed\n pass\nstarting"
    )


def test_logs_are_silent_for_a_probe_and_as_they_were_afterwards() -> None:
    """Whatever level was off before, and after an error as well."""
    logger = logging.getLogger("x")
    before = logging.root.manager.disable
    try:
        for level in (logging.NOTSET, logging.INFO):
            logging.disable(level)
            with pytest.raises(KeyError), multihost_health.silent_logs():
                assert not logger.isEnabledFor(logging.CRITICAL)
                raise KeyError
            assert logging.root.manager.disable == level
    finally:
        logging.disable(before)


def test_token_is_for_servers_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's, this process's own, and those of the account that the site is stated to have, if there is one."""
    monkeypatch.setattr(multihost_health.os, "geteuid", lambda: 4242)
    for account, expected in (("nobody", {0, 4242, 65534}), ("no-such-account", {0, 4242}), ("", {0, 4242})):
        platform: Any = SimpleNamespace(account_of=lambda site, account=account: account if site == "aurora" else "")
        monkeypatch.setattr(multihost_health, "own_identity", lambda platform=platform: OwnIdentity(platform, a_site()))
        assert multihost_health.server_accounts() == expected
    monkeypatch.setattr(multihost_health, "own_identity", lambda: None)
    assert multihost_health.server_accounts() == {0, 4242}


def test_shared_folder_is_told_of_where_a_site_has_no_other(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A process of no site drains nobody but itself."""
    for site, folder, told in (("aurora", None, 1), ("aurora", "/x", 0), ("", None, 0)):
        settings.FILE_UPLOAD_TEMP_DIR = folder
        monkeypatch.setattr(multihost_health, "own_id", lambda site=site: site)
        assert len(list(multihost_health.shared_folder_caution())) == told


def test_site_must_be_named_where_the_project_resolves_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that does not apply has one process for all."""
    for applied in (None, Running(platform=a_platform(), site=a_site())):
        monkeypatch.setattr(running, "_current", applied)
        multihost_health.refuse_no_site()
    monkeypatch.setattr(running, "_current", Running())
    with pytest.raises(ConfigurationError, match="No site is named") as caught:
        multihost_health.refuse_no_site()
    assert caught.value.problems[0].where == "--site"


def test_report_is_written_as_the_endpoint_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all details, the word, the site as the service and the version of the package."""
    monkeypatch.setattr(multihost_health, "own_version", lambda: "1.2")
    stated: Any = SimpleNamespace(options=SimpleNamespace(prefix="/ops/"))
    found = samples.report()
    document = json.loads(multihost_health.format_report("health.json", "warn", found, stated, "aurora"))
    assert (document["status"], document["serviceId"]) == ("warn", "aurora")
    assert document["releaseId"] == "1.2"
    text = multihost_health.format_report("health.txt", "draining", found, stated, "aurora")
    assert text.startswith("draining") and "borealis" in text


@pytest.mark.parametrize(
    ("raised", "probe", "expected"),
    [
        (SystemExit(0), True, 0),
        (SystemExit(None), True, None),
        (SystemExit(3), True, 1),
        (SystemExit(2), True, 1),
        (SystemExit(3), False, 3),
        (KeyboardInterrupt(), True, 1),
        (KeyboardInterrupt(), False, 2),
        (RuntimeError("x"), True, 1),
        (RuntimeError("x"), False, 2),
    ],
)
def test_command_ends_with_a_code_that_says_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    probe: bool,
    expected: int | None,
) -> None:
    """A probe with 0 or 1, whatever ends it; an error of the code is shown, and no output is tried again."""
    dropped: list[bool] = []

    def end(self: object, argv: list[str]) -> None:
        raise raised

    monkeypatch.setattr(multihost_health.MultihostCommand, "run_from_argv", end)
    monkeypatch.setattr(multihost_health, "drop_output", lambda: dropped.append(True))
    with pytest.raises(SystemExit) as caught:
        multihost_health.Command().run_from_argv(["manage.py", "multihost_health", *(["--probe"] if probe else [])])
    assert caught.value.code == expected
    is_error = isinstance(raised, RuntimeError)
    assert ("RuntimeError: x" in capsys.readouterr().err, dropped) == (is_error, [True] if is_error else [])


def test_output_that_could_not_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no file is left alone."""
    with open(tmp_path / "out", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        multihost_health.drop_output()
        os.write(stream.fileno(), b"late")
    assert (tmp_path / "out").read_bytes() == b""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    multihost_health.drop_output()


def test_probe_that_cannot_be_told_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the report has; without --probe it is the usual report."""
    out = io.StringIO()
    flushed: list[bool] = []
    command = multihost_health.Command(stdout=out)
    monkeypatch.setattr(out, "flush", lambda: flushed.append(True))

    def run(self: object, **options: Any) -> None:
        raise ConfigurationError.because("It is\n  wrong.")

    monkeypatch.setattr(multihost_health.Command, "run", run)
    with pytest.raises(SystemExit) as ended:
        command.handle(probe=True)
    assert ended.value.code == 1 and flushed
    assert out.getvalue().count("\n") == 1 and "It is wrong." in out.getvalue()
    with pytest.raises(CommandError) as caught:
        command.handle(probe=False)
    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ({"token": True, "url": "u"}, "print_token"),
        ({"url": "u", "drain": True}, "ask"),
        ({"url": "u"}, "ask"),
        ({"drain": True}, "drain"),
        ({"undrain": True}, "drain"),
        ({}, "look"),
    ],
)
def test_work_is_what_the_options_say(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], called: str) -> None:
    """One thing at a time, as the site where one is named; without one only a server can be asked."""
    done: list[str] = []
    started: list[tuple[Any, ...]] = []
    for name in ("print_token", "ask", "drain", "look"):
        monkeypatch.setattr(multihost_health.Command, name, lambda self, *words, name=name, **more: done.append(name))
    monkeypatch.setattr(multihost_health, "health_settings", lambda: "stated")
    monkeypatch.setattr(multihost_health, "own_identity_or_start", lambda *words: started.append(words))
    monkeypatch.setattr(multihost_health, "refuse_no_site", lambda: done.append("refused"))
    given = {"site": None, "registry": "r", "url": None, "token": False, "drain": False, "undrain": False, **options}
    multihost_health.Command().run(**given)
    assert done == ([] if "url" in options else ["refused"]) + [called]
    done.clear()
    multihost_health.Command().run(**{**given, "site": "aurora"})
    assert (done, started) == ([called], [("multihost_health", "aurora", "r")])


class Unread(io.StringIO):
    """A stream that has lost its file."""

    def __init__(self, error: Exception | None = None, descriptor: int = -1) -> None:
        super().__init__()
        self.error, self.descriptor = error, descriptor

    def fileno(self) -> int:
        if self.error:
            raise self.error
        return self.descriptor


@pytest.mark.parametrize(
    "stream", [Unread(OSError("x")), Unread(ValueError("x")), Unread()], ids=["os", "value", "none"]
)
def test_stream_without_a_file_is_left_alone(monkeypatch: pytest.MonkeyPatch, stream: Unread) -> None:
    """However it says so."""
    monkeypatch.setattr(sys, "stdout", stream)
    multihost_health.drop_output()
    if stream.error:
        assert has_no_reader(stream) is False


class Told:
    """A health command of the site aurora whose drain, probes and server are told what to find."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, draining: bool = False) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.is_draining, self.obeys, self.error = draining, True, None
        self.waited: list[float] = []
        self.asked: list[tuple[Any, ...]] = []
        self.stated: Any = SimpleNamespace(options=SimpleNamespace(drain_file="", prefix="/ops/"))
        self.command = multihost_health.Command(stdout=self.out, stderr=self.err)
        patch: Any = monkeypatch.setattr
        patch(multihost_health, "own_id", lambda: "aurora")
        patch(multihost_health, "site_tokens", lambda: ("own", "older"))
        patch(multihost_health, "shared_folder_caution", lambda: ["It is shared."])
        patch(multihost_health, "Drain", lambda path, site: self.asked.append((path, site)) or self)
        patch(multihost_health, "probe_entries", lambda *words: ("entries", *words))
        patch(multihost_health, "format_report", lambda *words: f"written {words[0]} {words[1]}")
        patch(multihost_health, "format_line", lambda word, report: f"line {word}")
        patch(multihost_health.Command, "coloured", lambda own, text: f"<{text}>")
        patch(multihost_health, "time", SimpleNamespace(sleep=self.waited.append))
        self.path = "/x/drain"

    def is_on(self) -> bool:
        return self.is_draining

    def begin(self) -> None:
        self.change(True)

    def end(self) -> None:
        self.change(False)

    def change(self, is_on: bool) -> None:
        if self.error:
            raise self.error
        self.is_draining = is_on if self.obeys else self.is_draining


def test_drain_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that others use is cautioned of, unless the settings state a file; the end is not waited for."""
    told = Told(monkeypatch)
    told.command.drain(told.stated, drain=True, undrain=False, wait=3, verbosity=1)
    assert (told.is_draining, told.waited, told.asked) == (True, [3], [("", "aurora")])
    assert (told.out.getvalue(), told.err.getvalue()) == ("draining: /x/drain\n", "Caution: It is shared.\n")
    told.command.drain(told.stated, drain=False, undrain=True, wait=3, verbosity=0)
    assert (told.is_draining, told.waited) == (False, [3, 0])
    assert (told.out.getvalue().splitlines()[1:], told.err.getvalue().count("\n")) == (["serving: /x/drain"], 1)
    told.stated.options.drain_file = "/own"
    told.command.drain(told.stated, drain=True, undrain=False, wait=0, verbosity=1)
    assert told.err.getvalue().count("\n") == 1 and told.asked[-1] == ("/own", "aurora")


def test_drain_that_did_not_work_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the file, and what the system said; a file that does not count is no drain."""
    told = Told(monkeypatch)
    told.error = PermissionError(13, "Permission denied")  # type: ignore[assignment]
    with pytest.raises(CommandError, match=r"/x/drain: Permission denied$") as caught:
        told.command.drain(told.stated, drain=True, undrain=False, wait=9, verbosity=0)
    told.error, told.obeys = None, False
    with pytest.raises(CommandError, match=r"/x/drain: The file was written or removed, but has no effect\.") as other:
        told.command.drain(told.stated, drain=True, undrain=False, wait=9, verbosity=0)
    assert (caught.value.returncode, other.value.returncode, told.waited, told.out.getvalue()) == (2, 2, [], "")


@pytest.mark.parametrize(
    ("options", "draining", "printed", "code"),
    [
        ({}, False, "<written health.txt warn\n>", 3),
        ({"json": True}, False, "written health.json warn\n", 3),
        ({"probe": True}, False, "line warn\n", None),
        ({}, True, "<written health.txt draining\n>", 1),
        ({"probe": True}, True, "line draining\n", 1),
    ],
)
def test_look_prints_what_probes_find(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, bool],
    draining: bool,
    printed: str,
    code: int | None,
) -> None:
    """In colours only what people read; what a project's own probe prints is not the command's output."""
    told = Told(monkeypatch, draining=draining)
    runs: list[tuple[Any, ...]] = []

    def run_once(*words: Any) -> Any:
        print("printed")
        runs.append(words)
        return SimpleNamespace(status="warn")

    monkeypatch.setattr("wagtail_multihost.health.sampler.run_once", run_once)
    given = {"probe": False, "json": False, **options}
    if code is None:
        told.command.look(told.stated, **given)
    else:
        with pytest.raises(SystemExit) as ended:
            told.command.look(told.stated, **given)
        assert ended.value.code == code
    assert (told.out.getvalue(), capsys.readouterr()) == (printed, ("", "printed\n"))
    assert runs == [(("entries", told.stated, "aurora"), ("aurora",), told.stated.options)]
    monkeypatch.setattr(multihost_health, "own_id", lambda: "")
    with pytest.raises(SystemExit):
        told.command.look(told.stated, probe=False, json=True)
    assert runs[1][1] == ()


@pytest.mark.parametrize(
    ("options", "printed", "code"),
    [
        ({}, "<shown False\n>", 3),
        ({"json": True}, "shown True\n", 3),
        ({"probe": True}, "warn\n", None),
        ({"drain": True}, "drained\n", None),
        ({"undrain": True}, "drained\n", None),
    ],
)
def test_ask_prints_what_a_server_says(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool], printed: str, code: int | None
) -> None:
    """It is asked with the site's own token, below the prefix of the settings; a drain is waited for."""
    told = Told(monkeypatch)
    questions: list[dict[str, Any]] = []
    question: Any = lambda given, **more: questions.append(more) or SimpleNamespace(reply=lambda: "reply")  # noqa: E731
    monkeypatch.setattr(multihost_health, "ServerQuery", question)
    monkeypatch.setattr(multihost_health, "server_accounts", lambda: {7})
    monkeypatch.setattr(multihost_health, "status_word", lambda reply: "warn" if reply == "reply" else "")
    monkeypatch.setattr(
        multihost_health, "format_reply", lambda reply, json: f"shown {json}" if reply == "reply" else ""
    )
    monkeypatch.setattr(multihost_health, "drain_word", lambda reply: "drained" if reply == "reply" else "")
    given = Namespace(**{"probe": False, "json": False, "drain": False, "undrain": False, "wait": 4, **options})
    if code is None:
        told.command.ask(told.stated, given)
    else:
        with pytest.raises(SystemExit) as ended:
            told.command.ask(told.stated, given)
        assert ended.value.code == code
    assert told.out.getvalue() == printed
    assert questions == [{"prefix": "/ops/", "token": "own", "accounts": {7}}]
    assert told.waited == ([4] if "drain" in options else [0] if "undrain" in options else [])


def test_token_is_printed_for_a_site_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of those that are accepted, by itself."""
    told = Told(monkeypatch)
    told.command.print_token()
    assert told.out.getvalue() == "own\n"
    monkeypatch.setattr(multihost_health, "own_id", lambda: "")
    with pytest.raises(ConfigurationError) as caught:
        told.command.print_token()
    assert caught.value.problems[0].where == "--site"


def test_apply_asks_for_what_its_options_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each time, the hook and the address; the folder is absolute; a refusal is exit code 1."""
    monkeypatch.chdir(tmp_path)
    requests: list[Any] = []
    module = "wagtail_multihost.management.commands.multihost_apply"
    monkeypatch.setattr(f"{module}.apply_request", lambda *words, **more: requests.append((words, more)) or "request")
    monkeypatch.setattr(f"{module}.apply", lambda request: ApplyResult(changed=(request,)))
    monkeypatch.setattr(f"{module}.find_changes", lambda request: SimpleNamespace(changes=[]))
    options: dict[str, Any] = {
        "output": Path("o"),
        "reload": ("a",),
        "verify": "http://h/",
        "reload_timeout": 1,
        "verify_timeout": 2,
        "lock_timeout": 3,
        "dry_run": False,
        "diff": False,
        "json": False,
        "verbosity": 1,
    }
    out = io.StringIO()
    command = Apply(stdout=out)
    command.run(**options)
    ((given, folder, caution), more) = requests[0]
    assert (given, folder, caution) == (options, tmp_path / "o", command.caution)
    assert more == {
        name: options[name] for name in ("reload", "verify", "reload_timeout", "verify_timeout", "lock_timeout")
    }
    assert out.getvalue() == "Changed: request\nApplied in 0 s.\n"
    for flag in ("dry_run", "diff"):
        command.run(**{**options, flag: True})
    assert out.getvalue().endswith("Applied in 0 s.\nNothing differs.\n")

    def refuse(request: object) -> NoReturn:
        raise ApplyError("It is refused.")

    monkeypatch.setattr(f"{module}.apply", refuse)
    with pytest.raises(CommandError, match="It is refused") as caught:
        command.run(**options)
    assert caught.value.returncode == 1

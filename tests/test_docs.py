"""The documentation names everything that there is, and its examples work."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError

from docs import generated
from docs.committed import filled_in
from tests.resolver.test_site_credentials import every_credential
from wagtail_multihost.emitters import emitters
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import NAME, declared, table_names
from wagtail_multihost.resolver.rotation import HOW_TO
from wagtail_multihost.spec.overrides import OVERRIDABLE

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(str(importlib.util.find_spec("wagtail_multihost").origin)).parent  # type: ignore[union-attr]
EXAMPLES = sorted((DOCS / "examples").glob("*.toml"))
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
CHECK_ID = re.compile(r"wagtail_multihost\.[CDEIW]\d{3}")
#: Commands of the control app, which is not installed beside sites.
OF_CONTROL = {path.stem for path in (PACKAGE / "control" / "management" / "commands").glob("multihost_*.py")}
# Stands in for a key that no table has, so that the report lists those it has.
UNKNOWN_KEY = "zzzzzzzz"


def page(name: str) -> str:
    """Return a page of the reference as readers see it, less its blocks of code, which may have comments with #."""
    text = filled_in((DOCS / "reference" / name).read_text(encoding="utf-8"), DOCS / "reference")
    return FENCE.sub(lambda block: block[0] if block[2] == "text" else "", text)


def section(name: str, heading: str) -> str:
    """Return the part of a page below ``heading``, down to the next heading of any level."""
    found = re.search(rf"^#+ `?{re.escape(heading)}`?\n(.*?)(?=^#|\Z)", page(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no heading {heading}."
    return found[1]


def blocks(path: Path, *languages: str) -> Iterator[str]:
    for indent, language, text in FENCE.findall(path.read_text(encoding="utf-8")):
        if language in languages:
            yield "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def manage_lines(path: Path) -> Iterator[list[str]]:
    """Yield the words after manage.py of every command line in a page."""
    for block in blocks(path, "shell", "console", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for call in re.findall(r"manage\.py ([^|;&)>]*)", line):
                yield shlex.split(call)


def refuse_words(words: list[str]) -> str:
    """Return why the words after manage.py are no command line, blank if they are one."""
    name, *arguments = words
    if name in OF_CONTROL:
        return ""  # tests/control/test_command_lines.py
    application = get_commands().get(name)
    if application is None:
        return f"There is no command {name}."
    command = application if isinstance(application, BaseCommand) else load_command_class(application, name)
    parser = command.create_parser("manage.py", name)
    # As call_command does: errors become exceptions.
    parser.called_from_command_line = False  # type: ignore[attr-defined]
    try:
        parsed = parser.parse_args(arguments)
    except CommandError as error:
        return str(error)
    return refuse_words(parsed.command) if name == "multihost_as" else ""


def shell_pages() -> list[Path]:
    return [path for path in PAGES if any(manage_lines(path))]


def test_every_check_has_a_heading_of_its_own() -> None:
    """Each id in the modules of checks is a heading of the page on checks, and no other id is."""
    ids = {found for path in (PACKAGE / "checks").glob("*.py") for found in CHECK_ID.findall(path.read_text("utf-8"))}
    headings = re.findall(r"^## `(.*)`$", page("checks.md"), re.MULTILINE)
    assert ids
    assert sorted(headings) == sorted(ids)


@pytest.mark.parametrize("name", sorted(generated.command_parsers()))
def test_every_command_is_documented_with_its_arguments(name: str) -> None:
    """Each command has a section that names every argument it declares and its exit codes."""
    text = section("commands.md", name)
    _, parser = generated.command_parsers()[name]
    actions = [action for action in generated.own_actions(parser) if "--help" not in action.option_strings]
    assert actions
    for action in actions:
        assert f"`{(action.option_strings or [action.metavar])[-1]}" in text
        assert action.help
    assert "exit codes:" in text.lower()


@pytest.mark.parametrize("target", sorted(emitters()))
def test_every_emitter_is_documented_with_its_files(target: str) -> None:
    """Each target has a section, and each file that it can write is in the table."""
    assert section("emitters.md", target)
    text = page("emitters.md")
    files = list(emitters()[target].emit(generated.example_plan("embedded.toml")))
    assert files
    for file in files:
        path = str(file.path).replace(file.site, "SITE") if file.site else str(file.path)
        assert f"| {target} | `{path}` |" in text


@pytest.mark.parametrize("example", ["minimal.toml", "servers.toml", "every-key.toml", None])
def test_every_resolved_setting_is_documented(example: str | None) -> None:
    """What the resolver sets with local files, with servers, with every key and in build mode is in the table."""
    names = {setting.name for setting in generated.settings_of(example)}
    documented = set(re.findall(r"^\| `(\w+)` \|", page("settings.md"), re.MULTILINE))
    assert names >= {"DATABASES", "CACHES", "SECRET_KEY", "ALLOWED_HOSTS"}
    assert names - OVERRIDABLE <= documented


@pytest.mark.parametrize("table", table_names())
def test_every_registry_key_has_a_row(table: str) -> None:
    """The section of each table of the registry has a row for each key that is declared, and for no other."""
    heading = table if "." not in table and table != "platform" else f"[{table}]"
    rows = re.findall(r"^\| `(\w+)` \|", section("registry.md", heading), re.MULTILINE)
    assert rows == [key.name for key in declared() if key.table == table]


def test_every_variable_is_documented() -> None:
    """Each MULTIHOST_ variable or prefix in the package's code is in the table of variables, and no other is."""
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if "templates" not in path.parts
    )
    # MULTIHOST_HEALTH is a setting: tests/test_docs_health.py.
    found = set(re.findall(r"\"(MULTIHOST_(?!CONTROL_)[A-Z_]+)\"", code)) - {"MULTIHOST_", "MULTIHOST_HEALTH"}
    documented = set(re.findall(r"^\| `(\w+)`", section("registry.md", "Variables"), re.MULTILINE))
    assert "MULTIHOST_SITE" in found
    assert documented == found


def test_every_setting_of_the_control_app_is_documented() -> None:
    """Each MULTIHOST_CONTROL_ setting in the control app's code is in its table, and no other is."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "control").rglob("*.py"))
    found = set(re.findall(r"\"(MULTIHOST_CONTROL_[A-Z_]+)\"", code))
    assert "MULTIHOST_CONTROL_CONFIRM_SHARE" in found
    assert set(re.findall(r"^\| `(\w+)`", section("control.md", "Settings"), re.MULTILINE)) == found


def accepted_keys(tmp_path: Path, text: str) -> set[str]:
    """Return the keys that the report on an unknown key lists."""
    path = tmp_path / "sites.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    (message,) = [problem.message for problem in caught.value.problems if UNKNOWN_KEY in problem.message]
    return set(message.partition("Accepted: ")[2].removesuffix(".").split(", "))


PLATFORM = '[platform]\nname = "aviary"\n'
SITE = '[sites.aurora]\nhostnames = ["aurora.example.org"]\n'


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("[platform]", f"{PLATFORM}{UNKNOWN_KEY} = 1\n{SITE}"),
        ("[platform.nginx]", f"{PLATFORM}nginx = {{ {UNKNOWN_KEY} = 1 }}\n{SITE}"),
        ("[platform.uwsgi]", f"{PLATFORM}uwsgi = {{ {UNKNOWN_KEY} = 1 }}\n{SITE}"),
        ("[sites.ID]", f"{PLATFORM}{SITE}{UNKNOWN_KEY} = 1\n"),
        ("database", f'{PLATFORM}{SITE}database = {{ engine = "postgresql", {UNKNOWN_KEY} = 1 }}\n'),
        ("database", f"{PLATFORM}{SITE}database = {{ {UNKNOWN_KEY} = 1 }}\n"),
        ("cache", f'{PLATFORM}{SITE}cache = {{ backend = "redis", {UNKNOWN_KEY} = 1 }}\n'),
        ("storage", f'{PLATFORM}{SITE}storage = {{ backend = "s3", {UNKNOWN_KEY} = 1 }}\n'),
        ("storage", f"{PLATFORM}{SITE}storage = {{ {UNKNOWN_KEY} = 1 }}\n"),
        ("mail", f'{PLATFORM}{SITE}mail = {{ host = "a", {UNKNOWN_KEY} = 1 }}\n'),
        ("frontend", f'{PLATFORM}{SITE}frontend = {{ backend = "cloudfront", zone = "a", {UNKNOWN_KEY} = 1 }}\n'),
        ("tls", f'{PLATFORM}{SITE}tls = {{ certificate = "/a", key = "/b", {UNKNOWN_KEY} = 1 }}\n'),
        ("names", f"{PLATFORM}{SITE}names = {{ {UNKNOWN_KEY} = 1 }}\n"),
    ],
)
def test_every_registry_key_is_documented(heading: str, text: str, tmp_path: Path) -> None:
    """Each key that the report on an unknown key lists has a row in that table's section."""
    keys = accepted_keys(tmp_path, text)
    assert len(keys) > 1
    documented = set(re.findall(r"^\| `(\w+)` \|", section("registry.md", heading), re.MULTILINE))
    assert keys <= documented


#: Tables in which the platform declares things under names of its own choice.
NAMED = ("platform.project_settings", "platform.env", "platform.codebases")


def example_keys(table: dict[str, object], path: str) -> Iterator[str]:
    """Yield the keys of a registry's table as the declarations have them, without ``_file``."""
    for stated, value in table.items():
        name = NAME if path in NAMED else stated
        yield f"{path}.{name.removesuffix('_file')}"
        if isinstance(value, dict):
            yield from example_keys(value, f"{path}.{name}")


def test_the_example_of_every_key_has_every_key() -> None:
    """Each declared key is in the example, for the platform or for a site, as a value or as a file."""
    document = tomllib.loads((DOCS / "examples" / "every-key.toml").read_text(encoding="utf-8"))
    found = set(example_keys(document["platform"], "platform"))
    for site in document["sites"].values():
        found |= set(example_keys(site, "sites.ID"))
    of_sites = {path.replace("platform.", "sites.ID.", 1) for path in found}
    wanted = {key.path.removesuffix("_file") for key in declared()}
    # A platform has one key, or a keyring in its place.
    assert wanted - found - of_sites == {"platform.secret_key"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_registries_load(example: Path) -> None:
    """Each example file is a valid registry."""
    assert open_registry(example, {}).load().enabled


def test_example_variables_load(tmp_path: Path) -> None:
    """The example is a valid registry of one site, as variables and as a file of them."""
    text = (DOCS / "examples" / "one-site.env").read_text(encoding="utf-8")
    environ = dict(line.split("=", 1) for line in text.split())
    file = tmp_path / "one-site.env"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    for registry in (open_registry(None, environ), open_registry(file, {})):
        (site,) = registry.load().sites
        assert (site.id, site.database.host, dict(site.settings)) == (
            "aurora",
            "db.internal",
            {"WAGTAIL_SITE_NAME": "Aurora"},
        )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_registries_in_pages_load(path: Path, tmp_path: Path) -> None:
    """Each registry that is written out in a page is valid; most pages include a file instead."""
    for number, text in enumerate(blocks(path, "toml")):
        registry = tmp_path / f"{number}.toml"
        registry.write_text(text, encoding="utf-8")
        assert open_registry(registry, {}).load().sites


@pytest.mark.parametrize("path", shell_pages(), ids=lambda path: path.name)
def test_command_lines_in_pages_are_accepted(path: Path) -> None:
    """Each manage.py command in a page exists and takes the arguments that it is given."""
    lines = list(manage_lines(path))
    assert lines
    assert [reason for words in lines if (reason := refuse_words(words))] == []


def test_command_lines_with_mistakes_are_noticed() -> None:
    """A command, or an option of one, that does not exist is told from one that does."""
    assert refuse_words(["multihost_sites", "--pin"]) == ""
    assert refuse_words(["multihost_as", "aurora", "migrate", "--plan"]) == ""
    assert refuse_words(["multihost_site"]) != ""
    assert refuse_words(["multihost_sites", "--pins"]) != ""
    assert refuse_words(["multihost_as", "aurora", "migrate", "--plans"]) != ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_in_pages_is_valid(path: Path) -> None:
    """Each Python example compiles, and the names it imports from this package exist."""
    for text in blocks(path, "python"):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wagtail_multihost"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    """Each relative link in a page leads to a file."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert [link for link in missing if link != "CONTRIBUTING.md"] == []


def test_threat_model_names_tests_that_exist() -> None:
    """Every test that the threat model gives as a proof is a function of the file that it names."""
    text = (DOCS / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 20
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")]
    assert missing == []


@pytest.mark.parametrize("example", ["front.toml", "servers.toml", "gunicorn.toml", "pinned.toml", "moved.toml"])
def test_examples_of_servers_are_in_production(example: str) -> None:
    """Each registry for real hostnames states it, with a key that nothing has to make."""
    platform = open_registry(DOCS / "examples" / example, {}).load().platform
    assert platform.environment == "production"
    assert "secret_key_file" in platform.sources


def test_the_how_to_of_keys_has_a_part_for_each_credential() -> None:
    """The page that ``multihost_explain --rotation`` names says how to change each key and password, under its name."""
    headings = [line for line in (ROOT / HOW_TO).read_text().splitlines() if line.startswith("## ")]
    names = [entry.name for entry in every_credential().values()]
    assert [name for name in names if not any(name in heading for heading in headings)] == []

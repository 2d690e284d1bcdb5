"""A target of another package has all that a built-in one has, without a line in this one."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Called
from tests.emitters.conftest import make_plan, make_platform, make_site
from wagtail_multihost.emitters import Plan, emitters
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.keys.schema import json_schema
from wagtail_multihost.registry.targets import BUILT_IN

Install = Callable[..., Path]
Call = Callable[..., Called]
REGISTRY = """\
[platform]
name = "aviary"
runner = "gunicorn"

[platform.caddy]
port = 8443
margin = 7

[sites.aurora]
hostnames = ["aurora.example.org"]

[sites.aurora.caddy]
margin = 9

[sites.borealis]
hostnames = ["borealis.example.org"]
"""
OTHERS = "from multihost_caddy import *\n"


def problems_of(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    return [(problem.where, problem.message) for problem in caught.value.problems]


def test_built_in_targets_are_those_that_a_registry_has_options_of() -> None:
    """Each has options, which its own name is that of the table of."""
    found = {name: emitters()[name].options for name in BUILT_IN}
    assert {name: options and f"{options.__module__}:{options.__name__}" for name, options in found.items()} == BUILT_IN
    assert [options and options.target for options in found.values()] == list(found)


def test_options_of_another_package_are_read_from_a_registry(install: Install, registry: Path) -> None:
    """A site's own lie over the platform's, and those over what the package declares."""
    install()
    registry.write_text(REGISTRY)
    contents = open_registry(registry, {}).load()
    kind = emitters()["caddy"].options
    assert kind
    plan = make_plan(*contents.sites, platform=contents.platform)
    aurora, borealis = plan.sites
    assert (plan.options(kind).port, plan.options(kind).encode) == (8443, "gzip")
    assert [plan.options(kind, site).margin for site in (aurora, borealis)] == [9, 7]
    assert (aurora.options, borealis.options) == ((("caddy", (("margin", 9),)),), ())


def test_options_of_another_package_are_read_from_variables(install: Install) -> None:
    """Names of variables are made of the name of the target, as for built-in ones."""
    install()
    environ = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_SITE_CADDY__MARGIN": "9",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_PLATFORM_CADDY__PORT": "8443",
    }
    platform, site = open_registry("env:", environ).site("aurora", reads_secrets=False)
    assert ([options.port for options in platform.options], site.options_of("caddy")) == ([8443], (("margin", 9),))


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("port = 8443", "port = 0", "platform.caddy.port", "The number 0 is not accepted: it must be 1 to 65535."),
        (
            "margin = 9",
            "marign = 9",
            "sites.aurora.caddy.marign",
            "The key 'marign' is not known. Did you mean margin?",
        ),
        (
            *("margin = 9", "port = 9", "sites.aurora.caddy.port"),
            "It is the same for all sites: state it in [platform.caddy].",
        ),
        ("[platform.caddy]", "[platform.cady]", "platform.cady", "The key 'cady' is not known. Did you mean caddy?"),
    ],
)
def test_options_of_another_package_are_checked(
    install: Install, registry: Path, old: str, new: str, where: str, message: str
) -> None:
    """Wrong and unknown ones are told under the key as it was written."""
    install()
    registry.write_text(REGISTRY.replace(old, new))
    [(found, said)] = problems_of(registry)
    assert (found, said[: len(message)]) == (f"sites.toml: {where}", message)


def test_table_of_a_package_that_is_not_installed_is_refused(registry: Path) -> None:
    """It may be one of a package that this machine lacks, and that is said, to the platform and to a site."""
    registry.write_text(REGISTRY)
    found = problems_of(registry)
    assert [where for where, _ in found] == ["sites.toml: platform.caddy", "sites.toml: sites.aurora.caddy"]
    assert all("no installed package has a target of that name" in said for _, said in found)


def test_site_without_such_a_table_looks_for_no_package(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed is read from the disk only for a table that is not known without."""

    def refuse(**options: str) -> None:
        raise AssertionError("looked for packages")

    monkeypatch.setattr(importlib.metadata, "entry_points", refuse)
    tables = "nginx = { rate = 5 }\nuwsgi = { processes = 3 }\nsystemd = { workers = 3 }\n"
    registry.write_text(f'[platform]\nname = "a"\n{tables}[sites.aurora]\nhostnames = ["a.example.org"]\n{tables}')
    platform, site = open_registry(registry, {}).site("aurora", reads_secrets=False)
    assert [options.target for options in platform.options] == [name for name, _ in site.options] == list(BUILT_IN)


@pytest.mark.parametrize(
    ("target", "text", "said"),
    [
        ("caddy", "raise RuntimeError('hunter2')\n", "cannot be loaded: RuntimeError."),
        (
            "lighttpd",
            f"{OTHERS}from dataclasses import replace\nEMITTER = replace(EMITTER, name='lighttpd')\n",
            "not those of",
        ),
        ("caddy", "class EMITTER:\n    options = 7\n", "not those of a target of that name"),
        ("mail", f"{OTHERS}CaddyOptions.target = 'mail'\n", "its name is that of another key"),
    ],
)
def test_package_with_options_that_no_registry_could_have_is_refused(
    install: Install, registry: Path, target: str, text: str, said: str
) -> None:
    """A sentence names the target, under the table where it was asked for; other registries go on."""
    folder = install(target, "other", text)
    folder.joinpath("multihost_caddy.py").write_text(Path(__file__).with_name("multihost_caddy.py").read_text())
    with pytest.raises(EmitError, match=said):
        declared()
    if target != "mail":
        registry.write_text(
            REGISTRY.replace("[platform.caddy]", f"[platform.{target}]").split("[sites.aurora.caddy]")[0]
        )
        [(where, message)] = problems_of(registry)
        assert where == f"sites.toml: platform.{target}"
        assert message.startswith("The ") and said in message and "hunter2" not in message


def test_keys_of_another_package_are_declared_and_in_the_schema(install: Install) -> None:
    """The reference, explain, forms and editors know them, with who may change each."""
    install()
    found = {key.path: key for key in declared() if "caddy" in key.path}
    assert {path: (key.type, key.default, key.who) for path, key in found.items()} == {
        "platform.caddy": ("table", "see there", "node"),
        "platform.caddy.port": ("1 to 65535", "443", "node"),
        "platform.caddy.errors": ("path", "none", "node"),
        "platform.caddy.encode": ('`"gzip"` or `"zstd"`', '"gzip"', "platform"),
        "platform.caddy.margin": ("1 to 60", "5", "platform"),
        "sites.ID.caddy": ("table", "the platform's", "platform"),
        "sites.ID.caddy.encode": ('`"gzip"` or `"zstd"`', "the platform's", "platform"),
        "sites.ID.caddy.margin": ("1 to 60", "the platform's", "platform"),
    }
    assert found["sites.ID.caddy.margin"].variables == ("MULTIHOST_SITE_CADDY__MARGIN",)
    assert found["platform.caddy"].meaning == "Options of the caddy emitter."
    platform = json_schema()["properties"]["platform"]["properties"]["caddy"]
    assert (platform["properties"]["port"]["maximum"], platform["additionalProperties"]) == (65535, False)


def test_explain_shows_the_keys_of_another_package(install: Install, call: Call) -> None:
    """For readers, for machines and for editors."""
    install()
    code, out, _ = call("multihost_explain", "--variables")
    assert code == 0 and "MULTIHOST_PLATFORM_CADDY__PORT" in out
    code, out, _ = call("multihost_explain", "--schema")
    site = next(iter(json.loads(out)["properties"]["sites"]["patternProperties"].values()))
    assert set(site["properties"]["caddy"]["properties"]) == {"encode", "margin"}


def test_files_of_another_package_are_emitted_and_compared(install: Install, call: Call, registry: Path) -> None:
    """multihost_emit writes them, knows that they are the same, and tells what is seldom meant."""
    install()
    registry.write_text(REGISTRY)
    output = registry.parent / "out"
    code, out, err = call("multihost_emit", "caddy", "--output", output)
    assert code == 0 and "platform.caddy" not in err
    assert {str(path.relative_to(output)) for path in (output / "caddy").rglob("*") if path.is_file()} == {
        *("caddy/Caddyfile", "caddy/sites/aurora", "caddy/sites/borealis"),
    }
    assert call("multihost_emit", "caddy", "--output", output, "--check")[0] == 0
    registry.write_text(REGISTRY.replace("margin = 9", "margin = 8"))
    code, out, _ = call("multihost_emit", "caddy", "--output", output, "--check")
    assert code == 1 and "caddy/sites/aurora" in out and "borealis" not in out
    registry.write_text(REGISTRY.replace("port = 8443", "port = 443"))
    assert (
        "platform.caddy.port: Only root can listen there."
        in call("multihost_emit", "caddy", "--check", "--output", output)[2]
    )


def test_files_of_another_package_are_applied_when_its_program_accepts_them(
    install: Install, call: Call, registry: Path
) -> None:
    """Its command reads a scratch copy, and what it says is told where it refuses; then nothing has changed."""
    install()
    registry.write_text(REGISTRY)
    output = registry.parent / "out"
    assert call("multihost_apply", "caddy", "--output", output)[0] == 0
    before = (output / "caddy/sites/aurora").read_text()
    registry.write_text(REGISTRY.replace("margin = 9", 'encode = "zstd"'))
    code, _, err = call("multihost_apply", "caddy", "--output", output)
    assert code == 1 and "caddy does not accept" in err and "zstd is not built in" in err
    assert (output / "caddy/sites/aurora").read_text() == before


def test_text_of_another_package_is_what_was_reviewed(
    install: Install, matches_golden: Callable[[str, str, Plan], None]
) -> None:
    """Golden files work for it as they do for built-in targets."""
    install()
    aurora = make_site("aurora", aliases=("aurora.example.net",), systemd=(("timeout", 90),))
    own = make_site("borealis", options=(("caddy", (("encode", "zstd"), ("margin", 1))),))
    kind = emitters()["caddy"].options
    assert kind
    platform = make_platform(runner="gunicorn", options=(kind(port=8443, errors=Path("/srv/errors")),))
    matches_golden("caddy", "sites", make_plan(aurora, own, platform=platform))


def test_runner_is_a_value_that_another_package_asks(install: Install) -> None:
    """Which protocol the sites speak is no question of names."""
    install()
    with pytest.raises(Exception, match="Caddy speaks HTTP, and uwsgi does not"):
        list(emitters()["caddy"].emit(make_plan(make_site("aurora"))))
    assert list(cautions(make_plan(), ["caddy"])) == ["platform.caddy.port: Only root can listen there."]

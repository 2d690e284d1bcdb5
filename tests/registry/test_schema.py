"""The JSON Schema of a registry accepts what is accepted, and refuses what an editor can know to be wrong."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.keys.schema import json_schema

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
REGISTRIES = sorted(
    path.name for path in EXAMPLES.glob("*.toml") if "platform" in tomllib.loads(path.read_text(encoding="utf-8"))
)
SCHEMA = json.loads(json.dumps(json_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def example(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def test_the_schema_is_one() -> None:
    """It is valid by the rules of its own dialect."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", REGISTRIES)
def test_examples_fit(name: str) -> None:
    """Every registry of the documentation is accepted."""
    assert [error.message for error in VALIDATOR.iter_errors(example(name))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("platform", "nmae"), "aviary"),
        (("platform", "name"), 7),
        (("platform", "runner"), "apache"),
        (("platform", "database", "engine"), "mysql"),
        (("platform", "database", "name"), "aviary"),
        (("platform", "frontend", "token"), "hidden"),
        (("platform", "nginx", "rate"), -1),
        (("platform", "nginx", "http2"), "yes"),
        (("sites", "Aurora"), {}),
        (("sites", "aurora", "hostnames"), "aurora.example.org"),
        (("sites", "aurora", "epoch"), 0),
        (("sites", "aurora", "state"), "closed"),
        (("sites", "aurora", "labels"), {"team": 1}),
        (("sites", "aurora", "nginx", "include"), "/etc/nginx/x.conf"),
        (("sites", "aurora", "cache", "port"), 70000),
        (("sites", "aurora", "settings", "TIME_ZONE"), True),
        (("sites", "aurora", "settings", "INSTALLED_APPS"), "x"),
    ],
)
def test_a_mistake_does_not_fit(path: tuple[str, ...], value: object) -> None:
    """A misspelt key, a wrong type, a number out of its range, and a key that is not for its table are refused."""
    registry = copy.deepcopy(example("every-key.toml"))
    table = registry
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    assert not VALIDATOR.is_valid(registry)


def test_every_key_has_a_description() -> None:
    """What an editor shows beside a key is what it means."""
    texts = json.dumps(SCHEMA).split('"description": "')
    for key in declared():
        meaning = json.dumps(key.meaning.replace("`", ""))[1:-1]
        assert any(text.startswith(meaning) for text in texts), key.path

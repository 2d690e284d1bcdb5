"""What it takes to add a key of a registry."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import wagtail_multihost

PACKAGE = Path(wagtail_multihost.__file__).parent
DOCS = Path(__file__).resolve().parents[1] / "docs"
NEW_KEY = """    reply_to: str = key(
        Kind("mail address", str, lambda value: value), "Where answers go.", "", of=SMTP
    )

    def __post_init__"""
PROBE = """
import json, os, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
import wagtail_multihost
assert wagtail_multihost.__file__.startswith(os.getcwd()), wagtail_multihost.__file__
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.keys.schema import json_schema
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.spec.secret import Secret
from docs.generated import keys_of
[key] = [key for key in declared() if key.name == "reply_to"]
registry = open_registry(Path("docs/examples/every-key.toml"), {})
contents = registry.load()
stated = next(site for site in contents.sites if site.id == "aurora")
own = replace(stated, **{part: None for part in ("frontend",)}, secret_key_fallbacks=(),
    mail=replace(stated.mail, password=Secret("hidden")), database=replace(stated.database, password=Secret("hidden")),
    cache=replace(stated.cache, password=None),
    storage=replace(stated.storage, access_key=None, secret_key=None), project_settings=())
[draft] = draft_snapshots(Path("/nowhere"), registry, Contents(contents.platform, (own,)), datetime.now(UTC))
environ = {"MULTIHOST_SITE": "aurora", "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
    "MULTIHOST_PLATFORM_NAME": "aviary", "MULTIHOST_SITE_MAIL__HOST": "mail.internal",
    "MULTIHOST_SITE_MAIL__REPLY_TO": "e@example.org"}
mail = open_registry("env:", environ).load().sites[0].mail
refused = {**environ, "MULTIHOST_SITE_MAIL__BACKEND": "console"}
del refused["MULTIHOST_SITE_MAIL__HOST"]
try:
    open_registry("env:", refused).load()
    problems = []
except Exception as error:
    problems = [problem.where for problem in error.problems]
site = json_schema()["properties"]["sites"]["patternProperties"]
[found] = [table["properties"]["mail"]["anyOf"][1]["properties"] for table in site.values()]
print(json.dumps([key.path, key.variables, stated.mail.reply_to, draft.document["site"]["mail"]["reply_to"],
    mail.reply_to, problems, found["reply_to"]["type"], "`reply_to`" in keys_of("mail")]))
"""


def test_a_plain_key_is_one_line_of_a_spec_and_one_of_the_example(tmp_path: Path) -> None:
    """
    It is read from files and variables, refused where it does not belong, held by snapshots, and in the reference and
    the schema, without another change.
    """
    for folder in (PACKAGE, DOCS):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    spec = tmp_path / "wagtail_multihost/spec/mail.py"
    text = spec.read_text(encoding="utf-8")
    assert text.count("\n    def __post_init__") == 1
    spec.write_text(text.replace("    def __post_init__", NEW_KEY), encoding="utf-8")
    example = tmp_path / "docs/examples/every-key.toml"
    text = example.read_text(encoding="utf-8")
    own = 'mail = "smtps://aurora:its%20password@mail.internal:465"'
    assert own in text
    example.write_text(
        text.replace(
            own,
            'mail = { backend = "smtp", host = "mail.internal", username = "aurora", password = "its password", '
            'reply_to = "desk@example.org" }',
        ),
        encoding="utf-8",
    )
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(PROBE)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        '["sites.ID.mail.reply_to", ["MULTIHOST_SITE_MAIL__REPLY_TO", "MULTIHOST_PLATFORM_MAIL__REPLY_TO"], '
        '"desk@example.org", "desk@example.org", "e@example.org", ["MULTIHOST_SITE_MAIL__REPLY_TO"], "string", true]'
    )

"""No documented command has a secret in an argument, where every account of the machine sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.test_docs import DOCS, PAGES, ROOT, blocks

SHELLS = ("shell", "console", "bash", "sh")
EXAMPLES = [path for path in sorted((DOCS / "examples").iterdir()) if path.suffix not in (".toml", ".py")]
PROGRAMS = [ROOT / "example_project/run", *(ROOT / "example_project/runner").glob("*.py"), ROOT / "tests/run"]
#: What puts a secret into a list of processes, and a line that would be found. A process number is no secret.
WAYS = {
    r"\$\((?:cat|<)(?! \S*\.pid\))": 'psql -v site_password="$(cat /run/secrets/aurora_db)"',
    r"`cat(?! :'\w+'`)": "redis-cli --user aurora -a `cat /run/secrets/redis`",
    r"\$\([^)]*--token\b": "TOKEN=$(python manage.py multihost_health --token)",
    r"""(?:-H|--header)[ =]["']?(?:Authorization|Cookie|X-\w*(?:Key|Token))""": 'curl -H "Authorization: $TOKEN" url',
    r"\b(?:curl|wget)\b.* (?:-u|--user|--password)[ =]": "curl -u admin:secret url",
    r"\b\w*(?:PASSWORD|SECRET|TOKEN|_KEY|PGPASS\w*)=(?![\"']?\{?/)[^\s;&|]": "PGPASSWORD=secret pg_dump aviary__aurora",
    r"\bredis-cli\b.* (?:-a|--pass)\b": "redis-cli -a secret",
    r"--(?:password|secret|token|passphrase|secret-key)[ =](?!/)[^\s|>)&;-]": "program --password=secret",
    r"\b\w+://[^\s/:@]+:[^\s/@]+@": "psql postgresql://aurora:secret@db.internal/aurora",
    r"-pass(?:in|out)? pass:": "openssl rsa -passin pass:secret",
    r"\bdocker\b.* (?:-e|--env)[ =]\w*(?:PASSWORD|SECRET|TOKEN|KEY)\b": "docker run -e SECRET_KEY image",
    r"\bset site_password '[^']+'": r"\set site_password 'secret'",
}


def found_in(text: str) -> list[str]:
    """Return the lines that show a secret to others."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if any(re.search(way, line, re.IGNORECASE) for way in WAYS)]


def commands() -> Iterator[tuple[Path, str]]:
    for path in PAGES:
        for text in blocks(path, *SHELLS):
            yield path, text
    for path in (*EXAMPLES, *PROGRAMS):
        yield path, path.read_text()


@pytest.mark.parametrize(("way", "line"), WAYS.items(), ids=WAYS.values())
def test_each_way_to_show_a_secret_is_noticed(way: str, line: str) -> None:
    """The search for secrets finds each kind of line that it is meant to find."""
    assert re.search(way, line, re.IGNORECASE)


def test_no_documented_command_shows_a_secret() -> None:
    """Shell blocks of all pages, example files and the programs of this checkout have no secret in a command line."""
    searched = list(commands())
    assert len(searched) > len(PAGES)
    assert [(path.name, line) for path, text in searched for line in found_in(text)] == []


@pytest.mark.parametrize("name", sorted(n for n, app in get_commands().items() if app == "wagtail_multihost"))
def test_no_option_takes_a_secret(name: str) -> None:
    """Options of this package's commands that are about secrets take the path of a file, or nothing."""
    command = load_command_class("wagtail_multihost", name)
    assert isinstance(command, BaseCommand)
    parser = command.create_parser("manage.py", name)
    taking = [option for action in parser._actions if action.nargs != 0 for option in action.option_strings]
    secret = re.compile(r"password|secret|token|key")
    about = {option for option in taking if secret.search(option)}
    assert about <= {"--token-file", "--signing-key", "--public-key"}

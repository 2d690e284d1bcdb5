"""Databases, content, static files and configs. Each is made once, and again when what it was made from changes."""

import hashlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from runner.children import Child, finish, start
from runner.folders import DATA, HERE, LOGS
from runner.progress import Progress
from runner.registry import REGISTRY, Place, Site, names

PASSWORD = DATA / "admin-password"
PREPARED = DATA / "prepared.json"
MANAGE = DATA / "manage"
KEPT_VARIABLES = frozenset({"DEBUG", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "XDG_RUNTIME_DIR"})
MANAGE_SCRIPT = """\
#!/bin/sh
# manage.py of this run, from any folder: {path} COMMAND
MULTIHOST_REGISTRY={registry} exec {python} {manage} "$@"
"""


def prepare(sites: Sequence[Site], place: Place, progress: Progress) -> None:
    """Make what is missing or out of date. Databases are migrated once: the others are copies of that template."""
    if not PASSWORD.exists():
        PASSWORD.write_text(f"{secrets.token_urlsafe(12)}\n")
    write_manage()
    code = digest_code()
    template = template_of(code)
    prepared = Prepared(code)
    missing = [site for site in sites if not site.database.exists()]
    waiting = [site for site in sites if site in missing or not prepared.has(site.id, site.record)]
    # It makes the template, and the platform's key.
    first = missing[:1] if not template.exists() else []
    progress.begin(f"Migrating a database, and loading {first[0].name}" if first else "Writing the configurations")
    shared = [emit(place)]
    if not prepared.has("static") or not (HERE / "static").is_dir():
        shared.append(manage("static", "collectstatic", "--noinput", "-v0"))
    finish([*(load(site, template) for site in first), *shared], progress)
    prepared.keep("static")
    for pair in in_pairs([site for site in waiting if site not in first]):
        progress.begin(f"Loading {names(pair)}")
        finish([load(site, template) for site in pair], progress)
    for site in sites:
        prepared.keep(site.id, site.record)
    for old in DATA.glob("template-*.sqlite3"):
        if old != template:
            old.unlink()


def template_of(code: str) -> Path:
    return DATA / f"template-{code[:12]}.sqlite3"


def emit(place: Place) -> Child:
    """Write the configurations of uWSGI; its emperor starts, stops and restarts sites as files come, go and change."""
    return manage("configs", "multihost_emit", "uwsgi", "--output", str(place.etc), "-v0")


def load(site: Site, template: Path, registry: Path = REGISTRY) -> Child:
    words = ("load_demo", "--password-file", str(PASSWORD), "--template", str(template))
    return manage(site.id, *words, MULTIHOST_SITE=site.id, MULTIHOST_REGISTRY=str(registry))


def in_pairs(sites: Sequence[Site]) -> Iterator[Sequence[Site]]:
    for number in range(0, len(sites), 2):
        yield sites[number : number + 2]


def manage(log: str, *words: str, **variables: str) -> Child:
    command = [sys.executable, str(HERE / "manage.py"), *words]
    return start(command, LOGS / f"{log}.log", {**environment(), **variables}, HERE)


def environment() -> dict[str, str]:
    # Nothing else: uWSGI reads UWSGI_ variables as options, and every site would see the rest.
    own = {key: value for key, value in os.environ.items() if key in KEPT_VARIABLES}
    return {**own, "MULTIHOST_REGISTRY": str(REGISTRY)}


def write_manage() -> None:
    """Write a short command for people, which works in every folder."""
    words = {"path": MANAGE, "registry": REGISTRY, "python": sys.executable, "manage": HERE / "manage.py"}
    MANAGE.write_text(MANAGE_SCRIPT.format(**{key: shlex.quote(str(word)) for key, word in words.items()}))
    MANAGE.chmod(0o700)


def digest_code() -> str:
    """Return a digest of all that databases, content and static files are made from."""
    package = Path(str(files("wagtail_multihost")))
    return digest_folders(
        ("django", "wagtail", "wagtail-multihost"), [HERE / "example", HERE / "home", package / "migrations"]
    )


def digest_folders(packages: Iterable[str], folders: Iterable[Path]) -> str:
    """Return a digest of the versions of ``packages``, and of all files in ``folders``."""
    digest = hashlib.sha256(" ".join(map(version, packages)).encode())
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"{path.relative_to(folder)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Prepared:
    """What the runs before this one have prepared, each with a digest of what it was made from."""

    def __init__(self, code: str, path: Path = PREPARED) -> None:
        self.code = code
        self.path = path
        self.digests = json.loads(path.read_text()) if path.is_file() else {}

    def has(self, name: str, record: str = "") -> bool:
        return self.digests.get(name) == self.digest(record)

    def keep(self, name: str, record: str = "") -> None:
        self.digests[name] = self.digest(record)
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self.digests))
        draft.replace(self.path)

    def digest(self, record: str) -> str:
        return hashlib.sha256(f"{self.code} {record}".encode()).hexdigest()

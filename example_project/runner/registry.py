"""The registry of a run: what sites.toml or the control site says, with the port and the folders of this run."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from runner.folders import CONTROL, DATA, HERE

SITES = HERE / "sites.toml"
REGISTRY = DATA / "sites.toml"
COPY = CONTROL / "sites.toml"  # what the control site said last; the sites start from it
TAKEN_IN = CONTROL / "taken-in.toml"  # sites.toml as it was when the control site took it in
NODE = CONTROL / "node.toml"  # what is this machine's alone, and so not in the control site


@dataclass(frozen=True)
class Site:
    """A site of the registry: ``record`` is all that is stated of it. Its ``uid`` is blank where none is stated."""

    id: str
    uid: str
    host: str
    name: str
    record: str

    @property
    def database(self) -> Path:
        return DATA / "sites" / self.id / "db.sqlite3"


@dataclass(frozen=True)
class Place:
    """What differs from run to run: the port, and the folder of sockets."""

    port: int
    runtime: Path


def read_document(*, with_control: bool) -> dict[str, Any]:
    """Return what the sites start from: with a control site, what that said last."""
    path = COPY if with_control and COPY.is_file() else SITES
    return read(path)


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write_registry(document: Mapping[str, Any], place: Place) -> list[Site]:
    """Write the registry of this run; return its sites that are enabled."""
    own = {
        "data": str(DATA),
        "sockets": str(place.runtime),
        "origin": f"http://{{hostname}}:{place.port}",
        "uwsgi": {"http": f"127.0.0.1:{place.port}"},
    }
    write(REGISTRY, merge(document, {"platform": own}))
    return sites_of(document, place)


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, in one moment."""
    draft = path.with_suffix(".new")
    draft.write_text(tomlkit.dumps(document), encoding="utf-8")
    draft.replace(path)


def sites_of(document: Mapping[str, Any], place: Place) -> list[Site]:
    return [
        Site(
            id=site,
            uid=record.get("uid", ""),
            host=record["hostnames"][0],
            name=record.get("settings", {}).get("WAGTAIL_SITE_NAME") or site.title(),
            record=f"{place.port} {json.dumps(record, sort_keys=True, default=str)}",
        )
        for site, record in document.get("sites", {}).items()
        if record.get("enabled", True)
    ]


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables as one; where both say something, ``above`` counts."""
    both = {
        key: merge(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}


def names(sites: Sequence[Site]) -> str:
    return " and ".join(site.name for site in sites)

"""The registry of a run: what sites.toml or the control site says, with the port and the folders of this run."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from runner.folders import CONTROL, DATA, HERE, SOCKETS

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
    """What differs from run to run: the port, and a folder for sockets, configurations and snapshots."""

    port: int
    runtime: Path

    @property
    def sockets(self) -> Path:
        return self.runtime / SOCKETS

    @property
    def snapshots(self) -> Path:
        return self.runtime / "snapshots"

    @property
    def etc(self) -> Path:
        return self.runtime / "etc"

    @property
    def vassals(self) -> Path:
        """What uWSGI runs."""
        return self.etc / "uwsgi"

    @property
    def wished(self) -> Path:
        """What the agent says that is to be served."""
        return self.etc / "embedded"


def read_document(*, with_control: bool) -> dict[str, Any]:
    """Return what the sites start from: with a control site, what that said last."""
    path = COPY if with_control and COPY.is_file() else SITES
    return read(path)


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write_registry(document: Mapping[str, Any], place: Place, *, with_control: bool) -> list[Site]:
    """Write the registry of this run; return its sites that are enabled."""
    own = own_platform(place)
    if not with_control:
        del own["snapshots"]
    write(REGISTRY, merge(document, {"platform": own}))
    return sites_of(document, place)


def own_platform(place: Place) -> dict[str, Any]:
    """Return what a run says of the platform. With a control site, the sites' processes read their snapshots."""
    return {
        "data": str(DATA),
        "sockets": str(place.sockets),
        "snapshots": str(place.snapshots),
        "origin": f"http://{{hostname}}:{place.port}",
        "uwsgi": {"http": f"127.0.0.1:{place.port}"},
    }


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

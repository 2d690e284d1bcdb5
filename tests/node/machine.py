"""A node's folders, and what is known of its sites, without a database."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from wagtail_multihost.node.applying import Applier, Work
from wagtail_multihost.node.options import read_agent_options
from wagtail_multihost.node.reading import Known
from wagtail_multihost.node.specs import Specs, make_specs
from wagtail_multihost.registry.node_file import read_node_file
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.registry.release import Release, release_text
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.version import own_version

UIDS = UUID("6f1c1a52-0000-4000-8000-000000000000")


class Machine:
    """A node below a ``folder``. ``platform`` and ``agent`` are further lines of these tables of its node file."""

    def __init__(
        self, folder: Path, *sites: str, platform: str = "", agent: str = "", targets: str = '"uwsgi"'
    ) -> None:
        self.folder, self.sites = folder, {site: {"hostnames": [f"{site}.example.com"]} for site in sites}
        self.revision = 1
        codebase = Codebase(
            directory=Path("/srv/project"),
            virtualenv=Path(sys.prefix),
            wsgi="project.wsgi:application",
            settings_module="project.settings",
            static_root=None,
            static_url="/static/",
            media_url="/media/",
        )
        release = Release(codebase, own_version(), tuple(sorted(FORMATS)))
        (folder / "release.json").write_text(release_text(release))
        lines = ["[platform]", f'data = "{folder}/data"', f'snapshots = "{folder}/sites"', f'sockets = "{folder}/run"']
        lines += [platform, "[agent]", 'registry = "postgres:///?service=none"', 'node = "web1"']
        lines += [f"targets = [{targets}]", f'output = "{folder}/etc"', f'release = "{folder}/release.json"', agent]
        for site in sites:
            lines += [f"[sites.{site}]", f'secret_key = "env:{site.upper()}"']
        (folder / "node.toml").write_text("\n".join(lines))
        keys = {site.upper(): f"a-secret-key-of-{site}-that-is-long-enough-to-be-accepted" for site in sites}
        self.environ: Mapping[str, str] = {**keys, "MULTIHOST_NODE_FILE": str(folder / "node.toml")}

    @property
    def specs(self) -> Specs:
        sites: dict[str, Any] = {
            site: {
                "uid": str(uuid5(UIDS, site)),
                "generation": 1,
                "revision": self.revision,
                "serial": None,
                "sealed": {},
                "record": {**record, "uid": str(uuid5(UIDS, site))},
            }
            for site, record in self.sites.items()
        }
        known = Known("i", self.revision, 0, {"id": "web1", "address": ""}, {"name": "aviary"}, sites)
        return make_specs(known, None, {}, {}, read_node_file(self.environ), self.environ, lambda *sealed: "")

    @property
    def applier(self) -> Applier:
        options = read_agent_options(read_node_file(self.environ))
        registry = PostgresRegistry(options.registry, self.environ)
        registry.read_node()
        return Applier(options, registry, lambda: False)

    def apply(self, *sites: str) -> None:
        """Apply the sites, or all of them."""
        specs = self.specs
        self.applier.apply(Work(specs, frozenset(sites or specs.sites), frozenset(), {}))

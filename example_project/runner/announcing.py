"""What a person can do now, each as a command for any folder."""

import shlex
import sys
from collections.abc import Sequence

from runner.arguments import Options
from runner.folders import CONTROL_HOST, DATA, LOGS, MANAGE_CONTROL
from runner.preparing import MANAGE, PASSWORD
from runner.registry import NODE, SITES, TAKEN_IN, Place, Site


def announce(sites: Sequence[Site], options: Options) -> None:
    width = max((len(site.name) for site in sites), default=0)
    lines = [f"{len(sites)} sites, one codebase:"]
    lines += [f"  {site.name:<{width}}  http://{site.host}:{options.port}/" for site in sites]
    lines += [
        "Add admin/ to an address to edit the site, and mine/ to see what is its own alone.",
        f"Admin: user admin, password {PASSWORD.read_text().strip()}",
        "In another terminal, in any folder:",
    ]
    lines += [f"  {command}  # {meaning}" for site in sites[:1] for command, meaning in commands(site, options.port)]
    if options.with_control:
        lines += ["The control site, where you make more sites, is being started."]
    print("\n".join([*lines, "Stop with Ctrl-C."]), flush=True)


def announce_control(place: Place) -> None:
    manage = shlex.quote(str(MANAGE_CONTROL))
    lines = [
        f"The control site: http://{CONTROL_HOST}:{place.port}/admin/",
        "Log in as to the sites. A site that you save there is served a few seconds later.",
        "In another terminal, in any folder:",
        f"  {manage} multihost_export_registry  # what it says of the sites",
    ]
    if TAKEN_IN.is_file() and TAKEN_IN.read_bytes() != SITES.read_bytes():
        again = f"multihost_import_registry {shlex.quote(str(SITES))} --node-file {shlex.quote(str(NODE))}"
        lines += [
            "sites.toml has changed since the control site took it in. Until it is taken in again, it says nothing:",
            f"  {manage} {again}",
        ]
    print("\n".join(lines), flush=True)


def commands(site: Site, port: int) -> list[tuple[str, str]]:
    """Return commands that work when they are pasted, and what each is for."""
    browse = shlex.join([sys.executable, "-m", "webbrowser", "-t"])
    manage = shlex.quote(str(MANAGE))
    origin = f"http://{site.host}:{port}"
    return [
        (f"{manage} multihost_sites", "the sites"),
        (f"{browse} {origin}/", "a site, in your browser"),
        (f"{browse} {origin}/admin/", "its admin"),
        (f"{manage} multihost_health --site {site.id}", "how it is"),
        (f"{manage} multihost_explain {site.id}", "its settings, and where each comes from"),
        (f"{manage} multihost_emit nginx uwsgi --output {shlex.quote(str(DATA / 'etc'))}", "files for servers"),
        (shlex.join(["ls", "-l", str(DATA / "sites" / site.id), str(LOGS)]), "its files, and all logs"),
    ]

"""What a person can do now, each as a command for any folder."""

import shlex
import sys
from collections.abc import Sequence

from runner.folders import DATA, LOGS
from runner.preparing import MANAGE, PASSWORD, Site


def announce(sites: Sequence[Site], port: int) -> None:
    width = max(len(site.name) for site in sites)
    lines = [f"{len(sites)} sites, one codebase:"]
    lines += [f"  {site.name:<{width}}  http://{site.host}:{port}/" for site in sites]
    lines += [
        "Add admin/ to an address to edit the site, and mine/ to see what is its own alone.",
        f"Admin: user admin, password {PASSWORD.read_text().strip()}",
        "In another terminal, in any folder:",
    ]
    lines += [f"  {command}  # {meaning}" for command, meaning in commands(sites[0], port)]
    print("\n".join([*lines, "Stop with Ctrl-C."]), flush=True)


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

"""
What the control app costs with many sites, on a PostgreSQL server of its own: importing a registry file, registering
one more site, reading one as a node does, and the list of sites in the dashboard.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from benchmarks.fuse import server
from benchmarks.measuring import print_machine, print_target, spread
from benchmarks.registries import PLATFORM, write_registry

TARGET_SITES = 10_000
REGISTER, READ, IMPORT, LIST = 50.0, 5.0, 60.0, 2.0  # milliseconds, milliseconds, seconds, times the baseline's
PERCENTILE = 99
SECRET = next(line for line in PLATFORM.splitlines(keepends=True) if line.startswith("secret_key"))
Sides = dict[str, Callable[[], Any]]
Times = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--sites", type=int, default=TARGET_SITES, help=f"default: {TARGET_SITES}")
    options = parser.parse_args()
    with server() as (folder, socket, user):
        start_django(socket, user)
        registry = write_registry(folder / "sites.toml", options.sites)
        registry.write_text(registry.read_text().replace(SECRET, ""))
        few = queries_of_list()
        imported = measure_import(registry)
        many = queries_of_list()
        times = measured(sides_of(registry, socket, user), options.rounds)
    print_machine()
    for name, found in {**imported, **times}.items():
        print(f"{name}: {shown(found)} ms, slowest of {len(found)} {max(found):.1f} ms")
    print(f"queries of the dashboard's list: {few} with few sites, {many} with {options.sites}")
    print_ratios({**imported, **times})
    print_targets({**imported, **times}, options.sites)


def start_django(socket: Path, user: str) -> None:
    own = {"BENCHMARK_SOCKET": str(socket), "BENCHMARK_DATABASE": f"{user}_site", "BENCHMARK_USER": user}
    os.environ.update(own, DJANGO_SETTINGS_MODULE="benchmarks.control_settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model
    from wagtail.models import Page

    get_user_model().objects.create_superuser("root", "root@example.org", "unused")
    assert Page.get_first_root_node() is not None


def measure_import(registry: Path) -> Times:
    """Return what one import of the file takes, and reading the file alone."""
    from django.core.management import call_command

    from wagtail_multihost.registry.toml import TomlRegistry

    load = milliseconds(lambda: TomlRegistry(registry, {}).load())
    words = ("multihost_import_registry", str(registry))
    whole = milliseconds(lambda: call_command(*words, stdout=StringIO(), stderr=StringIO(), verbosity=0))
    return {"reading the file": [load], "importing the file": [whole]}


def sides_of(registry: Path, socket: Path, user: str) -> Sides:
    """Return what is measured in rounds, each beside what it is compared with."""
    from django.contrib.auth.models import Group

    from wagtail_multihost.control.authority import operator_authority
    from wagtail_multihost.control.changes import CreateSite
    from wagtail_multihost.control.registration import apply_changes
    from wagtail_multihost.registry import open_registry
    from wagtail_multihost.registry.toml import TomlRegistry

    operator, numbers = operator_authority("benchmark"), iter(range(10**9))
    node_file = registry.with_name("node.toml")
    database = open_registry(f"postgres://{user}@{str(socket).replace('/', '%2F')}/{user}_site", {**node(node_file)})

    def register() -> None:
        number = next(numbers)
        apply_changes(operator, [CreateSite(f"new-{number}", {"hostnames": [f"new-{number}.example.net"]})])

    def write_row() -> None:
        Group.objects.create(name=f"group {next(numbers)}")

    sides: Sides = {
        "saving one row": write_row,
        "registering a site": register,
        "one site of the file": lambda: TomlRegistry(registry, {}).site("site-00001", reads_secrets=False),
        "one site of the database": lambda: database.site("site-00001", reads_secrets=False),
    }
    return {**sides, **pages()}


def node(path: Path) -> dict[str, str]:
    from wagtail_multihost.registry.node_file import VARIABLE

    return {VARIABLE: str(path)}


def pages() -> Sides:
    """Return the dashboard's list of sites, and Wagtail's own list of the same rows."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import reverse

    client = Client(HTTP_HOST="control.localhost")
    client.force_login(get_user_model().objects.get(username="root"))

    def get(name: str) -> Any:
        answer = client.get(reverse(name))
        assert answer.status_code == 200, answer
        return answer

    return {
        "Wagtail's own list": lambda: get("plain:index"),
        "the dashboard's list": lambda: get("multihost:sites"),
    }


def queries_of_list() -> int:
    """Return how many queries the dashboard's list sends; few sites are made first, where there is none."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from wagtail_multihost.control.authority import operator_authority
    from wagtail_multihost.control.changes import CreateSite, EditPlatform
    from wagtail_multihost.control.edits import merge_patch
    from wagtail_multihost.control.models import ManagedSite
    from wagtail_multihost.control.registration import apply_changes

    if not ManagedSite.objects.exists():
        few = [CreateSite(f"few-{number}", {"hostnames": [f"few-{number}.example.net"]}) for number in range(3)]
        apply_changes(operator_authority("benchmark"), [EditPlatform(merge_patch({"name": "aviary"})), *few])
    page = pages()["the dashboard's list"]
    page()
    with CaptureQueriesContext(connection) as queries:
        page()
    return len(queries)


def measured(sides: Sides, rounds: int) -> Times:
    """Return the milliseconds of every side. Each runs once before, and each round starts with another one."""
    names = list(sides)
    if rounds > 1:
        for name in names:
            sides[name]()
    times: Times = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            times[name].append(milliseconds(sides[name]))
    return times


def milliseconds(side: Callable[[], Any]) -> float:
    start = time.perf_counter()
    side()
    return (time.perf_counter() - start) * 1000


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ± {spread(values) / 2:.2f}"


def percentile(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * PERCENTILE // 100)]


def print_ratios(times: Times) -> None:
    pairs = (
        ("importing the file", "reading the file"),
        ("registering a site", "saving one row"),
        ("one site of the database", "one site of the file"),
        ("the dashboard's list", "Wagtail's own list"),
    )
    for name, baseline in pairs:
        ratio = statistics.median(times[name]) / statistics.median(times[baseline])
        print(f"ratio: {name} / {baseline} = {ratio:.4f} of time")


def print_targets(times: Times, sites: int) -> None:
    print_target(f"an import of {sites} sites", times["importing the file"][0] / 1000, IMPORT, "s")
    print_target("registering a site, 99th percentile", percentile(times["registering a site"]), REGISTER, "ms")
    print_target("one site of the database", statistics.median(times["one site of the database"]), READ, "ms")
    lists = (statistics.median(times[name]) for name in ("the dashboard's list", "Wagtail's own list"))
    own, plain = lists
    print_target("the dashboard's list, times Wagtail's own", own / plain, LIST, "")


if __name__ == "__main__":
    main()

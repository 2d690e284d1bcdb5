"""
What resolving a site's settings adds to ``django.setup()``: from a snapshot, from variables and from TOML files of
several sizes, beside other settings libraries that read one site's database, cache, key and hosts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measuring import Side, environment, interleaved, print_machine, print_target, python, workshop
from benchmarks.registries import write_registry
from benchmarks.startup import write_bare_settings

SITE = "site-00001"
BASELINE = "django-environ, variables"
FLAT = 1.1
TARGET = 5.0  # milliseconds

# What Django and Wagtail import anyway is there already, and their objects are no work for the garbage collector.
CHILD = """
import gc, time
import django
django.setup()
import bare_settings
namespace = dict(vars(bare_settings))
gc.collect()
gc.freeze()
start = time.process_time()
{loading}
middle = time.process_time()
{reading}
print(middle - start, time.process_time() - middle)
"""
OWN = ("from wagtail_multihost.resolver import resolve", "resolve().apply(namespace)")
ENVIRON = (
    "import environ",
    """env = environ.Env()
values = dict(DATABASES={"default": env.db()}, CACHES={"default": env.cache()}, SECRET_KEY=env("SECRET_KEY"),
    ALLOWED_HOSTS=env.list("ALLOWED_HOSTS"))""",
)
PYDANTIC = (
    "from pydantic_settings import BaseSettings",
    """class Settings(BaseSettings):
    database_url: str
    cache_url: str
    secret_key: str
    allowed_hosts: list[str]
values = Settings().model_dump()""",
)
DYNACONF = (
    "from dynaconf import Dynaconf",
    """settings = Dynaconf(settings_files=[{file!r}], environments=True, env={site!r})
values = dict(DATABASE=settings.DATABASE_URL, CACHE=settings.CACHE_URL, KEY=settings.SECRET_KEY,
    HOSTS=list(settings.ALLOWED_HOSTS))""",
)
KEY = "not-a-secret-not-a-secret-not-a-secret-not-a-secret"
PEER_VARIABLES = {
    "DATABASE_URL": "postgresql://user:password@127.0.0.1:5432/name",
    "CACHE_URL": "rediscache://127.0.0.1:6379/0",
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "example.org,www.example.org",
}


@dataclass(frozen=True, slots=True)
class Times:
    """Median milliseconds of CPU time: loading the library, reading the site, and both in one process."""

    loading: float
    reading: float
    both: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 100, 1000], help="sizes (default: 1 100 1000)")
    options = parser.parse_args()
    sizes: list[int] = options.sites
    with workshop() as folder:
        write_bare_settings(folder / "bare_settings.py")
        sides = {**own_sides(folder, sizes), **peer_sides(folder, sizes)}
        costs = interleaved(sides, options.rounds)
    times = {name: times_of([cost.output for cost in side]) for name, side in costs.items()}
    report(times, sizes)


def times_of(outputs: list[str]) -> Times:
    pairs = [[float(word) * 1000 for word in output.split()] for output in outputs]
    loading, reading = (statistics.median(values) for values in zip(*pairs, strict=True))
    return Times(loading, reading, statistics.median(map(sum, pairs)))


def report(times: dict[str, Times], sizes: list[int]) -> None:
    print_machine()
    width = max(map(len, times))
    print(f"\n{'CPU ms after django.setup()':<{width}}  {'import':>7}  {'read':>7}  {'both':>7}")
    for name, time in times.items():
        print(f"{name:<{width}}  {time.loading:>7.2f}  {time.reading:>7.2f}  {time.both:>7.2f}")
    print()
    for name, time in times.items():
        if name != BASELINE and BASELINE in times:
            print(f"ratio: {name} / {BASELINE} = {time.both / times[BASELINE].both:.3f} of CPU time")
    least, most = (times[snapshot(size)] for size in (min(sizes), max(sizes)))
    growth = most.reading / least.reading
    print(f"ratio: {snapshot(max(sizes))} / {snapshot(min(sizes))} = {growth:.3f} of CPU time to read")
    print_target("a snapshot, imports of the package included", most.both, TARGET, "ms")
    print_target("a snapshot, read and applied", most.reading, TARGET, "ms")
    print_target("growth of a snapshot with the number of sites", growth, FLAT, "times")


def snapshot(size: int) -> str:
    return f"snapshot of {size} sites"


def own_sides(folder: Path, sizes: list[int]) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        registry = write_registry(place / "sites.toml", size)
        write_snapshots(folder, registry, place / "snapshots")
        sides[snapshot(size)] = child(folder, OWN, MULTIHOST_REGISTRY=str(place / "snapshots"), MULTIHOST_SITE=SITE)
        sides[f"TOML of {size} sites"] = child(folder, OWN, MULTIHOST_REGISTRY=str(registry), MULTIHOST_SITE=SITE)
    sides["variables"] = child(
        folder,
        OWN,
        MULTIHOST_REGISTRY="env:",
        MULTIHOST_SITE=SITE,
        MULTIHOST_SITE_HOSTNAMES="example.org,www.example.org",
        MULTIHOST_SITE_DATABASE=PEER_VARIABLES["DATABASE_URL"],
        MULTIHOST_SITE_CACHE="redis://127.0.0.1:6379/0",
        MULTIHOST_PLATFORM_NAME="aviary",
        MULTIHOST_PLATFORM_SECRET_KEY=KEY,
    )
    return sides


def peer_sides(folder: Path, sizes: list[int]) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    if find_spec("environ"):
        sides[BASELINE] = child(folder, ENVIRON, **PEER_VARIABLES)
    if find_spec("pydantic_settings"):
        variables = {**PEER_VARIABLES, "ALLOWED_HOSTS": '["example.org", "www.example.org"]'}
        sides["pydantic-settings, variables"] = child(folder, PYDANTIC, **variables)
    if find_spec("dynaconf"):
        for size in sizes:
            file = folder / str(size) / "dynaconf.toml"
            file.write_text("\n".join(peer_table(number) for number in range(1, size + 1)))
            loading, reading = DYNACONF
            names = {"file": str(file), "site": SITE}
            sides[f"dynaconf, TOML of {size} sites"] = child(folder, (loading, reading.format(**names)))
    return sides


def peer_table(number: int) -> str:
    values = "\n".join(f'{name} = "{value}"' for name, value in PEER_VARIABLES.items() if name != "ALLOWED_HOSTS")
    return f'[site-{number:05}]\n{values}\nALLOWED_HOSTS = ["example.org", "www.example.org"]\n'


def child(folder: Path, work: tuple[str, str], **variables: str) -> Side:
    code = CHILD.format(loading=work[0], reading=work[1])
    environ = environment(folder, DJANGO_SETTINGS_MODULE="bare_settings", **variables)
    return partial(python, "-c", code, variables=environ, directory=folder)


def write_snapshots(folder: Path, registry: Path, output: Path) -> None:
    """Write the snapshots of all sites as a deploy script does."""
    variables = environment(folder, DJANGO_SETTINGS_MODULE="example.settings", MULTIHOST_REGISTRY=str(registry))
    command = [sys.executable, "-m", "django", "multihost_snapshot", "--output", str(output)]
    subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()

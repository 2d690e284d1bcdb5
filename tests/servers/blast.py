"""A street of small sites behind emitted files, and what visitors of each get while one of them is in trouble."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeAlias

from tests.accounts import passable_folder
from tests.emitters.conftest import make_codebase, make_site, written
from tests.emitters.front import SECONDS, Answer, Front, opened_front
from tests.servers.accounts import FRONT
from tests.servers.processes import running, wait_for
from tests.servers.uwsgi import LOG_CHARACTERS, PROGRAM
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: Accounts that every Debian has, with a group of the same name: the sites are named like them.
HURT, SHARED, OWN_SERVER, HTTP_ONLY = "games", "news", "man", "mail"
NEIGHBOURS = (SHARED, OWN_SERVER, HTTP_ONLY)
REQUESTS = 20
#: Between requests to a neighbour after these, while a visitor of the hurt site still waits.
PAUSE = 0.1
#: One more than the site has workers.
VISITORS = 3
HARAKIRI = 2
#: After how many silent seconds nginx gives up at most; at a site whose requests may take less, when they may.
TIMEOUT = HARAKIRI + 3
MEMORY = "512m"
#: The seconds that a request of the site with a server of its own takes, and those that it may take.
SLOW, PATIENCE = 10, 40
#: A hung request would last that long, if nothing ended it; a test waits half of it for a site to serve again.
HANG = 60
MODULE = "shop.py"
#: Says whose it is, or does what the request's path says.
APPLICATION = f"""
import os, resource, signal, time

SITE = os.environ["MULTIHOST_SITE"].encode()

def crash():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)

def grow():
    return [bytes(bytearray(768 << 20)[:1])]

def hang():
    time.sleep({HANG})

def endless():
    for _ in range({HANG} * 100):
        yield b"x" * 16384
        time.sleep(0.01)

def slow():
    for _ in range({SLOW}):
        yield b"still here, "
        time.sleep(1)
    yield b"done"

def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGHUP}})
    return [b"what?"]

ACTIONS = {{"/crash": crash, "/grow": grow, "/hang": hang, "/endless": endless, "/slow": slow, "/deaf": deaf}}

def application(environ, start_response):
    path = environ["PATH_INFO"]
    headers = [("X-Padding", "x" * 60000)] if path == "/headers" else [("Content-Type", "text/plain")]
    if path in ACTIONS:
        body = ACTIONS[path]()
    else:
        body = [SITE]
        headers.append(("Content-Length", str(len(SITE))))
    start_response("200 OK", headers)
    return body
"""


#: An answer, and the seconds that it took.
Timed: TypeAlias = tuple[Answer, float]


@dataclass(frozen=True)
class Street:
    """A running nginx and emperor, and the plan that their files are of."""

    front: Front
    plan: Plan
    log: Path

    def socket(self, site: str) -> Path:
        return self.plan.platform.sockets / f"{site}.sock"

    def code(self, site: str) -> Path:
        return self.front.folder / "code" / site / MODULE

    def ask(self, site: str, path: str = "/") -> Answer:
        """Ask a site as a visitor does; the status is 0 where there was no connection, or no answer in time."""
        ask = self.front.ask if site == HTTP_ONLY else self.front.ask_tls
        try:
            return ask(f"{site}.example.org", path)
        except OSError:
            return Answer(0)

    def serves(self, site: str) -> bool:
        return is_own(site, self.ask(site))

    def wait_until_served(self, site: str, seconds: float, when: str) -> None:
        """Wait until a site serves; the error has the end of uWSGI's log."""
        try:
            wait_for(partial(self.serves, site), f"the site {site} {when}", seconds)
        except AssertionError as error:
            log = self.log.read_text(errors="replace")[-LOG_CHARACTERS:]
            raise AssertionError(f"{error}\n{log}") from None

    def touch_vassal(self, site: str) -> None:
        """Let the emperor start a site again, which sees that by the time of its file, in whole seconds."""
        path = self.plan.directory / f"uwsgi/{site}.ini"
        wait_for(lambda: time.time() >= int(path.stat().st_mtime) + 1, "the next second")
        path.touch()

    def reload_nginx(self) -> None:
        """Let nginx read its files again, and wait until the workers are new ones."""
        pid = self.plan.options(NginxOptions).pid.read_text().strip()
        before = workers(pid)
        subprocess.run(["kill", "-HUP", pid], check=True)
        wait_for(lambda: not before & workers(pid), "the workers of nginx")


def workers(pid: str) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def is_own(site: str, answer: Answer) -> bool:
    return answer.status == 200 and answer.body == site


@dataclass(frozen=True)
class Fault:
    """A trouble of one site: its cause, what its visitors ask meanwhile, and the statuses that they may get."""

    name: str
    cause: Callable[[Street], AbstractContextManager[None]]
    statuses: Collection[int]
    path: str = "/"


@dataclass
class Outcome:
    """What came of a fault: sites with a request that failed, what visitors got, and times in seconds."""

    fault: Fault
    hurt: set[str] = field(default_factory=set)
    asked: int = 0
    answered: int = 0
    statuses: set[int] = field(default_factory=set)
    slowest: float = 0
    seconds: float = 0

    def add(self, answers: Mapping[str, list[Timed]]) -> None:
        for site, pairs in answers.items():
            good = sum(is_own(site, answer) for answer, _ in pairs)
            self.hurt |= set() if good == len(pairs) else {site}
            if site == HURT:
                self.statuses |= {answer.status for answer, _ in pairs}
            else:
                self.asked += len(pairs)
                self.answered += good
                self.slowest = max(self.slowest, *(seconds for _, seconds in pairs))


def observed(street: Street, fault: Fault) -> Outcome:
    """Cause a fault, ask all sites at once while it lasts, end it, and wait until its site serves again."""
    outcome = Outcome(fault)
    start = time.monotonic()
    with fault.cause(street):
        outcome.add(asked_at_once(street, fault.path))
    street.wait_until_served(HURT, HANG / 2, f"after: {fault.name}")
    outcome.seconds = time.monotonic() - start
    return outcome


def asked_at_once(street: Street, path: str) -> dict[str, list[Timed]]:
    """Ask each neighbour ``REQUESTS`` times and more, while others ask the hurt site for ``path`` all the time."""
    heard, ended = [Event() for _ in range(VISITORS)], Event()
    with ThreadPoolExecutor(VISITORS + len(NEIGHBOURS)) as pool:
        visitors = [pool.submit(asked_until, street, path, event, ended) for event in heard]
        try:
            neighbours = {site: pool.submit(asked_while, street, site, heard) for site in NEIGHBOURS}
            answers = {site: future.result() for site, future in neighbours.items()}
        finally:
            ended.set()
        return {**answers, HURT: [pair for future in visitors for pair in future.result()]}


def asked_while(street: Street, site: str, heard: Sequence[Event]) -> list[Timed]:
    """Ask a neighbour ``REQUESTS`` times, and then now and again until all visitors have ``heard`` something."""
    deadline = time.monotonic() + SECONDS + TIMEOUT
    answers: list[Timed] = []
    while len(answers) < REQUESTS or not all(event.is_set() for event in heard):
        assert time.monotonic() < deadline, "A visitor of the hurt site never heard anything."
        answers.append(timed(partial(street.ask, site)))
        if len(answers) >= REQUESTS:
            next((event for event in heard if not event.is_set()), heard[0]).wait(PAUSE)
    return answers


def asked_until(street: Street, path: str, heard: Event, ended: Event) -> list[Timed]:
    answers = [timed(partial(street.ask, HURT, path))]
    heard.set()
    # A visitor who waited long does not ask again at once: the neighbours may be done.
    while not ended.wait(answers[-1][1]):
        answers.append(timed(partial(street.ask, HURT, path)))
    return answers


def timed(ask: Callable[[], Answer]) -> Timed:
    start = time.monotonic()
    return ask(), time.monotonic() - start


@contextmanager
def opened_street() -> Iterator[Street]:
    """Serve four sites under an account each: three over https, one of them in a server of its own, one over http."""
    with passable_folder() as folder:
        street = make_street(folder)
        config = written("uwsgi", street.plan) / "uwsgi-emperor/emperor.ini"
        command = ["setpriv", "--pdeathsig", "TERM", "--no-new-privs", PROGRAM, "--ini", config]
        environ = {"PATH": "/usr/bin:/bin"}
        with (
            running(command, street.log, environ, Path("/")),
            street.front.running(written("nginx", street.plan) / "nginx/nginx.conf"),
        ):
            for site in (HURT, *NEIGHBOURS):
                street.wait_until_served(site, HANG / 2, "at the start")
            yield street


def make_street(folder: Path) -> Street:
    front = opened_front(folder)
    for site in (HURT, *NEIGHBOURS):
        temporary = folder / "data/sites" / site / "tmp"
        temporary.mkdir(parents=True)
        shutil.chown(temporary, site, site)
        (folder / "code" / site).mkdir(parents=True)
        (folder / "code" / site / MODULE).write_text(APPLICATION)
    FRONT.take(folder / "run", 0o750)
    front.certify(*(f"{site}.example.org" for site in (HURT, SHARED, OWN_SERVER)))
    for path in folder.glob("*.example.org.*"):
        FRONT.take(path, 0o640)
    return Street(front, plan_of(front), folder / "emperor.log")


def plan_of(front: Front) -> Plan:
    """Return a plan of four sites, each with code of its own."""
    tls = front.certify()
    plan = front.plan(
        site_with_code(front, HURT, tls=tls, uwsgi=(("memory", MEMORY),)),
        site_with_code(front, SHARED, tls=tls),
        site_with_code(front, OWN_SERVER, tls=tls, nginx=(("body_size", "1m"),), uwsgi=(("harakiri", PATIENCE),)),
        site_with_code(front, HTTP_ONLY),
        nginx={"user": FRONT.user, "timeout": TIMEOUT},
        uwsgi=UwsgiOptions(build="debian", processes=2, harakiri=HARAKIRI),
        user="{site}",
        origin="https://{hostname}",
    )
    codebase = make_codebase(directory=front.folder, virtualenv=Path("/usr"), wsgi="shop:application")
    return replace(plan, codebase=codebase, registry=str(front.folder / "sites.toml"))


def site_with_code(front: Front, site: str, **options: object) -> SiteSpec:
    code = (("directory", front.folder / "code" / site),)
    return make_site(site, data=front.folder / "data", code=code, **options)


def expire(street: Street, host: str) -> None:
    """Put a certificate of the same authority in the place of the host's that ended yesterday."""
    folder = street.front.folder
    request, issued = folder / "request.pem", folder / "issued.pem"
    authority = ["-CA", folder / "authority.pem", "-CAkey", folder / "authority.key", "-set_serial", "2"]
    key, names = folder / f"{host}.key", ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    for command in (
        ["req", "-new", "-key", key, *names, "-out", request],
        ["x509", "-req", "-in", request, *authority, "-days", "-1", "-copy_extensions", "copy", "-out", issued],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True, timeout=SECONDS)
    FRONT.take(issued, 0o640).replace(folder / f"{host}.pem")

"""A prober like that of Kubernetes: one GET per period on a new connection, with a deadline, without redirects."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
#: Kubernetes' own (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
TIMEOUT = 1
THRESHOLD = 3
AGENT = {"User-Agent": "kube-probe/1.33", "Accept": "*/*", "Connection": "close"}
REFUSED, LATE = "refused", "late"


@dataclass
class Prober:
    """Requests ``path`` from the server at ``port`` repeatedly; ``records`` contains the times and the answers."""

    port: int
    path: str
    period: float = 0.1
    records: list[tuple[float, str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> str:
        """Return the status and the body; ``refused`` without a connection, ``late`` if it takes too long."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            try:
                connection.request("GET", self.path, headers=AGENT)
                response = connection.getresponse()
                return f"{response.status} {response.read(200).decode()}"
            except TimeoutError:
                return LATE
            except (OSError, http.client.HTTPException):
                return REFUSED

    def run(self) -> None:
        while not self.stopped.wait(self.period):
            self.records.append((time.monotonic(), self.ask()))

    @property
    def answers(self) -> list[str]:
        return [answer for _, answer in self.records]

    @property
    def last(self) -> str:
        return self.records[-1][1] if self.records else ""

    def sequence(self, *ignored: str) -> list[str]:
        """Return the answers that are not ``ignored``, without repetitions."""
        kept = [answer for answer in self.answers if answer not in ignored]
        return [answer for number, answer in enumerate(kept) if number == 0 or kept[number - 1] != answer]

    def is_restarted(self) -> bool:
        """
        Return whether Kubernetes would have restarted the container: three failures in a row after a success. That a
        machine with much else to do is late does not count here.
        """
        answers = [answer for answer in self.answers if answer != LATE]
        first = next((number for number, answer in enumerate(answers) if answer.startswith("2")), len(answers))
        fails = "".join("." if answer.startswith(("2", "3")) else "x" for answer in answers[first:])
        return "x" * THRESHOLD in fails


@contextlib.contextmanager
def probing(port: int, *paths: str) -> Iterator[dict[str, Prober]]:
    """Run a prober for each path."""
    probers = {path: Prober(port, path) for path in paths}
    threads = [threading.Thread(target=prober.run) for prober in probers.values()]
    for thread in threads:
        thread.start()
    try:
        yield probers
    finally:
        for prober in probers.values():
            prober.stopped.set()
        for thread in threads:
            thread.join()

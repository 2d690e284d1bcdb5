"""The process of a site, seen from the test run."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from wagtail_multihost.exceptions import MultihostError

ANSWER_SECONDS = 300
TICK_SECONDS = 0.5
STOP_SECONDS = 10
LOG_LINES = 20
# Variables of the test run, not of the sites.
NOT_INHERITED = ("MULTIHOST_", "PYTEST_")


class TenantError(MultihostError):
    """A step failed in the process of a site; ``kinds`` are the class names of the error and its bases."""

    def __init__(self, message: str, kinds: tuple[str, ...] = (), details: str = "") -> None:
        super().__init__(message)
        self.kinds = kinds
        self.details = details


class TenantProcess:
    """The process of ``site``; its output goes to the file ``log``. ``tick`` is called while its answer is awaited."""

    def __init__(
        self, site: str, settings_module: str, registry: Path | str, log: Path, tick: Callable[[], None]
    ) -> None:
        self.site = site
        self.log = log
        self.tick = tick
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "wagtail_multihost.testing.tenant"],
                env=tenant_environ(os.environ, site, settings_module, registry),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                encoding="utf-8",
            )

    def __enter__(self) -> TenantProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe(self.process.stdin).close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.pipe(self.process.stdout).close()

    def send(self, do: str, **arguments: object) -> None:
        """Send a command; ``receive`` returns its answer."""
        pipe = self.pipe(self.process.stdin)
        try:
            pipe.write(json.dumps({"do": do, "with": arguments}) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise self.end_error() from None

    def receive(self) -> Any:
        """Return the result of the command that was sent; raises TenantError if it failed or the process has ended."""
        pipe = self.pipe(self.process.stdout)
        ends = time.monotonic() + ANSWER_SECONDS
        while not select.select([pipe], [], [], TICK_SECONDS)[0]:
            self.tick()
            if time.monotonic() > ends:
                self.process.kill()
                raise TenantError(f"The process of {self.site} did not answer within {ANSWER_SECONDS} s.")
        line = pipe.readline()
        if not line:
            raise self.end_error()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TenantError(answer["error"], tuple(answer["kinds"]), answer["traceback"])
        return answer["result"]

    def call(self, do: str, **arguments: object) -> Any:
        """Send a command and return its result."""
        self.send(do, **arguments)
        return self.receive()

    def end_error(self) -> TenantError:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return TenantError("\n".join([f"The process of {self.site} has ended.", *lines]))

    @staticmethod
    def pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None  # noqa: S101  # both are pipes, see Popen
        return pipe


def tenant_environ(environ: Mapping[str, str], site: str, settings_module: str, registry: Path | str) -> dict[str, str]:
    """Return the environment of a site's process: this process's, the import path, and the site."""
    kept = {name: value for name, value in environ.items() if not name.startswith(NOT_INHERITED)}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": settings_module,
        "MULTIHOST_REGISTRY": str(registry),
        "MULTIHOST_SITE": site,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
    }

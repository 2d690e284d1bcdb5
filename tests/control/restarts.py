"""A PostgreSQL server that ends and is started again in its place, with the same files and the same port."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from pathlib import Path

from django.db import connections

from tests.servers.postgres import Postgres, serve_command
from tests.servers.processes import children, is_running, running, wait_for


class Restarts:
    """Restarts of one ``server``; what is started in its place runs until the ``stack`` is closed."""

    def __init__(self, server: Postgres, stack: ExitStack, folder: Path) -> None:
        self.server, self.stack, self.folder = server, stack, folder
        self.data = Path(server.execute("postgres", "SHOW data_directory")[0][0])

    @property
    def pid(self) -> int:
        """The process that starts all others of the server."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, as at a fast shutdown or as ``how`` ends it, and start it again."""
        pid = self.pid
        processes = [pid, *children(pid)]
        if is_running(pid):
            os.kill(pid, how)
        self.start_after(*processes)

    def start_after(self, *processes: int) -> None:
        """Start the server once the processes of the former one have ended: its memory may be theirs until then."""
        connections.close_all()
        wait_for(lambda: not any(map(is_running, processes)), "the end of PostgreSQL")
        # The number of one that was killed stays in its lock file, and counts while it is a child of this process.
        with suppress(ChildProcessError):
            os.waitpid(processes[0], 0)
        command = serve_command(self.data, self.server.port)
        started = self.stack.enter_context(running(command, self.folder / "postgres.log", cwd=Path("/")))
        self.stack.callback(lambda: (started.send_signal(signal.SIGINT), started.wait(30)))
        wait_for(self.server.is_up, "PostgreSQL")

"""
The baseline of ``benchmarks.monitor``: the same question over TLS by the package's other HTTP client, in as many
threads, without DNS, proofs, judgements and results.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from ipaddress import ip_address

from benchmarks.monitor_stub import HOST
from wagtail_multihost.http_client.client import NoAnswerError, Target, ask_server
from wagtail_multihost.operations.courier.proofs import pinned

THREADS = 100


def main() -> None:
    """Ask for some seconds; print how many answers came, and the processor time."""
    url, ca_file, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    target = Target(url)
    addresses = [pinned(ip_address(HOST), target.port)]
    counts = [0] * THREADS
    until = time.monotonic() + seconds

    def ask(index: int) -> None:
        while time.monotonic() < until:
            with suppress(NoAnswerError):
                reply = ask_server(target, "/-/ready", seconds=10, ca_file=ca_file, addresses=addresses)
                counts[index] += reply.status == 200

    threads = [threading.Thread(target=ask, args=[index]) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts), time.process_time())


if __name__ == "__main__":
    main()

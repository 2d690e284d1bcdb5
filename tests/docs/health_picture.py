"""Make docs/pictures/health.png anew, in Chromium: python -m tests.docs.health_picture"""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.health import samples
from tests.health.samples import Told, endpoint, report, sample
from tests.health.test_page_servers import KNOWN, Handler
from tests.servers.chromium import chromium
from wagtail_multihost.health.probe import passed, warned
from wagtail_multihost.health.report import Report
from wagtail_multihost.version import own_version

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "health.png"
WIDTH, HEIGHT = 960, 640


def shown() -> Report:
    """Return the report of a site that works, of which somebody should renew a certificate."""
    certificates = (
        warned("expires_soon", 12, "days", subject="www.aurora.example.org"),
        passed(71, "days", subject="aurora.example.org"),
    )
    return report(
        sample("database", passed(0.0031, "seconds"), site="aurora"),
        sample("migrations", passed(), site="aurora"),
        sample("cache", passed(0.0008, "seconds"), site="aurora"),
        sample("certificate", *certificates, site="aurora", ago=310, criticality="degraded"),
        sample("disk", passed(76.2, "percent", subject="data"), criticality="degraded"),
        sample("memory", passed(41.5, "percent")),
        sites=("aurora",),
    )


def main() -> None:
    samples.VERSION = own_version()
    Handler.endpoints = {"/-/": endpoint(Told(shown()))}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever).start()
        try:
            with chromium(Path(profile)) as browser:
                url = f"http://127.0.0.1:{server.server_address[1]}/-/health.html"
                browser.visit(url, width=WIDTH, height=HEIGHT, **KNOWN)
                browser.screenshot(PICTURE)
        finally:
            server.shutdown()


if __name__ == "__main__":
    main()

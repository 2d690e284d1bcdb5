"""What gixy-ng, an analyser of nginx's configurations, finds in the emitted files: each finding is answered here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.emitters.conftest import GOLDEN

pytestmark = pytest.mark.servers

#: Findings that stay, by the analyser's name and a part of its reason, and why they do.
ANSWERED = {
    ("hsts_header", "No Strict-Transport-Security"): "Django sends it, for each site, by SECURE_HSTS_SECONDS.",
    ("http2_misdirected_request", "does not define `location / { return 421; }`"): (
        "The server itself returns 444, whatever the location: the connection is closed, and no site is reached."
    ),
    ("if_is_evil", 'Directive "set"'): "The set is followed by a return in the same if, so that nothing else runs.",
    ("missing_resolver", "uses a variable"): "The variable names an upstream of fixed addresses, in a closed map.",
    ("try_files_is_evil_too", "without open_file_cache"): "It is about speed, and for challenges of ACME alone.",
}


def test_every_finding_is_mended_or_answered() -> None:
    """No finding is without an answer, and no answer without a finding."""
    configurations = sorted(GOLDEN.glob("nginx/*/nginx/nginx.conf"))
    assert len(configurations) > 20
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "gixy", "-f", "json", *configurations],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {(finding["plugin"], finding["reason"]) for finding in json.loads(done.stdout)}
    open_findings = {
        (plugin, reason)
        for plugin, reason in found
        if not any(plugin == name and part in reason for name, part in ANSWERED)
    }
    assert not open_findings
    assert {name for name, _ in ANSWERED} == {plugin for plugin, _ in found}

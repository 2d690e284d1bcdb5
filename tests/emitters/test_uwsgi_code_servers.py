"""A site's own code and its own limits, as uWSGI itself reads them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.strategies import LETTERS, PUNCTUATION, site_ids
from tests.emitters.uwsgi_ini import options_in, options_of
from wagtail_multihost.emitters.uwsgi.emperor import DEBIAN_PROGRAM
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

#: What an operator may paste, uWSGI's own signs and ends of lines among it.
hostile = st.lists(
    st.text([*PUNCTUATION.replace("/", ""), *LETTERS, *"%$\n"], min_size=1, max_size=6), min_size=1, max_size=2
).map(lambda parts: "/" + "/".join(parts))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    site=site_ids,
    directory=hostile,
    virtualenv=hostile,
    pythonpath=st.lists(hostile, max_size=2),
    cgroup=st.sampled_from(["", "/sys/fs/cgroup/aviary/{site}"]),
    processes=st.integers(1, 256),
    backlog=st.integers(1, 65_535),
)
def test_own_code_and_limits_are_refused_or_read_back(
    site: str, directory: str, virtualenv: str, pythonpath: list[str], cgroup: str, processes: int, backlog: int
) -> None:
    """Each hostile value is refused by the spec or the quoting, or uWSGI reads the very options that were written."""
    own = (("directory", Path(directory)), ("virtualenv", Path(virtualenv)), ("pythonpath", tuple(pythonpath)))
    limits = (("processes", processes), ("backlog", backlog), ("memory", "1g"))
    try:
        platform = make_platform(user="site-{site}"[:32], uwsgi=UwsgiOptions(build="debian", cgroup=cgroup))
        text = texts("uwsgi", make_plan(make_site(site, code=own, uwsgi=limits), platform=platform))[
            f"uwsgi/{site}.ini"
        ]
    except (ConfigurationError, RenderError):
        return
    with tempfile.TemporaryDirectory() as folder:
        ini = Path(folder, "vassal.ini")
        ini.write_text(text, encoding="utf-8")
        command = [DEBIAN_PROGRAM, "--ini", ini, "--show-config", "--no-server", "--lazy-apps"]
        # It shows them, and then finds no environment at that path.
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    output = re.sub(rf"^\[{site}\] - ", "", (done.stdout + done.stderr).decode(), flags=re.MULTILINE)
    shown = output.partition(";uWSGI instance configuration\n")[2].partition(";end of configuration\n")[0]
    assert options_in(iter(shown.split("\n")))[1 : 1 + len(options_of(text))] == options_of(text)

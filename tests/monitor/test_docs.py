"""What the pages say about the monitor is so, and its units."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.test_docs import DOCS, PAGES, blocks
from wagtail_multihost.monitor.command import make_parser, option_problem
from wagtail_multihost.monitor.prober import LINE_BYTES, MOST_HEADERS, PAGE_BYTES, READY_BYTES
from wagtail_multihost.nodeapi.probe_states import LATENCY_BOUNDS, REASONS, STATES

UNITS = ("multihost-monitor", "multihost-monitor-inside")
#: systemd's scale ends at 10.
MOST_EXPOSURE = 2.0
PAGE = DOCS / "reference" / "monitor.md"


def monitor_lines() -> list[list[str]]:
    """Return the words of every line that starts a monitor, in pages and in the units."""
    texts = [text for path in PAGES for text in blocks(path, "shell", "console", "bash", "ini", "text")]
    units = [(DOCS / "examples" / f"{name}.service").read_text(encoding="utf-8") for name in UNITS]
    lines = "\n".join([*texts, *units]).replace("\\\n", " ").splitlines()
    found = re.compile(r"\s*(?:ExecStart=\S*/)?multihost-monitor (--.*)")
    return [shlex.split(match[1]) for line in lines if (match := found.match(line))]


def test_command_lines_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line that starts a monitor has options that there are, and that fit together."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert len(monitor_lines()) > 4
    for words in monitor_lines():
        assert option_problem(make_parser().parse_args(words)) == "", words


def test_page_has_each_word_and_each_bound() -> None:
    """The closed lists with what they mean, and the numbers of the code."""
    page = PAGE.read_text(encoding="utf-8")
    for word, meaning in REASONS.items():
        assert not word or f"| `{word}` | {meaning} |" in page, word
    for word in STATES:
        assert f"| `{word}` |" in page
    assert f"{', '.join(map(str, LATENCY_BOUNDS[:-1]))} and {LATENCY_BOUNDS[-1]} ms" in page
    assert f"{LINE_BYTES} bytes a line, {MOST_HEADERS} lines" in page
    assert (READY_BYTES, PAGE_BYTES) == (64 * 1024, 2 * 1024 * 1024)
    assert "64 KiB, a page 2 MiB" in page


@pytest.mark.servers
@pytest.mark.parametrize("name", UNITS)
def test_unit_is_sound_and_leaves_the_process_next_to_nothing(tmp_path: Path, name: str) -> None:
    """systemd has nothing to say but of the program that is not here, and calls the exposure low."""
    text = (DOCS / "examples" / f"{name}.service").read_text(encoding="utf-8")
    assert "\nUser=multihost-monitor\n" in text and "\nCapabilityBoundingSet=\n" in text
    unit = tmp_path / f"{name}.service"
    unit.write_text(re.sub(r"/srv/\S*/multihost-monitor", str(shutil.which("true")), text), encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", told)
    assert float(level) <= MOST_EXPOSURE

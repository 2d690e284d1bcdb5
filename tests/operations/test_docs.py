"""What the pages say about the courier is so, and the units of courier and operator."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.test_docs import DOCS, PAGES, blocks
from wagtail_multihost.http_client.addresses import SPECIAL_4, is_public
from wagtail_multihost.operations.courier.command import make_parser
from wagtail_multihost.operations.courier.proofs import MOST_ADDRESSES, MOST_BYTES

UNIT = DOCS / "examples" / "multihost-courier.service"
#: Modules whose sentences people read.
SAYING = ("name_servers.py", "proofs.py")
#: systemd's scale ends at 10.
MOST_EXPOSURE = 2.0


def courier_lines() -> list[list[str]]:
    """Return the words of every line that starts a courier, in pages and in the unit."""
    texts = [text for path in PAGES for text in blocks(path, "shell", "console", "bash", "ini", "text")]
    lines = "\n".join([*texts, UNIT.read_text(encoding="utf-8")]).replace("\\\n", " ").splitlines()
    found = re.compile(r"\s*(?:ExecStart=\S*/)?multihost-courier (--.*)")
    return [shlex.split(match[1]) for line in lines if (match := found.match(line))]


def test_command_lines_are_accepted() -> None:
    """Each line that starts a courier has options that there are."""
    assert len(courier_lines()) > 3
    for words in courier_lines():
        assert make_parser().parse_args(words).database.startswith("postgresql://")


def test_pages_name_limits_and_networks_that_there_are() -> None:
    """The page's networks are refused, and its numbers are the code's."""
    page = (DOCS / "reference" / "courier.md").read_text(encoding="utf-8")
    networks = re.findall(r"`([0-9.]+/[0-9]+)`", page)
    assert set(networks) < set(SPECIAL_4)
    assert not any(is_public(ip_network(network)[1]) for network in networks)
    assert f"at most {MOST_BYTES} bytes" in page
    assert (MOST_ADDRESSES, "at most four." in page) == (4, True)


def test_sentences_of_the_how_to_are_those_of_the_courier() -> None:
    """Each sentence in the table of what goes wrong is one that the code has, up to what is filled in."""
    page = (DOCS / "how-to" / "prove-a-hostname.md").read_text(encoding="utf-8")
    folder = Path(sys.modules[make_parser.__module__].__file__ or "").parent
    code = re.sub(r"\{[^}]*\}", "…", "\n".join((folder / name).read_text(encoding="utf-8") for name in SAYING))
    said = re.findall(r"^\| ([^|]+) \| [^|]+\|$", page.partition("## If it is not found")[2], re.MULTILINE)[1:]
    assert len(said) == 10
    for sentence in said:
        words = re.sub(r"`[^`]*`", "…", sentence).replace("TXT record with", "… record with")
        words = re.sub(r"\((?:301|SERVFAIL)\)|404", lambda found: "(…)" if "(" in found[0] else "…", words)
        assert words.removesuffix(" …") in code, words


@pytest.mark.servers
@pytest.mark.parametrize("name", ["multihost-courier", "multihost-operator"])
def test_unit_is_sound_and_leaves_the_process_next_to_nothing(tmp_path: Path, name: str) -> None:
    """systemd has nothing to say but of the program that is not here, and calls the exposure low."""
    program = str(shutil.which("true"))
    text = (DOCS / "examples" / f"{name}.service").read_text(encoding="utf-8")
    assert f"\nUser={name}\n" in text and "\nCapabilityBoundingSet=\n" in text
    unit = tmp_path / f"{name}.service"
    unit.write_text(text.replace(f"/srv/control/venv/bin/{name}", program), encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", told)
    assert float(level) <= MOST_EXPOSURE


def test_unit_of_the_operator_may_write_bundles_where_the_page_has_them() -> None:
    """Beside them it writes into its own folder alone."""
    text = (DOCS / "examples" / "multihost-operator.service").read_text(encoding="utf-8")
    (paths,) = re.findall("^ReadWritePaths=(.*)$", text, re.MULTILINE)
    page = (DOCS / "how-to" / "start-nodes-without-the-database.md").read_text(encoding="utf-8")
    (folder,) = re.findall(r"`multihost-operator run --bundles (/\S+)`", page)
    assert paths == f"-{folder}"
    assert f"`install -d -o multihost-operator -m 755 {folder}`" in page
    assert re.findall("^StateDirectory=(.*)$", text, re.MULTILINE) == ["multihost-operator"]

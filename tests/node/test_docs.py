"""What the pages say about the agent is so."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.test_docs import DOCS, PAGES, blocks
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.applying import UNLISTED
from wagtail_multihost.node.command import make_parser
from wagtail_multihost.node.options import read_agent_options
from wagtail_multihost.node.reporting import PERIOD
from wagtail_multihost.node.state_file import find_folder
from wagtail_multihost.node.waiting import CALM, LONGEST_QUIET, QUIET
from wagtail_multihost.nodeapi.node_states import CONDITIONS
from wagtail_multihost.registry.node_file import NodeFile

UNIT = DOCS / "examples" / "multihost-agent.service"
HOW_TO, REFERENCE = DOCS / "how-to" / "run-the-agent.md", DOCS / "reference" / "agent.md"
#: systemd's scale ends at 10. The agent is root, and writes for all sites.
MOST_EXPOSURE = 3.1
#: Without which the agent cannot do its work; nothing that would let it into the kernel or out of its folders.
CAPABILITIES = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"}


def test_command_lines_are_accepted() -> None:
    texts = [text for path in PAGES for text in blocks(path, "shell", "console", "bash", "ini", "text")]
    found = re.compile(r"\s*(?:\S+=\S+ )*(?:ExecStart=\S*/)?multihost-agent( --.*)?")
    lines = [
        match[1] or ""
        for text in [*texts, UNIT.read_text()]
        for line in text.splitlines()
        if (match := found.fullmatch(line))
    ]
    assert len(lines) > 3
    for words in lines:
        make_parser().parse_args(shlex.split(words))


def test_node_files_of_the_how_to_are_accepted() -> None:
    """Its first table [agent] is whole; the second is what a container has on top."""
    tables = [tomllib.loads(text)["agent"] for text in blocks(HOW_TO, "ini") if "[agent]" in text]
    first, second = (
        NodeFile(Path("/etc/multihost/node.toml"), {}, {}, agent=table)
        for table in (tables[0], {**tables[0], **tables[1]})
    )
    assert (read_agent_options(first).node, read_agent_options(first).drains) == ("web1", False)
    assert (read_agent_options(second).drains, read_agent_options(second).drain_seconds) == (True, 10)


def test_unit_lets_the_agent_do_what_the_how_to_says() -> None:
    """It writes to the folders of the node file, and is told by the kernel who listens."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    service = unit["Service"]
    folders = [Path(folder.lstrip("-")) for folder in service["ReadWritePaths"].split()]
    document = next(tomllib.loads(text) for text in blocks(HOW_TO, "ini") if "[agent]" in text)
    node = NodeFile(Path("/etc/multihost/node.toml"), document["platform"], {}, agent=document["agent"])
    options = read_agent_options(node)
    for written in (options.output, find_folder(options, node), Path(document["platform"]["snapshots"])):
        assert any(written.is_relative_to(folder) for folder in folders), written
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()


def test_problems_of_the_table_are_said_at_once() -> None:
    table = {"registry": "postgres://me:secret@db/control", "node": "Web 1", "targets": "nginx", "pol": 3, "drains": 1}
    with pytest.raises(ConfigurationError) as caught:
        read_agent_options(NodeFile(Path("/etc/multihost/node.toml"), {}, {}, agent=table))
    keys = [problem.where.rpartition(".")[2] for problem in caught.value.problems]
    assert sorted(keys) == ["drains", "node", "output", "pol", "registry", "release", "targets"]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("more", "said"), [({}, "It is missing"), ({"bundle_key": "xx"}, "multihost-operator init")])
def test_key_of_a_bundle_has_one_problem(more: dict[str, str], said: str) -> None:
    table = {
        "registry": "postgres:///?service=control",
        "node": "web1",
        "targets": ["nginx"],
        "output": "/etc/multihost",
    }
    table |= {"release": "/srv/aviary/release.json", "bundle": "/mnt/web1.bundle", **more}
    with pytest.raises(ConfigurationError) as caught:
        read_agent_options(NodeFile(Path("/etc/multihost/node.toml"), {}, {}, agent=table))
    (problem,) = caught.value.problems
    assert problem.where.endswith("agent.bundle_key")
    assert said in problem.message


def test_page_has_the_conditions_and_times_that_there_are() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    section = page.partition("## Conditions")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(named) > 7
    assert set(named) <= set(CONDITIONS)
    assert f"after {QUIET:g} seconds without another one, at the latest after {LONGEST_QUIET:g}" in page
    assert f"The first one after {CALM:g} calm seconds" in page
    assert f"otherwise every {PERIOD:g} seconds" in page


def test_sentences_of_the_how_to_are_those_of_the_agent() -> None:
    page = HOW_TO.read_text(encoding="utf-8")
    (said,) = re.findall(r'"(There are files of sites here[^"]*)"', page)
    assert UNLISTED.startswith(said)


@pytest.mark.servers
def test_unit_is_sound_and_bounds_what_root_may(tmp_path: Path) -> None:
    """systemd has nothing to say, calls the exposure low, and leaves the capabilities that the page names."""
    text = UNIT.read_text(encoding="utf-8").replace("/srv/venv/bin/multihost-agent", str(shutil.which("true")))
    unit = tmp_path / UNIT.name
    unit.write_text(text, encoding="utf-8")
    words = ["systemd-analyze", "verify", "--man=no", unit]
    verified = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", told)
    assert float(level) <= MOST_EXPOSURE
    # Without AF_NETLINK the kernel says of no socket whether somebody listens, and each counts as if somebody did.
    assert re.findall("^RestrictAddressFamilies=(.*)$", text, re.MULTILINE) == ["AF_INET AF_INET6 AF_NETLINK AF_UNIX"]
    assert set(re.findall("--cap-add=(\\w+)", HOW_TO.read_text(encoding="utf-8"))) == CAPABILITIES
    rights = REFERENCE.read_text(encoding="utf-8").partition("## Rights")[2]
    for source in (text, rights):
        assert set(re.findall(r"CAP_(\w+)", source)) == CAPABILITIES

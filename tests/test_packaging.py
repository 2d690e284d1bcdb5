"""What is in the wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

#: The source tree; test environments copy the tests out of it.
ROOT = Path(os.environ.get("MULTIHOST_CHECKOUT", Path(__file__).parent.parent))
SOURCE = ROOT / "wagtail_multihost"
EXTRAS = {
    *("agent", "alerts", "certificates", "control", "courier", "metrics", "monitor", "operator", "postgres", "redis"),
    *("s3", "signatures", "tasks"),
}


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from the source tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        yield wheel


def sources() -> set[str]:
    """Return every file of the package, less what running it leaves."""
    return {
        str(path.relative_to(ROOT)) for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_has_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every source file and template is in it; tests, docs and the example are not."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == sources()
    assert "wagtail_multihost/py.typed" in names
    assert {
        "wagtail_multihost/emitters/templates/nginx/nginx.conf",
        "wagtail_multihost/emitters/templates/uwsgi/hostmap.py",
        "wagtail_multihost/health/templates/wagtail_multihost/health/page.html",
    } <= names


def metadata_name(wheel: zipfile.ZipFile) -> str:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return name


def metadata_of(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(metadata_name(wheel)))


def test_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    """The metadata has the extras, the Python versions, the licence and the readme."""
    name, metadata = metadata_name(wheel), metadata_of(wheel)
    assert metadata["Name"] == "wagtail-multihost"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())
    assert str(metadata.get_payload()).strip()
    entry_points = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "multihost-health = wagtail_multihost.health.__main__:main" in entry_points
    assert "multihost-agent = wagtail_multihost.node.__main__:main" in entry_points
    assert "multihost-courier = wagtail_multihost.operations.courier.__main__:main" in entry_points
    assert "multihost-monitor = wagtail_multihost.monitor.__main__:main" in entry_points
    assert "multihost-operator = wagtail_multihost.operations.operator.__main__:main" in entry_points


def test_wheel_says_who_made_it_and_where_it_is(wheel: zipfile.ZipFile) -> None:
    """The metadata has an author and addresses, each below the one of the source."""
    metadata = metadata_of(wheel)
    assert metadata["Author"] == "The wagtail-multihost contributors"
    addresses = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert {"Source", "Documentation", "Changelog", "Issues"} <= set(addresses)
    assert all(address.startswith(addresses["Source"]) for address in addresses.values())


def test_links_of_the_readme_lead_somewhere_from_pypi(wheel: zipfile.ZipFile) -> None:
    """Each link and picture of the description is absolute, and those into the repository name a file that it has."""
    metadata = metadata_of(wheel)
    addresses = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    text = wheel.read(metadata_name(wheel)).decode().partition("\n\n")[2]
    pictures, links = (re.findall(pattern, text) for pattern in (r"!\[[^\]]*\]\(([^)]+)\)", r"\]\(([^)]+)\)"))
    assert pictures
    assert "[!" not in text.replace("![", "")
    assert [link for link in links if not link.startswith("https://")] == []
    assert [picture for picture in pictures if not picture.startswith(f"{addresses['Source']}/raw/main/")] == []
    files = re.findall(
        rf"^{re.escape(addresses['Source'])}/(?:raw|blob)/main/([^#\n]+)", "\n".join(links), re.MULTILINE
    )
    assert len(files) > 20
    assert [name for name in files if not (ROOT / name).is_file()] == []

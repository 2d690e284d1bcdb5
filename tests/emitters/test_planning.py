"""Plans of registries and of specs that are at hand, without the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker, registry  # noqa: F401  # a fixture
from tests.registry.test_release import CODEBASE
from wagtail_multihost.emitters import emit
from wagtail_multihost.emitters.planning import loaded, plan
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.registry.release import Release, read_release, release_text


def test_plan_of_what_is_good_can_be_made(registry: RegistryMaker, tmp_path: Path) -> None:  # noqa: F811
    """Sites that have problems are neither planned nor written, and can be chosen by nobody."""
    source = registry(HEAD + AURORA + BOREALIS + '[sites.corona]\nhostnames = ["borealis.example.org"]\n')
    with pytest.raises(ConfigurationError):
        loaded(source, CODEBASE)
    contents = loaded(source, CODEBASE, keep_going=True)
    made = plan(source, contents, CODEBASE, tmp_path)
    assert [site.id for site in made.sites] == ["aurora"]
    text = "".join(file.text for file in emit("nginx", made))
    assert "aurora.example.org" in text and "borealis.example.org" not in text
    with pytest.raises(ConfigurationError, match="no site 'borealis'"):
        plan(source, contents, CODEBASE, tmp_path, only=["borealis"])


def test_folder_of_static_files_is_no_sites_place(registry: RegistryMaker) -> None:  # noqa: F811
    """It is the codebase's, wherever that was read from."""
    text = AURORA + f'storage = {{ backend = "files", path = "{CODEBASE.static_root}/in" }}\n'
    with pytest.raises(ConfigurationError, match="folder of static files"):
        loaded(registry(HEAD + text), CODEBASE)


def test_plan_needs_no_django(registry: RegistryMaker, tmp_path: Path) -> None:  # noqa: F811
    """The file of a release and the registry are enough to emit."""
    (tmp_path / "codebase.json").write_text(release_text(Release(CODEBASE)))
    (tmp_path / "codebase.json").chmod(0o644)
    assert read_release(tmp_path / "codebase.json").codebase == CODEBASE
    code = (
        "import sys; from pathlib import Path; from wagtail_multihost.registry import open_registry; "
        "from wagtail_multihost.registry.release import read_release; from wagtail_multihost.emitters import emit; "
        "from wagtail_multihost.emitters.planning import loaded, plan; "
        "registry = open_registry(sys.argv[1], {}); code = read_release(Path(sys.argv[2])).codebase; "
        "made = plan(registry, loaded(registry, code), code, Path('/etc/multihost')); "
        "print(sum('/srv/static' in file.text for file in emit('nginx', made)) > 0, 'django' in sys.modules)"
    )
    words = [sys.executable, "-c", code, registry(HEAD + AURORA).url, str(tmp_path / "codebase.json")]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() == ["True", "False"]


@pytest.mark.skipif(os.geteuid() != 0, reason="Others than root use what their own account may.")
def test_templates_that_another_account_can_change_are_refused(registry: RegistryMaker, tmp_path: Path) -> None:  # noqa: F811
    """A template is a program that whoever emits runs: no folder or file of them is a site's."""
    templates = tmp_path / "templates"
    (templates / "nginx").mkdir(parents=True)
    source = registry(HEAD + f'templates = "{templates}"\n' + AURORA)
    contents = loaded(source, CODEBASE)
    assert plan(source, contents, CODEBASE, tmp_path).platform.templates == templates
    hostile = templates / "nginx/site.conf"
    hostile.write_text("{{ cycler.__init__.__globals__.os.popen('id') }}")
    for owned in (hostile, templates / "nginx"):
        os.chown(owned, 65534, 65534)
        with pytest.raises(EmitError, match=r"^platform\.templates: .*nginx"):
            plan(source, contents, CODEBASE, tmp_path)
        os.chown(owned, 0, 0)

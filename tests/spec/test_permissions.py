"""Who may own, read and write secret files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import NOBODY, acting_as, needs_root, passable_folder
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import SecretUnreadableError
from wagtail_multihost.spec import permissions
from wagtail_multihost.spec.secret import Secret


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return secret_file(tmp_path / "key", "hunter2\n")


def refusal(path: Path) -> str:
    with pytest.raises(SecretUnreadableError) as refused:
        Secret.from_file(path).reveal()
    assert str(path) in str(refused.value)
    assert "hunter" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640, 0o700])
def test_secret_file_that_others_cannot_read_is_accepted(key: Path, mode: int) -> None:
    """The owner and the group may read."""
    key.chmod(mode)
    assert Secret.from_file(key).reveal() == "hunter2"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o444, 0o620, 0o660, 0o602, 0o601, 0o666, 0o777])
def test_secret_file_that_others_can_read_or_change_is_refused(key: Path, mode: int) -> None:
    """The error names the file, the mode that was found and those that are accepted."""
    key.chmod(mode)
    message = refusal(key)
    assert f"the mode {mode:04o}" in message
    assert "0640" in message


@pytest.mark.parametrize(
    ("mode", "passes"), [(0o444, True), (0o644, True), (0o400, True), (0o464, False), (0o446, False)]
)
def test_secret_of_a_container_engine_may_be_read_by_all(
    key: Path, monkeypatch: pytest.MonkeyPatch, mode: int, passes: bool
) -> None:
    """Below /run/secrets engines mount files 0444, for the one service of a container; nobody may change them."""
    monkeypatch.setattr(permissions, "ENGINE_SECRETS", key.parent)
    key.chmod(mode)
    if passes:
        assert Secret.from_file(key).reveal() == "hunter2"
    else:
        assert f"{mode:04o}" in refusal(key)


def test_secret_file_that_is_a_pipe_or_a_folder_is_refused(tmp_path: Path) -> None:
    """Neither stops the process nor is taken for a secret."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "regular file" in refusal(tmp_path / "pipe")
    assert refusal(tmp_path)


def test_secret_file_may_be_a_link_of_ones_own(key: Path) -> None:
    """Kubernetes mounts secrets as symbolic links; the file that they lead to is looked at."""
    link = key.with_name("link")
    link.symlink_to(key)
    assert Secret.from_file(link).reveal() == "hunter2"
    key.chmod(0o644)
    assert "0644" in refusal(link)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


@needs_root
def test_secret_file_of_another_account_is_refused(open_folder: Path) -> None:
    """A secret belongs to root or to the account of the process; root takes none from others either."""
    roots, foreign = (secret_file(open_folder / name, "hunter2") for name in ("roots", "foreign"))
    os.chown(foreign, NOBODY, -1)
    assert "belongs to nobody; accepted: root." in refusal(foreign)
    os.chown(roots, 0, 65534)
    roots.chmod(0o640)
    with acting_as(NOBODY, 65534):
        assert Secret.from_file(foreign).reveal() == "hunter2"
        assert Secret.from_file(roots).reveal() == "hunter2"
    os.chown(foreign, 12345, 65534)
    foreign.chmod(0o640)
    with acting_as(NOBODY, 65534):
        assert "belongs to the uid 12345; accepted: root or nobody." in refusal(foreign)


@needs_root
def test_link_of_another_account_is_not_followed(open_folder: Path) -> None:
    """Root does not read for an account what that account has linked to."""
    secret_file(open_folder / "roots", "hunter2")
    link = open_folder / "link"
    link.symlink_to(open_folder / "roots")
    os.lchown(link, NOBODY, NOBODY)
    assert "belongs to nobody" in refusal(link)

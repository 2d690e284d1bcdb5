"""Who listens at a unix socket is told by the kernel, whatever paths processes make up."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.accounts import passable_folder
from tests.emitters.conftest import make_platform, make_site
from wagtail_multihost.node.listening import find_listeners, is_listening, silent_sites


def found(path: Path) -> bool:
    listeners = find_listeners()
    assert listeners is not None
    return is_listening(path, listeners)


def test_socket_counts_while_somebody_listens_there() -> None:
    with passable_folder() as folder:
        path = folder / "site.sock"
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
            assert not found(path)
            one.listen()
            assert found(path)
            (folder / "link.sock").symlink_to(path)
            assert not found(folder / "link.sock")
        assert not found(path)


def test_path_that_a_process_states_counts_for_nothing() -> None:
    """Its own socket was at that path once; another one is there now, at which nobody listens."""
    with passable_folder() as folder, socket.socket(socket.AF_UNIX) as hostile, socket.socket(socket.AF_UNIX) as dead:
        path = folder / "site.sock"
        hostile.bind(str(path))
        hostile.listen()
        os.rename(path, folder / "elsewhere.sock")
        dead.bind(str(path))
        assert str(path) in Path("/proc/net/unix").read_text()
        assert not found(path)
        assert not found(folder / "nothing.sock")


def test_enabled_sites_at_whose_sockets_nobody_listens_are_silent() -> None:
    with passable_folder() as folder, socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        sites = [make_site("aurora"), make_site("borealis"), make_site("corona"), make_site("dawn", enabled=False)]
        one.bind(str(folder / sites[0].names.socket))
        one.listen()
        other.bind(str(folder / sites[1].names.socket))
        assert silent_sites(make_platform(sockets=folder), sites) == ["borealis", "corona"]

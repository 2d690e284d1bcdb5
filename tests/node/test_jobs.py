"""The thread that does a node's jobs: what ends it, and which login it has."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator

import pytest

from wagtail_multihost.node.jobs import JobRunner

JOINING, JOINED = "postgres://multihost_join@db/control", "postgres://multihost_node_web1@db/control"


class Node:
    """A node that has a login, and a descriptor that tells of signals."""

    def __init__(self) -> None:
        self.url = JOINING
        self.reader, self.writer = socket.socketpair()
        self.runner = JobRunner(lambda: self.url, {}, self.reader.fileno(), lambda: True)

    def get(self, number: signal.Signals) -> None:
        """Get a signal, as Python writes it down."""
        self.writer.send(bytes([number]))


@pytest.fixture(name="node")
def _node() -> Iterator[Node]:
    node = Node()
    with node.reader, node.writer:
        yield node


def test_jobs_end_with_the_agent_and_with_no_other_signal(node: Node) -> None:
    """Whoever asks for a look at the node would else end them for good, or have one given back that is being done."""
    assert not node.runner.is_stopping()
    node.get(signal.SIGUSR1)
    assert not node.runner.is_stopping()
    node.get(signal.SIGTERM)
    assert node.runner.is_stopping()


def test_jobs_are_taken_by_the_login_that_the_node_has_now(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may join long after its start, and once more after it was forgotten."""
    asked = []
    monkeypatch.setattr(node.runner.jobs, "take", lambda: asked.append(node.runner.database.target.parameters["user"]))
    node.runner.turn()
    node.url = JOINED
    node.runner.turn()
    assert asked == ["multihost_join", "multihost_node_web1"]

"""Every command that a real Redis knows, tried as the user of a site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Connection, Redis
from redis.exceptions import ExecAbortError, NoPermissionError, ResponseError

from tests.servers.redis import SharedRedis, shared_redis
from wagtail_multihost.spec.redis_rules import ENTRY_COMMANDS, SITE_COMMANDS

pytestmark = pytest.mark.servers

OWN = "aviary.aurora:@0:1:a"
# Redis asks no rule about these (the flag no_auth): they log a connection in, reset it or end it.
FREE = {"auth", "hello", "quit", "reset"}
# Keys of neighbours, and keys that only look like the site's own.
FOREIGN = ("aviary.borealis:owner", "aviary.aurora-b:owner", "aviary.aurora", "aviary.aurora2:a", "a", "", "*")
AFTER_THE_KEY = {
    "set": ["1"],
    "incrby": ["1"],
    "expire": ["9"],
    "pexpire": ["9"],
    "expireat": ["9"],
    "pexpireat": ["9"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[SharedRedis]:
    # Off by default, whoever asks. Here the rules alone refuse them.
    with shared_redis("enable-debug-command yes", "enable-module-command yes") as started:
        yield started


@pytest.fixture
def operator(server: SharedRedis) -> Iterator[Redis]:
    with server.operator() as client:
        yield client


def described(server: SharedRedis) -> list[list[Any]]:
    """Return the server's own table of commands: name, number of words, flags and so on, subcommands the last."""
    # A bare connection: redis-py's client drops the subcommands.
    connection = Connection("127.0.0.1", server.port, username="operator", password="operator", protocol=2)
    try:
        connection.send_command("COMMAND")
        rows: list[list[Any]] = connection.read_response()
    finally:
        connection.disconnect()
    return rows + [subcommand for row in rows for subcommand in row[9]]


def known(server: SharedRedis) -> dict[str, int]:
    """
    Return every command and subcommand of the server, written as in rules, with its number of words. What has
    subcommands, such as CLIENT, is no command that can be run without one.
    """
    return {row[0].decode(): abs(row[1]) for row in described(server) if not row[9]}


def words_of(command: str, count: int) -> list[str]:
    """Return a call with as many words as the command needs, the site's own key in each place."""
    words = command.split("|")
    return [*words, *[OWN] * (count - len(words))]


def test_user_of_a_site_may_run_the_listed_commands_and_no_other(server: SharedRedis, operator: Redis) -> None:
    """Of all commands and subcommands that the server knows, the rules allow those of the list."""
    commands = known(server)
    assert len(commands) > 300 and {"client|tracking", "function|load", "eval", "acl|whoami"} <= set(commands)
    answers = {
        command: operator.execute_command("ACL DRYRUN", "aurora", *words_of(command, count))
        for command, count in commands.items()
    }
    denied = {command for command, answer in answers.items() if b"no permissions to run" in answer}
    assert set(commands) - denied == {*SITE_COMMANDS, *FREE}


def test_commands_that_are_not_listed_are_refused_when_they_are_sent(server: SharedRedis, operator: Redis) -> None:
    """The server does as its dry run says: it refuses each call, and the data of the neighbour stay."""
    operator.set("aviary.borealis:kept", "kept")
    commands = known(server)
    others = set(commands) - {*SITE_COMMANDS, *FREE}
    with server.of_site("aurora") as client:
        answered = {name for name in sorted(others) if not is_refused(client, words_of(name, commands[name]))}
    assert answered == set()
    assert operator.get("aviary.borealis:kept") == b"kept"


def is_refused(client: Redis, words: list[str]) -> bool:
    """Return whether the rules refuse a call. EXEC says so in an error of its own."""
    try:
        client.execute_command(*words)
    except (NoPermissionError, ExecAbortError) as error:
        return "no permissions to run" in str(error)
    except ResponseError:
        return False
    return False


@pytest.mark.parametrize("command", ENTRY_COMMANDS)
def test_listed_commands_reach_the_keys_of_the_site_alone(server: SharedRedis, command: str) -> None:
    """A listed command takes the site's keys, of each alias, and is refused each other key, also after an own one."""
    more = AFTER_THE_KEY.get(command, [])
    with server.of_site("aurora") as client:
        for own in (OWN, "aviary.aurora.pages:@0:1:a"):
            client.delete(own)
            client.execute_command(command, own, *more)
        for key in FOREIGN:
            with pytest.raises(NoPermissionError, match="key"):
                client.execute_command(command, key, *more)
            if command in ("mget", "del", "exists"):
                with pytest.raises(NoPermissionError, match="key"):
                    client.execute_command(command, OWN, key)


def test_free_commands_are_those_that_the_server_says(server: SharedRedis) -> None:
    """What Redis lets everybody run, whatever the rules, is known by name."""
    assert {row[0].decode() for row in described(server) if b"no_auth" in row[2]} == FREE


def test_user_of_a_site_has_nothing_beside_the_list(operator: Redis) -> None:
    """No channel, no selector, no key pattern but the site's two, and a password."""
    user: Any = operator.acl_getuser("aurora")
    assert not user["channels"] and not user["selectors"]
    assert sorted(user["keys"]) == ["~aviary.aurora.*", "~aviary.aurora:*"]
    assert "nopass" not in user["flags"] and len(user["passwords"]) == 1

"""What the user of a site may do on a Redis server that sites share: the only list, for all that write rules."""

from __future__ import annotations

#: What redis-py sends when it connects, beside AUTH and HELLO, which Redis lets everybody send.
CONNECTION_COMMANDS = ("ping", "select", "client|setname")
#: What the cache backends, the sessions in a cache and the cache's probe send. The work of each is bounded by what
#: is sent and what is answered, so that no single command blocks the server for other sites.
ENTRY_COMMANDS = (
    *("get", "mget", "set", "del", "exists", "incrby"),
    *("ttl", "pttl", "expire", "pexpire", "expireat", "pexpireat", "persist"),
)
SITE_COMMANDS = CONNECTION_COMMANDS + ENTRY_COMMANDS


def site_rules(key_prefix: str) -> str:
    """Return the rules of a site's user, as ACL SETUSER and a file of users take them, without a password."""
    # "reset" and "resetchannels" are two rules: the first gives back what the server gives by default.
    # https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    words = ["reset", "on", "resetchannels", f"~{key_prefix}:*", f"~{key_prefix}.*"]
    return " ".join([*words, *(f"+{command}" for command in SITE_COMMANDS)])

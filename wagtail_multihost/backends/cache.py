"""The cache of a site on a Redis server that other sites use too."""

from __future__ import annotations

from django.core.cache.backends.redis import RedisCache

BATCH = 1000  # keys


class SiteRedisCache(RedisCache):
    """Django's RedisCache, whose ``clear`` removes the keys with this cache's prefix, and no other site's."""

    def clear(self) -> None:
        """Remove every key of this cache. The time grows with the number of keys in the server's database."""
        client = self._cache.get_client(None, write=True)
        keys = []
        # A prefix has no character that means something in a pattern (spec.names).
        for key in client.scan_iter(match=f"{self.key_prefix}:*", count=BATCH):
            keys.append(key)
            if len(keys) == BATCH:
                client.unlink(*keys)
                keys.clear()
        if keys:
            client.unlink(*keys)

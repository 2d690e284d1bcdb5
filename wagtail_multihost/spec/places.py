"""Where a site's data is, in one word that two processes can compare."""

from __future__ import annotations

import hashlib
import json

from wagtail_multihost.spec.site import SiteSpec


def digest_of_places(site: SiteSpec) -> str:
    """
    Return the SHA-256 of everything that decides where the site's data is: addresses of database, cache and
    storage, and prefixes. Neither hostnames nor settings nor keys are part of it.
    """
    database, cache, storage = site.database, site.cache, site.storage
    places = [
        [database.engine, str(database.path or ""), database.name, database.user, database.host, database.port],
        [cache.backend, cache.host, cache.port, cache.number],
        [storage.backend, str(storage.path or ""), storage.bucket, storage.region, storage.endpoint],
        [site.names.key_prefix, site.names.index_prefix],
    ]
    return hashlib.sha256(json.dumps(places).encode()).hexdigest()

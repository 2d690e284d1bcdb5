"""The dotted paths of the canaries, which are imported in the process of a site after Django's setup."""

from __future__ import annotations

#: Every canary of the package, in the order in which they are planted.
CANARIES: tuple[str, ...] = tuple(
    f"wagtail_multihost.testing.canaries.{path}"
    for path in (
        "database.DatabaseCanary",
        "cache.CacheCanary",
        "pages.PagesCanary",
        "signing.SigningCanary",
        "hosts.HostsCanary",
        "hosts.CookiesCanary",
        "sessions.SessionsCanary",
        "storage.StorageCanary",
        "uploads.UploadsCanary",
        "search.SearchCanary",
        "content_types.ContentTypesCanary",
        "wagtail_sites.WagtailSitesCanary",
        "tasks.TasksCanary",
        "logs.LogsCanary",
        "concurrency.ThreadsCanary",
        "concurrency.AsyncCanary",
    )
)

"""Whether Wagtail's search backends answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from wagtail_multihost.health.hostnames import check_texts
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.probes.connection import thread_connection
from wagtail_multihost.health.status import Criticality

SETTING = "WAGTAILSEARCH_BACKENDS"
DATABASE = ("wagtail.search.backends.database", "modelsearch.backends.database")
DEFAULT = {"default": {"BACKEND": DATABASE[0]}}


@dataclass(frozen=True, kw_only=True)
class SearchProbe(Probe):
    """
    Asks each search backend for the index of the pages: a table of the site's database, or an index on the server, for
    which the right to see the site's own index is enough.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        "unreachable": "The backend does not answer, or refuses access.",
        "index_missing": "The server has no index of the pages: run `update_index`.",
        "not_applicable": "The probe does not know this kind of backend.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=5, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=60, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=10, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    aliases: tuple[str, ...] = field(
        default=(), metadata={"meaning": "The aliases in `WAGTAILSEARCH_BACKENDS`; none: all."}
    )
    request_timeout: int = field(default=2, metadata={"meaning": "How long, in seconds, a server may take."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "aliases", check_texts("aliases", self.aliases))
        if not 0 < self.request_timeout <= 300:
            raise ValueError("The request_timeout is not accepted: it must be above 0, at most 300 seconds.")

    def measure(self) -> Iterator[Outcome]:
        backends = getattr(settings, SETTING, None) or DEFAULT
        for alias in self.aliases or backends:
            try:
                code = self.code_of(alias, str(backends[alias]["BACKEND"]))
            except Exception:  # clients raise errors of many classes
                log_failure("The search backend %s does not answer.", alias, subject=alias, traceback=True)
                code = "unreachable"
            is_well = code in ("ok", "not_applicable")
            yield passed(subject=alias, code=code) if is_well else failed(code, subject=alias)

    def code_of(self, alias: str, path: str) -> str:
        if path.startswith(DATABASE):
            query_index_table(self.timeout)
            return "ok"
        from wagtail.search.backends import get_search_backend  # needs the apps

        backend = get_search_backend(alias, TIMEOUT=self.request_timeout)
        if not hasattr(backend, "es"):
            return "not_applicable"
        return "ok" if has_index(backend) else "index_missing"


def query_index_table(seconds: float) -> None:
    """Read at most one row of the table of Wagtail's index."""
    from wagtail.search.models import IndexEntry  # needs the apps

    with thread_connection(DEFAULT_DB_ALIAS, seconds):
        IndexEntry.objects.using(DEFAULT_DB_ALIAS).exists()


def has_index(backend: Any) -> bool:
    """Return whether an Elasticsearch or OpenSearch server has the site's index of pages."""
    from wagtail.models import Page  # needs the apps

    try:
        return bool(backend.es.indices.exists(index=backend.get_index_for_model(Page).name))
    finally:
        backend.es.close()

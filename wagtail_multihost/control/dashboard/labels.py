"""Labels of sites, as ``key=value``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from wagtail_multihost.control.models import ManagedSite

#: So many are offered; the search finds the others.
OFFERED = 100
COMMONEST = (
    "SELECT label.key || '=' || label.value "
    "FROM (THE SITES) AS site CROSS JOIN LATERAL jsonb_each_text(site.labels) AS label "
    "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s"
)


def labels_as_texts(labels: Mapping[str, Any]) -> list[str]:
    """Return the labels of a site, in the order of their keys."""
    return [f"{key}={value}" for key, value in sorted(labels.items())]


def commonest_labels(sites: QuerySet[ManagedSite]) -> list[str]:
    """Return the labels that most of the ``sites`` have; of no other site's."""
    try:
        query, parameters = sites.order_by().values("labels").query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(COMMONEST.replace("THE SITES", query), [*parameters, OFFERED])
        return sorted(row[0] for row in cursor.fetchall())

"""Metrics of the fleet, for a collector that has a token."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.problems import NOT_FOUND, RefusedRequestError

router = Router(tags=["Metrics"])
OPENMETRICS = "application/openmetrics-text"
EXTRA = "There are no metrics here: the control site needs pip install 'wagtail-multihost[metrics]'."
WantSites = Annotated[bool, Query(alias="sites", description="With numbers of each site, which take longer.")]
DOCUMENTED = {
    200: {
        "description": "OK",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", OPENMETRICS)},
    }
}


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Read metrics",
    response={status: model for status, model in answers(None, 404).items() if status != 200},
    openapi_extra={"responses": DOCUMENTED},
)
def read_metrics(request: HttpRequest, want_sites: WantSites = False) -> HttpResponse:
    """
    As Prometheus reads them, or in OpenMetrics where `Accept` says so: incidents that last, alerts that wait, and how
    long processes, nodes and monitors were silent, for who sees all sites. With `sites=true`, for each site that may be
    seen, whether an incident concerns it, and for how long it was up.
    """
    try:
        from wagtail_multihost.control.fleet_metrics import write_metrics
    except ImportError:
        raise RefusedRequestError(NOT_FOUND, EXTRA) from None
    accepted = request.headers.get("Accept", "")
    body, kind = write_metrics(authority_in(request), want_sites=want_sites, is_openmetrics=OPENMETRICS in accepted)
    return HttpResponse(body, content_type=kind)

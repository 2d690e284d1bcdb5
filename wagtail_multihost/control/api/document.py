"""The OpenAPI document of the API, for those who have a token."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI, Router
from wagtail.api.v3.errors import PROBLEM_JSON

from wagtail_multihost.control.api.answers import answers

SCHEME = "Token"
JSON = "application/json"
TEXT_HEADER = {"schema": {"type": "string"}}
ETAG = {"ETag": {"description": "The generation, as If-Match takes it.", **TEXT_HEADER}}
HEADERS: dict[int, dict[str, Any]] = {
    201: {"Location": {"description": "The address of what was made.", **TEXT_HEADER}},
    401: {"WWW-Authenticate": {"description": "How to say who asks.", **TEXT_HEADER}},
    503: {"Retry-After": {"description": "After how many seconds to try again.", **TEXT_HEADER}},
}
WITH_ETAG = {"get_site", "put_site", "patch_site", "put_hostname", "delete_hostname", "get_platform", "patch_platform"}
router = Router(tags=["About"])


#: As RFC 9110 has them: Python's depend on its version (https://docs.python.org/3/library/http.html#http.HTTPStatus).
PHRASES = {"413": "Content Too Large", "422": "Unprocessable Content"}


@router.get(
    "/openapi.json", operation_id="get_document", summary="Read this document", response=answers(dict[str, Any])
)
def read_document(request: HttpRequest) -> dict[str, Any]:
    """The OpenAPI document of this API."""
    from wagtail_multihost.control.api.api import api

    return document_of(api)


def document_of(api: NinjaAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an API whose failures are problem details."""
    document: dict[str, Any] = dict(api.get_openapi_schema())
    for operations in document["paths"].values():
        for operation in operations.values():
            complete(operation)
    document["components"]["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "description": "A token with a scope, from the dashboard."}
    }
    return document


def complete(operation: dict[str, Any]) -> None:
    """Add to an operation what Ninja does not know."""
    operation["security"] = [{SCHEME: []}]
    for parameter in operation["parameters"]:
        # Ninja has a list there, as schemas have (https://spec.openapis.org/oas/v3.1.0#parameter-object).
        if examples := parameter.pop("examples", None):
            parameter["example"] = examples[0]
    for status, response in operation["responses"].items():
        response["description"] = PHRASES.get(str(status), response["description"])
        headers = dict(HEADERS.get(status, {}))
        if status < 300 and operation["operationId"] in WITH_ETAG:
            headers |= ETAG
        if status >= 400:
            response["content"] = {PROBLEM_JSON: response["content"][JSON]}
        if headers:
            response["headers"] = headers

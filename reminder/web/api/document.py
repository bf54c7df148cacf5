"""The OpenAPI 3.1 document of the API, made from the operations, with every refusal that they can answer."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from reminder.web.api.operation import LONGEST_KEY
from reminder.web.api.problems import ProblemDetails

_ABOUT = """Dates at which cards end, for a program of one family or one care home. There is no field for a card's
number; what looks like one is refused everywhere, and never repeated.

Send your token as `Authorization: Bearer kigen_…`. With `read` it sees, with `write` it also changes, with `erase` it
may also do what only an owner may: erase, rename the group, read the activity log. It never has more rights than its
maker.

Dates go in as people type them (`令和9年3月31日`, `2027-03-31`) and come out as ISO 8601; instants are in UTC.
A refusal is a problem (RFC 9457) with a stable `code`. Send an `Idempotency-Key` with a POST that you may have to
repeat.

A token may send so many requests in a minute as `RateLimit-Limit` says; then the answer is 429 with `Retry-After`.
"""

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own name for this very request. Sent again with the same key within a day, it does nothing "
    "and is answered the same; another request under the same key is refused (`idempotency_key_reused`).",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
    "example": "b9f4-enrol-mother",
}


_RATE = {
    "RateLimit-Limit": {"schema": {"type": "integer"}, "description": "Requests of this token in a minute."},
    "RateLimit-Remaining": {"schema": {"type": "integer"}, "description": "How many of them are left."},
    "RateLimit-Reset": {"schema": {"type": "integer"}, "description": "Seconds until all of them may be used again."},
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": "The limit, and its time in seconds."},
}
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until a request is answered again."}}


def made_of(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the document for these routes."""
    document = get_openapi(
        title="期限だより", version="1.0", description=_ABOUT, routes=routes, openapi_version="3.1.0"
    )
    parts = document["components"]
    parts["schemas"]["Problem"] = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, shape in parts["schemas"]["Problem"].pop("$defs").items():
        parts["schemas"][name] = shape
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "`reminder token make`"}}
    document["security"] = [{"token": []}]
    for path in document["paths"].values():
        if "post" in path:
            path["post"].setdefault("parameters", []).append(_KEY)
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status not in ("401", "500", "503"):
                    response["headers"] = {**_RATE, **(_RETRY if status == "429" else {})}
            operation["responses"]["401"]["headers"] = {
                "WWW-Authenticate": {"schema": {"type": "string"}, "description": "How to show a token."}
            }
    return document

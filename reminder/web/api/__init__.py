"""The JSON API at /api/v1: what a program of a group may do with a token of its own."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from reminder.web.api import cards, contacts, document, group, messages, people, plans, reference
from reminder.web.api.operation import Operation

PREFIX = "/api/v1"

router = APIRouter(prefix=PREFIX)
for _part in (people, contacts, cards, plans, messages, reference, group):
    router.include_router(_part.router)


@router.get("/openapi.json", include_in_schema=False)
def openapi() -> JSONResponse:
    """What this API can do, for programs and those who write them: OpenAPI 3.1. It needs no token."""
    return JSONResponse(document.made_of(router.routes))


__all__ = ["PREFIX", "Operation", "router"]

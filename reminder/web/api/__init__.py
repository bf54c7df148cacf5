"""The JSON API at /api/v1: what a program of a group may do with a token of its own."""

from collections import defaultdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reminder.web.api import cards, contacts, document, group, imports, messages, own_kinds, people, plans, reference
from reminder.web.api.operation import PREFIX

router = APIRouter()
for _part in (people, contacts, cards, plans, messages, reference, own_kinds, imports, group):
    router.include_router(_part.router)


@router.get(f"{PREFIX}/openapi.json", include_in_schema=False)
def openapi() -> JSONResponse:
    """Describe this API for programs and their authors: OpenAPI 3.1. It needs no token."""
    return JSONResponse(document.made_of(router.routes))


class NoOther:
    """The answer to any other method of an address: all methods that it has. By itself, only one would be named."""

    def __init__(self, methods: set[str]) -> None:
        self._methods = methods

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        """Raise the 405 that names all methods."""
        raise HTTPException(405, headers={"allow": ", ".join(sorted(self._methods))})


def _refuse_other_methods() -> None:
    methods: dict[str, set[str]] = defaultdict(set)
    for found in iter_route_contexts(router.routes):
        if isinstance(found.original_route, APIRoute):
            methods[found.path or ""] |= found.methods or set()
    for path, known in methods.items():
        router.routes.append(Route(path, NoOther(known), include_in_schema=False))


_refuse_other_methods()

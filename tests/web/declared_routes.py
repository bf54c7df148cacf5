"""Every route of the web application, with what it declares about itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from reminder.web.api.operation import Operation
from reminder.web.declared import NOTHING, Declared, PageRoute


@dataclass(frozen=True)
class DeclaredRoute:
    method: str
    path: str
    declared: Declared

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def declared_routes(web: FastAPI) -> Iterator[DeclaredRoute]:
    seen = set()
    for one in iter_route_contexts(web.routes):
        route = one.original_route
        if isinstance(route, APIRoute):
            # The description of the API is the same for everybody.
            assert isinstance(route, PageRoute | Operation) or route.path.endswith("/openapi.json"), route.path
            for method in sorted(one.methods or ()):
                found = DeclaredRoute(method, one.path or "", getattr(route, "declared", NOTHING))
                if str(found) not in seen:
                    seen.add(str(found))
                    yield found

"""Every route of the web application, as an address that can be asked for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from reminder.web import api


@dataclass(frozen=True)
class Route:
    """One method of one path. `query`: the names of what it reads from an address."""

    method: str
    path: str
    query: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, **values: object) -> str:
        """The address with these values in its places; 1 in all others."""
        return re.sub(r"\{(\w+)(?::\w+)?\}", lambda name: str(values.get(name[1], 1)), self.path)


def every_route(web: FastAPI) -> list[Route]:
    found = []
    for one in iter_route_contexts(web.routes):
        if isinstance(one.original_route, APIRoute):
            query = tuple(sorted(set(_query(one.original_route.dependant))))
            path = one.path or ""
            found += [Route(method, path, query) for method in sorted(one.methods or ())]
    assert any(route.path.startswith(api.PREFIX) for route in found)
    assert any(route.path.startswith("/webhooks/") for route in found)
    return found


def _query(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        shape = getattr(field.field_info.annotation, "model_fields", None)
        yield from (shape if isinstance(shape, Mapping) else (field.alias,))
    for one in dependant.dependencies:
        yield from _query(one)

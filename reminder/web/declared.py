"""What a route declares about itself: whether it asks for a fresh proof, and what it leaves in the activity log.

A route that changes something cannot be made without a declaration, so that a new one cannot forget to ask.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

SAFE_METHODS = frozenset({"GET", "HEAD"})
_NAME = "__declared__"
E = TypeVar("E", bound=Callable[..., Any])


class Asks(StrEnum):
    """What a fresh proof is asked for; the page that asks says it in words."""

    EXPORT = "export"
    ERASE = "erase"
    TOKEN = "token"  # noqa: S105  # no secret: the kind of act
    PASSKEY = "passkey"
    MEMBER = "member"
    CALENDAR = "calendar"


@dataclass(frozen=True)
class Declared:
    """`asks`: for what the route wants a fresh proof, None for no such thing. `logs`: the acts that it may write."""

    asks: Asks | None = None
    logs: frozenset[str] = frozenset()


NOTHING = Declared()


def declares(*, asks: Asks | None = None, logs: Collection[str] = ()) -> Callable[[E], E]:
    """Return the decorator with which a route declares what it asks for, and which acts it leaves in the log."""

    def declare(endpoint: E) -> E:
        setattr(endpoint, _NAME, Declared(asks, frozenset(logs)))
        return endpoint

    return declare


def declared(endpoint: Callable[..., Any]) -> Declared | None:
    """Return what a route declares, None where it declares nothing."""
    found = getattr(endpoint, _NAME, None)
    return found if isinstance(found, Declared) else None


def dependencies(dependant: Dependant) -> Iterator[object]:
    """Yield what a route depends on, also indirectly."""
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies(one)


def require_declaration(route: APIRoute) -> Declared:
    """Return what the route declares. Raises TypeError for one that changes something and declares nothing."""
    found = declared(route.endpoint)
    if found is None and not (route.methods or set()) <= SAFE_METHODS:
        raise TypeError(f"{route.path}: declare whether it asks for a fresh proof, and what it logs")
    return found or NOTHING


class PageRoute(APIRoute):
    """A route of the pages, with its declaration. Raises TypeError for one that asks, and does not look at a proof."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        super().__init__(path, endpoint, **given)
        self.declared = require_declaration(self)
        looks = any(getattr(one, _LOOKS, False) for one in dependencies(self.dependant))
        if looks != (self.declared.asks is not None):
            raise TypeError(f"{path}: what asks for a fresh proof depends on one, and nothing else does")


_LOOKS = "__looks_at_proof__"


def looks_at_proof(dependency: E) -> E:
    """Mark a dependency that refuses whoever has no fresh proof."""
    setattr(dependency, _LOOKS, True)
    return dependency


def page_router(prefix: str = "") -> APIRouter:
    """Return a router for pages."""
    return APIRouter(prefix=prefix, route_class=PageRoute)

"""Shapes of requests and answers that the operations share. They are not used outside the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, Protocol, TypeVar

from fastapi import Path, Query
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from reminder.channels import registry
from reminder.domain.model.channels import ChannelName
from reminder.domain.parsing import dates
from reminder.errors import ForbiddenNumberError
from reminder.guard.numbers import forbidden

# No address may hold more digits than these: a card's number has twelve.
GREATEST_ID = 99_999_999_999
MOST_AT_ONCE, USUAL_AT_ONCE = 200, 50
# No field of text takes more, so that only so much of it is ever searched for numbers.
LONGEST_TEXT = 200


class In(BaseModel):
    """A request body. It is taken as it is written: no unknown field, no number for a word."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Out(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


def _guarded(value: object, info: ValidationInfo) -> object:
    """Refuse a forbidden number before any other check of the value but its length."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise PydanticCustomError("string_too_long", "too long")
    looks_like = forbidden(value) if isinstance(value, str) else None
    if looks_like is not None:
        raise ForbiddenNumberError(field=info.field_name, looks_like=looks_like)
    return value


GUARDED = BeforeValidator(_guarded)
# As people type it; a wrong date gets the same words as everywhere else.
TypedDate = Annotated[str, Field(min_length=1, max_length=dates.LONGEST)]

Id = Annotated[int, Path(ge=1, le=GREATEST_ID, description="As an earlier answer gave it.", examples=[1])]


def whole(value: object) -> object:
    """Return 4.0 as 4: JSON knows one kind of number, and some programs write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def whole_numbers(value: object) -> object:
    """Return the values of a list as `whole` does."""
    return [whole(one) for one in value] if isinstance(value, list) else value


IdIn = Annotated[int, Field(ge=1, le=GREATEST_ID), BeforeValidator(whole)]
Instant = Annotated[
    datetime,
    PlainSerializer(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}", return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _channel(value: object) -> ChannelName:
    try:
        return ChannelName(str(value))
    except ValueError:
        raise PydanticCustomError("enum", "one of the channels of this service") from None


Channel = Annotated[
    ChannelName,
    PlainValidator(_channel),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "enum": [str(name) for name in registry.names()], "title": "ChannelName"}),
]


class Page(BaseModel):
    """The requested part of a list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    after: Annotated[int, Field(ge=0, le=GREATEST_ID, description="The `next` of the answer before.")] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = USUAL_AT_ONCE


Paged = Annotated[Page, Query()]
Row = TypeVar("Row", bound=BaseModel)


class Listed(Out, Generic[Row]):
    """A part of a list, in the order of its ids. `next` goes into `after` for what follows; null at the end."""

    items: list[Row]
    next: int | None


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> int:
        """Return the id."""


Found = TypeVar("Found", bound=HasId)


def part(found: Sequence[Found], limit: int) -> tuple[Sequence[Found], int | None]:
    """Return the rows to show and the `next` after them, from one row more than asked for."""
    rows = found[:limit]
    return rows, rows[-1].id if len(found) > limit else None

"""Options and arguments that several commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.errors import NotFoundError

if TYPE_CHECKING:
    pass


def storable_id(parameter: typer.CallbackParam, number: int | None) -> int | None:
    """Return the id. A number that is larger than any database stores is nobody's."""
    if number is not None and abs(number) >= 2**63:
        raise NotFoundError(field=parameter.name)
    return number


Id = Annotated[int, typer.Argument(callback=storable_id)]


Group = Annotated[int, typer.Option(callback=storable_id)]


OneOf = Annotated[int | None, typer.Option(callback=storable_id)]


Yes = Annotated[bool, typer.Option("--yes", help="Take a date that is past, far ahead or unlikely.")]


Computed = Annotated[bool, typer.Option("--computed", help="The date was worked out, not read from the card.")]


Issued = Annotated[str | None, typer.Option(help="The day it was issued, to work out its end or to check it.")]


Born = Annotated[str | None, typer.Option(help="The holder's birth date: used for that, and kept nowhere.")]

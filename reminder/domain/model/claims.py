"""Claims about the rules of cards, as config/claims.toml states them: each with its source, its time and a case.

A claim is a sentence that somebody can read again at its source, and a case that shows that the data agree with it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reminder.domain.model.card_kinds import Address
from reminder.errors import SettingsError

FILE = "config/claims.toml"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExpiryCase(_Row):
    """Known facts about a card, and what follows: the end, or the code with which the rules ask.

    The fields are those of expiry.KnownDates; dates are in Japan.
    """

    issued: date | None = None
    born: date | None = None
    received: date | None = None
    residence_until: date | None = None
    special_period: bool = False
    expires_on: date | None = None
    card_expires_on: date | None = None
    user_certificate_expires_on: date | None = None
    replaces: date | None = None
    years: int | None = None
    is_first: bool | None = None


class Case(_Row):
    """An executable case: one of `known` (with what follows from it), `fact`, `words` and `sheet`.

    `fact`: the name of a field of the kind, with dots for those inside, and `value` as config/cards.toml writes it.
    `words`: the name of a word of the kind in config/wording/ja.toml, `sheet`: of a leaflet there, and `contains`, a
    part of it.
    """

    known: ExpiryCase | None = None
    ends_on: date | None = None
    opens_on: date | None = None
    grace_ends_on: date | None = None
    asks: str = ""
    fact: str = ""
    value: object = None
    words: str = ""
    sheet: str = ""
    contains: str = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        expected = (self.ends_on, self.opens_on, self.grace_ends_on, self.asks or None)
        if sum((self.known is not None, bool(self.fact), bool(self.words), bool(self.sheet))) != 1:
            raise ValueError("state one of known, fact, words and sheet")
        if (self.known is not None) != any(one is not None for one in expected):
            raise ValueError("state what follows from known")
        if bool(self.words or self.sheet) != bool(self.contains):
            raise ValueError("state what the words contain")
        return self


class Claim(_Row):
    """A claim about one kind of card.

    `condition`: on what it holds, in the terms of the source, shortened. `since` and `until`: the days on which it
    holds, both included; None: as long as is known. `verified`: the day on which the source was read again and agreed.
    """

    key: str
    kind: str
    says: str
    source: Annotated[tuple[Address, ...], Field(strict=False, min_length=1)]
    condition: str
    since: date | None = None
    until: date | None = None
    verified: date
    cases: Annotated[tuple[Case, ...], Field(strict=False)] = ()


def read_claims(table: Mapping[str, object], kinds: Mapping[str, object]) -> dict[str, Claim]:
    """Return the claims of the parsed config/claims.toml, in its order; raises SettingsError naming the claim."""
    found = {}
    for key, row in table.items():
        try:
            claim = Claim.model_validate({**row, "key": key} if isinstance(row, Mapping) else row)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (key, *first["loc"])))
            raise SettingsError(f"{FILE}: {where}", str(first["msg"])) from None
        if claim.kind not in kinds:
            raise SettingsError(f"{FILE}: {key}.kind", "name a kind of config/cards.toml")
        found[key] = claim
    return found

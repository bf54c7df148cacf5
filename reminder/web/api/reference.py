"""Reference data that is the same for everybody: the kinds of cards, and what a typed date means. Nothing is stored."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.model.card_kinds import CardKind
from reminder.domain.parsing import dates
from reminder.domain.rulebook import Rulebook
from reminder.web.api.operation import PREFIX, Operation, Sees
from reminder.web.api.shapes import In, Out, TypedDate
from reminder.web.declared import declares

router = APIRouter(prefix=PREFIX, tags=["reference"], route_class=Operation)

ByLanguage = dict[str, str]


class KindOut(Out):
    """A kind of card. `words` answers common questions about it, by language; `source` is where its rule was read."""

    kind: str
    names: ByLanguage
    words: dict[str, ByLanguage]
    replacement_days: Annotated[int, Field(description="How long a new one takes; 0: given the same day.")]
    proxy_may_go: Annotated[bool, Field(description="Somebody else may go.")]
    carried_by: Annotated[str | None, Field(description="The kind of card that it lives in and ends with.")]
    bound_by: Annotated[str | None, Field(description="The kind whose end decides this one's too.")]
    source: list[str]
    checked_on: date
    confidence: str


class KindsOut(Out):
    """All kinds of cards."""

    items: list[KindOut]


class DateIn(In):
    """A date as somebody typed it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "令和9年3月31日"}]})
    text: TypedDate


class DateOut(Out):
    """The day that a typed date means. A date that could mean several days is refused, with the `choices`."""

    date: date
    both_calendars: str
    weekday: str


# The common questions about a kind, in the words of config/wording/.
_WORDS = ("asked", "stands", "validity", "place", "bring", "proxy", "stops")


@router.get("/kinds")
def list_kinds(caller: Sees) -> KindsOut:
    """List the kinds of cards that can be registered."""
    rules = caller.app.rules
    return KindsOut(items=[_shown(rules, kind) for kind in rules.kinds.values()])


@router.post("/dates")
@declares()
def read_date(caller: Sees, given: DateIn) -> DateOut:
    """Read a typed date, and return it in both calendars. Nothing is stored."""
    del caller
    day = dates.read_typed(given.text, field="text")
    return DateOut(date=day, both_calendars=dates.in_both_calendars(day), weekday=dates.WEEKDAYS[day.weekday()])


def _shown(rules: Rulebook, kind: CardKind) -> KindOut:
    said = {str(language): words.kinds[kind.key] for language, words in rules.wording.languages.items()}
    return KindOut(
        kind=kind.key,
        names={language: words["name"] for language, words in said.items()},
        words={name: {language: words[name] for language, words in said.items()} for name in _WORDS},
        replacement_days=kind.replacement_days,
        proxy_may_go=kind.proxy_may_go,
        carried_by=kind.carried_by or None,
        bound_by=kind.bound_by or None,
        source=list(kind.source),
        checked_on=kind.checked_on,
        confidence=kind.confidence,
    )

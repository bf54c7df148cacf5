"""The claims about the rules of cards: each is checked by its cases, and those that began or end make a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

from reminder.domain.model.claims import Case, Claim
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.expiry import KnownDates, work_out
from reminder.errors import KigenError

# A claim must be read again after this time: cities and ministries change their rules in spring.
FRESH_FOR = relativedelta(years=1)

# The page shows what changed since the old law of minors ended.
FIRST_SHOWN = date(2022, 1, 1)

_PAGE_HEAD = """# What changed in the rules of cards

`reminder rules changes` makes this page from `config/claims.toml`; a test compares them. A change that is dated ahead
takes effect in the data by itself on its day.

| from | until | kind | what holds | source |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class CheckedClaim:
    """The result of checking one claim. `failed`: the cases that the data contradict, as text."""

    claim: Claim
    failed: Sequence[str]
    is_stale: bool
    is_ahead: bool

    @property
    def is_wrong(self) -> bool:
        """Whether the data contradict the claim."""
        return bool(self.failed)

    @property
    def is_weak(self) -> bool:
        """Whether nobody can rely on it: it has no case, or its source was not read for a year."""
        return self.is_stale or not self.claim.cases


def checked(rules: Rulebook, claims: Mapping[str, Claim], today: date) -> list[CheckedClaim]:
    """Return each claim with its failed cases. `today`: in Japan."""
    return [
        CheckedClaim(
            claim,
            [text for case in claim.cases for text in _failures(rules, claim, case, today)],
            claim.verified + FRESH_FOR < today,
            claim.since is not None and claim.since > today,
        )
        for claim in claims.values()
    ]


def _failures(rules: Rulebook, claim: Claim, case: Case, today: date) -> Iterator[str]:
    if case.known is not None:
        yield from _of_expiry(rules, claim, case)
    elif case.fact:
        # A claim about another time is compared with the rules of that time.
        on = max(today, claim.since or date.min)
        found: object = rules.kind(claim.kind).on(min(on, claim.until or date.max)).model_dump(mode="json")
        for name in case.fact.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found != case.value:
            yield f"{case.fact} is {found}, not {case.value}"
    else:
        words = rules.wording.of(Language.JAPANESE)
        said = words.section("sheets") if case.sheet else words.kinds[claim.kind]
        name = case.sheet or case.words
        if case.contains not in said.get(name, ""):
            yield f"{name} does not say {case.contains}"


def _of_expiry(rules: Rulebook, claim: Claim, case: Case) -> Iterator[str]:
    assert case.known is not None
    try:
        found = work_out(rules.kinds, claim.kind, KnownDates(**case.known.model_dump()))
    except KigenError as asked:
        if asked.code != case.asks:
            yield f"the rules ask {asked.code}"
        return
    if case.asks:
        yield f"the rules do not ask {case.asks}"
    given = {"ends_on": found.ends_on(claim.kind), "opens_on": found.opens_on, "grace_ends_on": found.grace_ends_on}
    for name, day in given.items():
        expected = getattr(case, name)
        if expected is not None and day != expected:
            yield f"{name} is {day}, not {expected}"


def changed(claims: Mapping[str, Claim]) -> list[Claim]:
    """Return the claims that began or ended since 2022, by their day."""
    shown = [
        one for one in claims.values() if any(day is not None and day >= FIRST_SHOWN for day in (one.since, one.until))
    ]
    return sorted(shown, key=lambda one: (one.since or date.min, one.until or date.max, one.key))


def changes_page(claims: Mapping[str, Claim]) -> str:
    """Return the content of docs/rules-changes.md."""
    return _PAGE_HEAD + "".join(_row(one) for one in changed(claims))


def _row(claim: Claim) -> str:
    days = [day.isoformat() if day else "" for day in (claim.since, claim.until)]
    sources = " ".join(f"<{address}>" for address in claim.source)
    return f"| {days[0]} | {days[1]} | `{claim.kind}` | {claim.says} | {sources} |\n"

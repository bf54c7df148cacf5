"""Every entry by which a free word comes in refuses what may not leave us, says what to write, and keeps nothing."""

import ast
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.domain.model.access import Actor, Scope
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.text.error_messages import explain
from reminder.enrolment import cards, consent, own_kinds, register
from reminder.enrolment.cards import NewCard, TypedDates
from reminder.enrolment.identity import api_tokens, membership
from reminder.enrolment.own_kinds import OwnKindDraft
from reminder.enrolment.register import NewPerson, PersonChanges
from reminder.errors import RefusedInputError, UnsafeWordError
from reminder.guard.outgoing import UnsafeWord
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.db.columns import GuardedText
from reminder.storage.db.tables import Base
from reminder.storage.db.unit_of_work import UnitOfWork
from tests.homes import checked, rows_of
from tests.rules import LANGUAGES, WORDING
from tests.village import Village

ROOT = Path(__file__).parents[2]
WORDS = tomllib.loads((ROOT / "tests" / "data" / "free_words.toml").read_text("utf-8"))["hostile"]
HOSTILE = [word for words in WORDS.values() for word in words]
EACH_FAULT = [words[0] for words in WORDS.values()]
DATES = TypedDates("2027-03-31")
OWNER = Actor(1, 1, Role.OWNER, Language.JAPANESE)

Enter = Callable[[UnitOfWork, str], object]


def signed_in(uow: UnitOfWork) -> SignedIn:
    return SignedIn(1, 1, Language.JAPANESE, OWNER, uow.now, uow.now)


def add_person(uow: UnitOfWork, **words: str) -> object:
    return register.add_people(uow, group_id=1, wanted=[NewPerson(**{"label": "父", **words})])  # type: ignore[arg-type]


def edit_person(uow: UnitOfWork, **words: str) -> object:
    return register.edit_person(uow, person_id=1, changes=PersonChanges(**words))  # type: ignore[arg-type]


def of_person(field: str) -> list[Enter]:
    return [lambda uow, word: add_person(uow, **{field: word}), lambda uow, word: edit_person(uow, **{field: word})]


ENTRIES: dict[str, list[Enter]] = {
    "groups.name": [
        lambda uow, word: register.add_group(uow, name=word, kind=GroupKind.HOME),
        lambda uow, word: membership.found_household(uow, signed_in=signed_in(uow), name=word, member_name="娘"),
        lambda uow, word: membership.rename_group(uow, who=OWNER, name=word),
    ],
    "groups.organisation": [lambda uow, word: membership.set_organisation(uow, group_id=1, organisation=word)],
    "members.name": [
        lambda uow, word: membership.found_household(uow, signed_in=signed_in(uow), name="田中家", member_name=word),
        lambda uow, word: membership.rename_member(uow, who=OWNER, name=word),
    ],
    **{f"people.{field}": of_person(field) for field in ("label", "reference", "room", "unit", "mark", "office")},
    "contacts.consent_by": [
        lambda uow, word: register.add_contact(
            uow, channel=ChannelName.SMS, address="090-0000-0009", person_id=1, consent_how=ConsentHow.SPOKEN, consent_by=word
        ),
        lambda uow, word: consent.ask(uow, contact_id=1, told_by=word),
        lambda uow, word: consent.confirm(uow, contact_id=1, how=ConsentHow.SPOKEN, said_by=word),
    ],
    "cards.label": [
        lambda uow, word: cards.add_card(uow, person_id=1, kind="other", typed=DATES, label=word),
        lambda uow, word: cards.draft(uow, person_id=1, wanted=NewCard("other", DATES, word)),
    ],
    "own_kinds.name": [
        lambda uow, word: own_kinds.add_own_kind(uow, group_id=1, wanted=OwnKindDraft(word)),
        lambda uow, word: own_kinds.change_own_kind(uow, group_id=1, kind_id=1, wanted=OwnKindDraft(word)),
    ],
    "api_tokens.name": [lambda uow, word: api_tokens.make_token(uow, who=OWNER, name=word, scopes=[Scope.READ])],
}  # fmt: skip
# A home's own number of four or five digits, and a room of as many, may be written.
# What the operator tells the people of a group on their pages; no stranger types it.
OF_THE_OPERATOR = {"groups.suspended_why", "standing.suspend"}
LENIENT = {"people.room", "people.reference"}


@pytest.fixture
def family(village: Village) -> Village:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", date(2027, 3, 31))
    return village


def everything(village: Village) -> list[object]:
    with village.app.database.reading() as tx:
        return [tx.execute(select(table)).all() for table in Base.metadata.sorted_tables]


def test_every_column_of_typed_words_has_its_entries() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, GuardedText)
    }

    assert columns - OF_THE_OPERATOR == set(ENTRIES)


def test_every_function_that_takes_a_free_word_is_among_the_entries() -> None:
    """Whoever calls clean_label, or the form of it for consents, takes a word: each of these functions is reached by an entry above, or by a sheet."""
    takers = {
        f"{path.stem}.{function.name}"
        for path in (ROOT / "reminder").rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef) and function.name != "clean_consent_by"
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("clean_label", "clean_consent_by")
    }

    assert takers - OF_THE_OPERATOR == {
        "register.add_group", "register._person_row", "register.edit_person", "register._contact_row",
        "membership.found_household", "membership.rename_member", "membership.rename_group", "membership.set_organisation",
        "consent.ask", "consent.confirm", "cards.clean_card_label", "own_kinds._checked", "api_tokens.make_token", "resident_rows._label",
    }  # fmt: skip


def test_every_message_is_made_by_the_composer() -> None:
    """A message of any other words would miss the gate: a new place that queues one belongs here, once it is looked at."""
    makers: dict[str, str] = {}
    for path in sorted((ROOT / "reminder").rglob("*.py")):
        source = ast.parse(path.read_text("utf-8"))
        for call in ast.walk(source):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "MessageDraft":
                words = {word.arg: ast.unparse(word.value) for word in call.keywords}
                makers[path.stem] = words["text"]

    # Each of these is a Composed, which only the composers make; the mails with codes are two, given to one function.
    others = {stem: words for stem, words in makers.items() if words not in ("composed.text", "said.text")}
    assert others.items() <= {"sign_in": "text"}.items()
    composed_at = {
        path.relative_to(ROOT / "reminder").as_posix()
        for path in (ROOT / "reminder").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Composed"
    }
    # The first two turn the script of a call into its stored form.
    assert composed_at <= {"planning/daily_plan.py", "enrolment/consent.py"} | {
        f"domain/text/{name}.py" for name in ("composer", "sms", "email", "digest", "balances")
    }


@pytest.mark.parametrize("column", ENTRIES)
def test_every_entry_refuses_every_hostile_word_and_keeps_nothing(family: Village, column: str) -> None:
    before = everything(family)
    words = [word for word in HOSTILE if column not in LENIENT or word not in WORDS["word_digits"]]

    for enter in ENTRIES[column]:
        for word in words:
            with pytest.raises(RefusedInputError) as refused, family.app.writing() as uow:
                enter(uow, word)
            said = "".join([str(refused.value), *(explain(WORDING, refused.value, one) for one in LANGUAGES)])
            assert len(word) < 4 or word not in said

    assert everything(family) == before


@pytest.mark.parametrize("code", [fault.value for fault in UnsafeWord])
def test_every_refusal_says_in_every_language_what_to_write_instead(code: str) -> None:
    sentences = {explain(WORDING, UnsafeWordError(code, field="label"), language) for language in LANGUAGES}

    assert len(sentences) == len(LANGUAGES)
    assert all("{" not in sentence and len(sentence) > 20 for sentence in sentences)


def test_a_home_s_sheet_is_refused_row_by_row_with_the_same_words(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    words = [word for word in EACH_FAULT if word.isprintable()]
    sheet = "\n".join(
        ["居室,氏名,ユニット,電子証明書期限", *(f"20{n},{word},2階,2027-03-31" for n, word in enumerate(words))]
    )

    rows = rows_of(village, checked(village, sheet.encode()))

    codes = [{finding.code for finding in row.findings} for row in rows.values()]
    assert len(codes) == len(words)
    assert all(
        found & ({fault.value for fault in UnsafeWord} | {"label_too_many_digits", "formula"}) for found in codes
    )


def test_the_room_and_the_unit_of_a_sheet_are_refused_as_such(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    sheet = "居室,氏名,ユニット,電子証明書期限\nevil.jp,ハナ,2階,2027-03-31\n203,トミ,evil.jp,2027-03-31\n1203,ウメ,2階,2027-03-31"

    rows = rows_of(village, checked(village, sheet.encode()))

    refused = [[finding.code for finding in row.findings if finding.code.startswith("word_")] for row in rows.values()]
    assert refused == [["word_link"], ["word_link"], []]

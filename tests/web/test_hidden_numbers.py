"""A number in disguise is refused by every entry of the API, said in three languages, and left nowhere.

Every number here is invented.
"""

import pytest
from starlette.datastructures import FormData

from reminder.domain.model.people import Language
from reminder.domain.text.error_messages import explain
from reminder.enrolment.identity import api_tokens
from reminder.errors import ForbiddenNumberError
from reminder.guard.numbers import LooksLike
from reminder.web.support.rendering import kept
from tests.rules import WORDING
from tests.village import Village
from tests.web.calling import Program, actor, program, token_of

PERSON, CONTACTS = "/people", "/people/1/contacts"
MAIL = {"channel": "email", "family": True}
ASKED = {"channel": "sms", "address": "090-0000-0002", "consent": "spoken"}

REFUSED = [
    (PERSON, {"label": "母493", "reference": "82716", "room": "0454"}, "twelve digits over three fields of one person"),
    (PERSON, {"label": "暗証いちにさんよん"}, "a passcode in words"),
    (PERSON, {"label": "母", "reference": "ろくぜろなな", "room": "いちはちさんにご", "unit": "きゅういちよんさん"}, "words in three fields"),
    (CONTACTS, {**ASKED, "consent_by": "4938とか2716とか0454"}, "groups joined by words"),
    (CONTACTS, {**ASKED, "consent_by": "上4けた 4938 中 2716 下 0454"}, "groups with names"),
    (CONTACTS, {**ASKED, "consent_by": "あんしょうばんごう 1234"}, "a passcode in kana"),
    (CONTACTS, {**ASKED, "consent_by": "四千九百三十八の二千七百十六の四百五十四"}, "numbers as they are read aloud"),
    (CONTACTS, {**MAIL, "address": "a@493827160454.jp"}, "the domain of an address"),
    (CONTACTS, {**MAIL, "address": "a@4938-2716-0454.jp"}, "the same in groups"),
    (CONTACTS, {**MAIL, "address": "a+4938ab2716ab0454@example.jp"}, "groups before the @"),
    (CONTACTS, {"channel": "line", "address": "U493827160454" + "ab" * 10}, "an id of LINE"),
    ("/people/1/cards", {"kind": "other", "expires": "2027-03-31", "label": "いちにさんし暗証"}, "the label of a card"),
    ("/contacts/1/confirm", {"consent": "spoken", "consent_by": "暗証番号は一二三四"}, "who confirmed"),
]  # fmt: skip


@pytest.fixture
def family(village: Village) -> Program:
    daughter = village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    return program(village, token_of(village, daughter))


def stored(village: Village) -> str:
    with village.app.database.reading() as tx:
        return "".join(
            str(tx.connection().exec_driver_sql(f"SELECT * FROM {table} ORDER BY id").all())
            for table in ("people", "contacts", "cards", "activity_log")
        )


@pytest.mark.parametrize(("path", "given", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_a_number_in_disguise_is_refused_and_left_nowhere(
    village: Village, family: Program, path: str, given: dict[str, object], why: str
) -> None:
    before = stored(village)

    answer = family.post(path, given)

    assert (answer.status, answer.json["code"]) == (422, "forbidden_number"), why
    assert not any(
        str(value) in answer.text for name, value in given.items() if name in ("label", "consent_by", "address")
    )
    assert stored(village) == before


def test_a_change_that_completes_a_number_is_refused(village: Village, family: Program) -> None:
    added = family.post(PERSON, {"label": "父493", "reference": "82716"}).json["id"]

    answer = family.patch(f"/people/{added}", {"room": "0454"})

    assert (answer.status, answer.json["code"], answer.json["field"]) == (422, "forbidden_number", "record")


def test_a_form_does_not_show_again_what_is_a_number_only_together() -> None:
    again = kept(FormData([("label", "母493"), ("ref", "82716"), ("room", "0454"), ("mode", "elderly")]))
    ordinary = kept(FormData([("label", "203 佐藤"), ("ref", "A-12"), ("room", "203")]))

    assert again == {"label": "", "ref": "", "room": "", "mode": "elderly"}
    assert ordinary == {"label": "203 佐藤", "ref": "A-12", "room": "203"}


def test_an_ordinary_record_is_taken(village: Village, family: Program) -> None:
    added = family.post(PERSON, {"label": "203 佐藤", "reference": "A-12", "room": "203", "unit": "2階"})
    told = family.post(
        f"/people/{added.json['id']}/contacts",
        {**ASKED, "consent_by": "佐藤 2026年3月1日"},
    )

    assert (added.status, told.status) == (201, 201)


def test_the_name_of_a_token_holds_no_passcode(village: Village, family: Program) -> None:
    with village.app.writing() as uow, pytest.raises(ForbiddenNumberError):
        api_tokens.make_token(uow, who=actor(village, 1), name="暗証番号は一二三四", scopes=["read"])


@pytest.mark.parametrize("language", [Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH])
@pytest.mark.parametrize("looks_like", LooksLike)
def test_each_refusal_says_what_to_do_in_each_language(language: Language, looks_like: LooksLike) -> None:
    said = explain(WORDING, ForbiddenNumberError(field="record", looks_like=looks_like), language)

    assert said.endswith(("。", "."))
    assert "{" not in said
    assert "record" not in said

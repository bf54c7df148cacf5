"""Two groups and one number, two persons and one telephone: who hears what, for every reply and every act."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.domain.model.people import ConsentHow, ContactState, Mode
from reminder.domain.parsing.replies import Intent
from reminder.enrolment import register
from reminder.errors import PermanentChannelError
from reminder.storage.db.tables import Card, Contact, Notice, Person
from reminder.storage.registry import contacts
from reminder.storage.reminders import replies
from reminder.upkeep.privacy import erasure
from tests.conversation import whose_replies
from tests.conversation.whose_replies import (
    BOTH_WROTE,
    COUPLE,
    ENTERED_AGAIN,
    ONE_WROTE,
    REPLIES,
    ROWS,
    SITUATIONS,
    Row,
)
from tests.village import Village

PHONE = "090-1212-3434"
AT = "+819012123434"
SOON, LATE = date(2026, 12, 7), date(2029, 3, 31)
DONE_TEXTS = {
    "手続き、おつかれさまでした": "done",
    "もう一度お知らせします": "later",
    "お気をつけて": "going",
    "ご家族にお伝えしました": "family",
    "どのカードのことか": "which",
    "役所ではありません": "who",
    "ご返信ありがとうございます": "thanks",
    "番号は送らないでください": "number",
    "お返事ありがとうございます": "unread",
    "からのお知らせを止めました": "left",
    "お知らせを止めました": "stopped",
    "お知らせを再開しました": "started",
    "もうお送りしません": "wrong_person",
    "どなたのことですか": "choice",
}


class Story:
    """Group A and group B, and the telephone that both know."""

    def __init__(self, village: Village, situation: str) -> None:
        self.village, v = village, village
        self.groups, self.cards = {}, {}
        for name, email, label in (("A", "a@example.jp", "祖母"), ("B", "b@example.jp", "母")):
            self.groups[name] = v.group(name=f"{name}家")
            v.member(f"member of {name}", email)
            v.person(label, phone=PHONE, mode=Mode.ELDERLY)
            writes = situation == BOTH_WROTE or (name == "B" and situation in (ONE_WROTE, COUPLE))
            self.cards[name] = v.card(label, SOON if writes else LATE, "passport")
        if situation == COUPLE:
            v.person("父", phone=PHONE, mode=Mode.ELDERLY)
            v.card("父", SOON, "passport")
        v.run_until("2026-12-01 11:00")
        self.before = len(self.texts())

    def texts(self) -> list[str]:
        return [one.outgoing.text for one in self.village.world.all_sent() if one.outgoing.address == AT]

    def answers(self) -> str:
        new = self.texts()[self.before :]
        return " ".join(next((name for part, name in DONE_TEXTS.items() if part in text), "reminder") for text in new)

    def enter_again(self) -> None:
        """Every group erases its contacts with the number, and enters it again for the same persons."""
        village, app = self.village, self.village.app
        with app.database.reading() as tx:
            ids = contacts.at_phone(tx, app.keys, AT)
            kept = [contacts.by_ids(tx, app.keys, [one])[one] for one in ids]
        for one in kept:
            erasure.erase_contact(app.units, village.now, contact_id=one.id)
        for one in kept:
            with app.writing() as uow:
                register.add_contact(
                    uow,
                    person_id=one.person_id,
                    channel=one.channel,
                    address="０９０ 1212 3434",
                    consent_how=ConsentHow.SPOKEN,
                    consent_by="長女",
                )

    def heard(self, group: str) -> str:
        """What this group sees of it all."""
        app, group_id, found = self.village.app, self.groups[group], list[str]()
        with app.database.reading() as tx:
            if any(one.text for one in replies.of_group(tx, app.keys, group_id)):
                found.append("reply")
            told = select(Notice.kind).join(Person, Person.id == Notice.person_id).where(Person.group_id == group_id)
            found += [f"notice {kind}" for kind in sorted(set(tx.scalars(told)))]
            state = select(Contact.state).join(Person, Person.id == Contact.person_id)
            states = set(tx.scalars(state.where(Person.group_id == group_id)))
            cards = select(Card.acknowledged_on, Card.remind_on).join(Person, Person.id == Card.person_id)
            acts = tx.execute(cards.where(Person.group_id == group_id)).all()
        found += sorted(one for one in states if one is not ContactState.CONFIRMED)
        found += ["acknowledged"] * any(done for done, _ in acts) + ["again"] * any(on for _, on in acts)
        return ", ".join(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.situation}-{row.reply}")
def test_each_group_hears_of_its_own_and_nothing_else(talking_village: Village, row: Row) -> None:
    story = Story(talking_village, row.situation)

    talking_village._addresses["sender"] = {AT}
    for step in REPLIES[row.reply].split(" → "):
        if step == ENTERED_AGAIN:
            story.enter_again()
        else:
            talking_village.answers("sender", step)

    assert (story.heard("A"), story.heard("B"), story.answers()) == (row.group_a, row.group_b, row.sender)


def test_the_table_has_every_intent_and_the_page_of_the_documents_is_the_table() -> None:
    assert {row.reply for row in ROWS} >= {*Intent} | {"digit"}
    assert {(row.situation, row.reply) for row in ROWS} == {(one, reply) for one in SITUATIONS for reply in REPLIES}

    written = (Path(__file__).parents[2] / "docs" / "whose-replies.md").read_text(encoding="utf-8")
    assert written == whose_replies.page(), "python -m tests.conversation.whose_replies > docs/whose-replies.md"


def play(village: Village, situation: str, *said: str) -> Story:
    story = Story(village, situation)
    village._addresses["sender"] = {AT}
    for text in said:
        village.answers("sender", text)
    return story


@pytest.mark.parametrize("choice", ["2", "２です", "お母さん", "おかあさんのこと", "2番"])
@pytest.mark.parametrize("reply", ["unknown", "done", "later"])
def test_who_says_whom_a_text_was_about_is_understood_and_only_that_group_sees_it(
    talking_village: Village, reply: str, choice: str
) -> None:
    story = play(talking_village, BOTH_WROTE, REPLIES[reply], choice)

    wanted = {"unknown": "reply, notice unread", "done": "reply, notice done, acknowledged", "later": "reply, again"}
    assert (story.heard("A"), story.heard("B")) == ("", wanted[reply])


def test_a_choice_that_nobody_makes_is_asked_of_the_humans_of_both_without_the_words(talking_village: Village) -> None:
    story = play(talking_village, BOTH_WROTE, REPLIES["unknown"])

    talking_village.run_until("2026-12-01 18:00")

    assert (story.heard("A"), story.heard("B")) == ("notice unread", "notice unread")
    told = talking_village.words_to("member of A") + talking_village.words_to("member of B")
    assert not any("病院" in text for text in told)


def test_no_group_sees_the_text_that_offers_a_choice_to_two(talking_village: Village) -> None:
    play(talking_village, BOTH_WROTE, REPLIES["unknown"])

    (choice,) = [one for one in talking_village.messages() if "どなたのこと" in (one.text or "")]

    assert (choice.group_id, choice.contact_id, choice.state) == (None, None, "accepted")


def test_persons_who_are_called_the_same_are_told_apart_by_their_group_and_else_by_nobody(
    talking_village: Village,
) -> None:
    village = talking_village
    for name in ("田中家", "鈴木家", "鈴木家"):
        village.group(name=name)
        village.person("母", phone=PHONE, mode=Mode.ELDERLY)
        village.card("母", SOON, "passport")
    village.run_until("2026-12-01 11:00")
    village._addresses["sender"] = {AT}

    village.answers("sender", REPLIES["unknown"])

    assert "どなたのこと" not in village.words_to("母")[-1], "two families of one name cannot be told apart"


def test_the_names_of_two_families_tell_their_mothers_apart(talking_village: Village) -> None:
    village = talking_village
    for name in ("田中家", "鈴木家"):
        village.group(name=name)
        village.person("母", phone=PHONE, mode=Mode.ELDERLY)
        village.card("母", SOON, "passport")
    village.run_until("2026-12-01 11:00")
    village._addresses["sender"] = {AT}

    village.answers("sender", REPLIES["unknown"])

    assert "1＝田中家のお母さん、2＝鈴木家のお母さん" in village.words_to("母")[-1]


def test_a_choice_is_offered_three_times_a_day_to_a_telephone_that_answers_by_itself(talking_village: Village) -> None:
    story = play(talking_village, BOTH_WROTE, *["ただいま電話に出られません。"] * 20)

    assert len(story.texts()) - story.before <= 3


def test_who_stopped_through_one_group_is_stopped_for_all_and_starts_for_those_that_had_their_consent(
    talking_village: Village,
) -> None:
    story = play(talking_village, ONE_WROTE, "停止")
    group = talking_village.group(name="C家")
    talking_village.person("叔母", phone=PHONE, consent=False)
    assert group

    talking_village.answers("sender", "停止")
    talking_village.answers("sender", "再開")

    assert story.heard("A") == "notice stopped"
    assert story.heard("B").startswith("reply, notice stopped")
    with talking_village.app.database.reading() as tx:
        states = list(tx.scalars(select(Contact.state).where(Contact.channel == "sms").order_by(Contact.id)))
    assert states == [ContactState.CONFIRMED, ContactState.CONFIRMED, ContactState.UNCONFIRMED], "she agreed to nothing"


def test_a_stop_that_the_provider_reports_holds_for_every_group_too(talking_village: Village) -> None:
    talking_village.sms.fail_when(lambda _: PermanentChannelError("21610", opted_out=True))

    story = Story(talking_village, ONE_WROTE)

    assert (story.heard("A"), story.heard("B")) == ("notice stopped, opted_out", "notice stopped, opted_out")

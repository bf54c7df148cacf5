"""What a group or a person takes along: everything that is known of them, with what was sealed opened."""

from reminder.domain.model.access import Scope
from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.own_kinds import OwnKindFacts
from reminder.domain.model.people import Role
from reminder.domain.parsing.replies import Intent
from reminder.storage.auth import accounts, calendar_feeds
from reminder.storage.db.tables import Reminder
from reminder.storage.maintenance import export
from reminder.storage.maintenance.export import ExportScope
from reminder.storage.outbox.queue import MentionDraft
from reminder.storage.registry import cards, consents, own_kinds
from reminder.storage.reminders import notices, replies
from reminder.storage.runtime import activity_log
from tests.storage.conftest import DAY, END, NOW, TODAY, Rows

PHONE = "+819000000001"


def test_a_group_takes_along_what_belongs_to_it_and_nothing_of_another(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    person, stranger = rows.person(group), rows.person(other)
    member = rows.member(group, email="hana@example.jp")
    accounts.set_account(rows.tx, rows.keys, member, rows.account())
    phone = rows.contact(person_id=person, address=PHONE)
    card = rows.card(person)
    rows.card(stranger)
    rows.contact(person_id=stranger)
    told = rows.told(card, phone, group_id=group, text="お知らせ")
    cards.assign(rows.tx, card, END, phone, TODAY)
    notices.add(rows.tx, NoticeKind.STOPPED, person_id=person, contact_id=phone, now=NOW)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM1", intent=Intent.DONE, text="済", now=NOW)
    accounts.invite(
        rows.tx, rows.keys, group_id=group, address="guest@example.jp", role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
    )
    rows.token(member, group, scopes=(Scope.READ,))
    calendar_feeds.add(rows.tx, rows.keys, member_id=member, token_hash=b"feed", is_private=True, now=NOW)
    rows.sheet_import(group, member)
    activity_log.write(rows.tx, "card_added", NOW, group_id=group, card_id=card)
    which = ExportScope(group, None)

    whole = export.group(rows.tx, group)
    assert whole is not None
    assert (whole["name"], whole["created_at"]) == ("田中家", "2026-12-01T08:00:00+09:00")
    assert export.group(rows.tx, 999) is None
    assert [[row["label"] for row in some] for some in export.people(rows.tx, which)] == [["父"]]
    assert [row["signs_in_with"] for row in export.members(rows.tx, rows.keys, group)] == ["hana@example.jp"]
    of_person = export.contacts_of_people(rows.tx, rows.keys, [person])
    of_member = export.contacts_of_members(rows.tx, rows.keys, [member])
    assert [row["address"] for row in (*of_member[member], *of_person[person])] == ["hana@example.jp", PHONE]
    said = {"at": "2026-12-01T08:00:00+09:00", "act": "consented", "way": "spoken"}
    assert [row["consents"] for row in of_person[person]] == [[said]]
    assert [(row["id"], row["expires_on"]) for row in export.cards(rows.tx, [person])[person]] == [(card, "2027-03-31")]
    assert [row["card_id"] for row in export.reminders(rows.tx, [card])[card]] == [card]
    assert [row["contact_id"] for row in export.assignments(rows.tx, [card])[card]] == [phone]
    rows.life(card)
    rows.whereabouts(person)
    rows.counted_end(group, card)
    assert [row["outcome"] for row in export.counted_ends(rows.tx, [card])[card]] == ["unknown"]
    assert [row["state"] for row in export.person_lives(rows.tx, [person])[person]] == ["paused"]
    assert [row["state"] for row in export.card_lives(rows.tx, [card])[card]] == ["open"]
    (reminder,) = rows.column(Reminder.id)
    promise = rows.promise(reminder)
    assert [row["id"] for row in export.promises(rows.tx, [reminder])[reminder]] == [promise]
    assert [row["kind"] for row in export.notices(rows.tx, [person])[person]] == ["stopped"]
    assert [row["text"] for row in export.replies(rows.tx, rows.keys, which)] == ["済"]
    (message,) = export.messages(rows.tx, rows.keys, which)
    assert (message["id"], message["text"], message["tells_of_cards"]) == (told, "お知らせ", [card])
    assert [row["address"] for row in export.invitations(rows.tx, rows.keys, group)] == ["guest@example.jp"]
    assert [row["name"] for row in export.api_tokens(rows.tx, group)] == ["台帳"]
    own_kinds.add(rows.tx, group_id=group, name="会員証", facts=OwnKindFacts(), now=NOW)
    assert [(row["name"], row["place"]) for row in export.own_kinds(rows.tx, group)] == [("会員証", "issuer")]
    assert [row["is_private"] for row in export.calendar_feeds(rows.tx, group)] == [True]
    assert [row["member_id"] for row in export.imports(rows.tx, group)] == [member]
    assert [row["act"] for row in export.activity_log(rows.tx, which)] == ["card_added"]


def test_a_person_takes_along_no_words_that_speak_of_somebody_else(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    phone, card, hers = rows.contact(person_id=person), rows.card(person), rows.card(other)
    own = rows.told(card, phone, text="父のこと")
    of_both = rows.message(phone, text="二人のこと", speaks_of=(MentionDraft(person), MentionDraft(other)))
    activity_log.write(rows.tx, "card_added", NOW, group_id=group, card_id=card)
    activity_log.write(rows.tx, "card_added", NOW, group_id=group, card_id=hers)
    which = ExportScope(group, person)

    messages = list(export.messages(rows.tx, rows.keys, which))

    assert [(row["id"], row["text"], row["speaks_of_others"]) for row in messages] == [
        (own, "父のこと", False),
        (of_both, None, True),
    ]
    assert [row["card_id"] for row in export.activity_log(rows.tx, which)] == [card]
    assert [[row["id"] for row in some] for some in export.people(rows.tx, which)] == [[person]]


def test_a_group_takes_along_what_an_owner_said_to_it_and_nothing_of_before_or_of_others(rows: Rows) -> None:
    other, group = rows.group("鈴木家"), rows.group()
    rows.contact(person_id=rows.person(other), address=PHONE)
    consents.record_at(rows.tx, rows.keys, PHONE, ConsentAct.WITHDREW, ConsentWay.REPLY, NOW - DAY)
    person = rows.person(group)
    contact = rows.contact(person_id=person, address=PHONE)
    consents.record_at(rows.tx, rows.keys, PHONE, ConsentAct.CONSENTED, ConsentWay.REPLY, NOW + DAY)

    (row,) = export.contacts_of_people(rows.tx, rows.keys, [person])[person]

    assert row["id"] == contact
    assert [(one["act"], one["way"]) for one in row["consents"]] == [("consented", "spoken"), ("consented", "reply")]

"""What a sheet saves is what a form saves: the same use cases, for many rows at once."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from reminder.domain.model.imports import Finding, Level
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind
from reminder.enrolment.cards import NewCard, TypedDates, add_cards, add_cards_of_people
from reminder.enrolment.register import NewContact, NewPerson, add_contact, add_contacts, add_people, add_person
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.db.tables import ActivityEntry
from reminder.storage.registry import cards, contacts, people
from tests.homes import checked, found, rows_of, saved
from tests.village import Village

HEAD = "居室,氏名,カード期限,電子証明書期限,資格確認書,携帯電話,家族携帯,同意日"
CERTIFICATE = "mynumber_user_certificate"


def a_home(village: Village) -> int:
    return village.group(GroupKind.HOME, "見本の里")


def sheet_of(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *rows]).encode()


def acts(village: Village) -> list[str]:
    with village.app.database.reading() as tx:
        return list(tx.scalars(select(ActivityEntry.act).order_by(ActivityEntry.id)))


def kept(village: Village) -> list[dict[str, Any]]:
    """Everybody of the home with all that is theirs, without ids."""
    everybody = []
    with village.app.database.reading() as tx:
        for person in people.of_group(tx, 1):
            own = {name: value for name, value in vars(person).items() if name not in ("id", "label", "room")}
            held = cards.current_of_person(tx, person.id)
            kind_of = {card.id: card.kind for card in held}
            own["cards"] = sorted(
                (card.kind, card.expires_on, card.next_reminder_on, kind_of.get(card.carried_by or 0)) for card in held
            )
            own["contacts"] = [
                (one.channel, one.address, one.is_family, one.state)
                for one in contacts.of_person(tx, village.app.keys, person.id)
            ]
            everybody.append(own)
    return everybody


def test_a_row_becomes_what_the_same_words_in_a_form_become(village: Village) -> None:
    a_home(village)
    saved(village, checked(village, sheet_of("201,ハナ,2033-03-31,2028-03-31,2027-07-31,090-0000-0001,,2026-11-01")))

    with village.app.writing() as uow:
        person = add_person(uow, group_id=1, label="キヨ", room="202")
        add_contact(
            uow,
            person_id=person,
            channel=ChannelName.SMS,
            address="090-0000-0001",
            consent_how=ConsentHow.SPOKEN,
            consent_by="施設の名簿 2026-11-01",
        )
        ends = {"mynumber_card": "2033-03-31", CERTIFICATE: "2028-03-31", "shikaku_kakuninsho_75plus": "2027-07-31"}
        typed = [NewCard(kind, TypedDates(end)) for kind, end in ends.items()]
        add_cards(uow, person_id=person, wanted=typed, confirmed=True)

    imported, from_form = kept(village)
    assert imported == from_form
    assert [carrier for *_, carrier in imported["cards"] if carrier] == ["mynumber_card"]


def test_a_row_is_one_act_of_the_journal_and_a_form_is_one_for_each(village: Village) -> None:
    a_home(village)
    before = len(acts(village))

    saved(village, checked(village, sheet_of("201,ハナ,2033-03-31,2028-03-31,2027-07-31,090-0000-0001,,2026-11-01")))

    assert acts(village)[before:] == ["sheet_read", "person_added", "sheet_saved"]


def test_a_number_that_stands_twice_in_a_row_is_kept_once_and_the_row_says_which(village: Village) -> None:
    a_home(village)
    row = "201,ハナ,2033-03-31,,,090-0000-0001,090-0000-0001,2026-11-01"

    sheet_import = saved(village, checked(village, sheet_of(row)))

    [resident] = kept(village)
    assert [(channel, is_family) for channel, _, is_family, _ in resident["contacts"]] == [(ChannelName.SMS, False)]
    assert sheet_import.counts.saved == 1
    assert found(village, sheet_import.id).counts == sheet_import.counts
    [findings] = [one.findings for one in rows_of(village, sheet_import).values()]
    assert Finding("contact_known", Level.NOTE, 6, {"channel": "sms"}) in findings


def test_of_a_changed_row_only_what_is_new_is_added(village: Village) -> None:
    a_home(village)
    saved(village, checked(village, sheet_of("201,ハナ,2033-03-31,,,090-0000-0001,,2026-11-01")))
    before = len(acts(village))

    saved(village, checked(village, sheet_of("201,ハナ,2033-03-31,2028-03-31,,090-0000-0001,090-0000-0002,2026-11-01")))

    [resident] = kept(village)
    assert [one[0] for one in resident["cards"]] == ["mynumber_card", CERTIFICATE]
    assert [address[-4:] for _, address, _, _ in resident["contacts"]] == ["0001", "0002"]
    assert acts(village)[before:] == ["sheet_read", "card_added", "contact_added", "sheet_saved"]


def test_many_persons_are_registered_or_none(village: Village) -> None:
    a_home(village)

    with pytest.raises(RefusedInputError), village.app.writing() as uow:
        add_people(uow, group_id=1, wanted=[NewPerson("ハナ"), NewPerson("")])

    assert kept(village) == []


def test_contacts_of_many_owners_are_kept_once_each_and_an_unknown_owner_refuses_all(village: Village) -> None:
    a_home(village)
    member = village.member("事務", "office@example.jp")
    with village.app.writing() as uow:
        first, second = add_people(uow, group_id=1, wanted=[NewPerson("ハナ"), NewPerson("キヨ")])
        phone, mail = (ChannelName.SMS, "090-0000-0001"), (ChannelName.EMAIL, "office@example.jp")
        wanted = [
            NewContact(*phone, person_id=first),
            NewContact(*phone, person_id=second),
            NewContact(*phone, person_id=first),
            NewContact(*mail, member_id=member),
            NewContact(*phone, member_id=member),
        ]

        ids = add_contacts(uow, wanted=wanted)

        assert [one is None for one in ids] == [False, False, True, True, False]
        with pytest.raises(NotFoundError):
            add_contacts(uow, wanted=[NewContact(*mail, person_id=first), NewContact(*mail, person_id=99)])


def test_cards_of_many_persons_are_checked_one_after_the_other(village: Village) -> None:
    a_home(village)
    end = TypedDates("2028-03-31")
    with village.app.writing() as uow:
        first, second = add_people(uow, group_id=1, wanted=[NewPerson("ハナ"), NewPerson("キヨ")])
        # The certificate is there before the card that it lives in.
        wanted = {first: [NewCard(CERTIFICATE, end), NewCard("mynumber_card", TypedDates("2033-03-31"))], second: []}

        added = add_cards_of_people(uow, wanted=wanted)

        assert [one.expires_on for one in added[first]] == [date(2028, 3, 31), date(2033, 3, 31)]
        assert added[second] == []
        certificate, card = cards.current_of_person(uow.tx, first)
        assert certificate.carried_by == card.id
        assert certificate.next_reminder_on == uow.today
        with pytest.raises(ConflictError):
            add_cards_of_people(uow, wanted={second: [NewCard(CERTIFICATE, end), NewCard(CERTIFICATE, end)]})

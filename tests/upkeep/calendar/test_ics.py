"""The calendar that a member's programs read: the right days, in the standard's form, and no word too many."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from icalendar import Calendar, Event

from reminder.domain.model.people import GroupKind, Language, Mode
from reminder.domain.rules.hours import is_counter_open
from reminder.enrolment import cards, register
from reminder.enrolment.register import PersonChanges
from reminder.errors import NotFoundError
from reminder.storage.auth import accounts
from reminder.storage.registry import groups
from reminder.upkeep.calendar.feeds import feeds_of, make_feed, read_feed, revoke_feed
from tests.village import SIGNATURE_CERTIFICATE, Village

END = date(2027, 3, 31)
# The last day of a year on which counters are closed: the last open one is the 28th.
NEW_YEARS_EVE = date(2027, 12, 31)


@pytest.fixture
def family(village: Village) -> Village:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ", reference="203")
    return village


def read(village: Village, *, is_private: bool = False, member: int = 1) -> bytes:
    with village.app.writing() as uow:
        token = make_feed(uow, member_id=member, is_private=is_private)
    with village.app.reading() as uow:
        return read_feed(uow, token)


def entries(written: bytes) -> dict[str, date]:
    """By title, the day."""
    return {str(event["SUMMARY"]): event["DTSTART"].dt for event in Calendar.from_ical(written).walk("VEVENT")}


def test_a_card_stands_on_the_last_counter_day_and_on_the_day_renewal_begins(family: Village) -> None:
    family.card("母", NEW_YEARS_EVE)

    written = read(family)

    assert entries(written) == {
        "母：電子証明書": date(2027, 12, 28),
        "母：電子証明書（手続きの始まり）": date(2027, 10, 1),
    }
    said = [str(event["DESCRIPTION"]) for event in Calendar.from_ical(written).walk("VEVENT")]
    assert said == [
        "窓口が開いている最後の日：2027年12月28日（火）\n期限：2027年12月31日（金）",
        "この日から手続きできます。\n期限：2027年12月31日（金）",
    ]


def test_a_date_that_was_worked_out_is_said_to_be_about(family: Village) -> None:
    family.card("母", END, is_computed=True)

    assert "2027年3月31日（水）ごろ".encode() in read(family).replace(b"\r\n ", b"")


def test_what_comes_by_itself_stands_on_its_own_end(family: Village) -> None:
    kind = next(kind.key for kind in family.app.rules.kinds.values() if kind.comes_by_itself)
    family.card("母", NEW_YEARS_EVE, kind)

    written = read(family)

    assert NEW_YEARS_EVE in entries(written).values()
    assert "窓口" not in written.replace(b"\r\n ", b"").decode()


def test_a_private_calendar_says_only_that_something_ends(family: Village) -> None:
    family.card("母", END)
    family.card("母", END, "other", label="バスの券")

    written = read(family, is_private=True)

    plain = written.replace(b"\r\n ", b"").decode()
    assert [str(event["SUMMARY"]) for event in Calendar.from_ical(written).walk("VEVENT")] == ["期限あり"] * 2
    assert not any(word in plain for word in ("母", "証明書", "バス", "田中家", "DESCRIPTION"))


@pytest.mark.parametrize("is_private", [False, True])
def test_no_calendar_holds_more_than_whose_and_which_card(family: Village, is_private: bool) -> None:
    family.card("母", END)

    plain = read(family, is_private=is_private).replace(b"\r\n ", b"").decode()

    assert not any(word in plain for word in ("つばめ", "203", "090", "+81", "musume", "市役所", "ATTENDEE"))


def test_the_form_is_that_of_the_standard(family: Village) -> None:
    family.card("母", END, "other", label="とても長い名前の会員カード")
    family.card("母", END)

    written = read(family)

    lines = written.split(b"\r\n")
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert lines[-2:] == [b"END:VCALENDAR", b""]
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    assert max(map(len, lines)) <= 75
    assert any(line.startswith(b" ") for line in lines), "something was folded"
    for line in lines:
        line.decode()  # no character is cut in two
    whole = written.replace(b"\r\n ", b"").split(b"\r\n")
    assert {b"VERSION:2.0", b"REFRESH-INTERVAL;VALUE=DURATION:PT12H", b"METHOD:PUBLISH"} <= set(whole)
    assert "X-WR-CALNAME:期限だより（田中家）".encode() in whole
    assert b"DTSTART;VALUE=DATE:20270331" in whole
    stamps = {event["DTSTAMP"].dt for event in Calendar.from_ical(written).walk("VEVENT")}
    assert stamps == {datetime(2026, 11, 30, 23, tzinfo=UTC)}


def test_a_label_cannot_break_out_of_its_line(family: Village) -> None:
    family.person("花子; 太郎, 他")
    family.card("花子; 太郎, 他", END)

    written = read(family)

    assert "花子; 太郎, 他：電子証明書" in entries(written)
    assert "SUMMARY:花子\\; 太郎\\, 他：電子証明書".encode() in written.replace(b"\r\n ", b"")


def test_an_entry_moves_when_its_card_is_renewed(family: Village) -> None:
    card = family.card("母", END)
    before = {event["UID"]: event["DTSTART"].dt for event in Calendar.from_ical(read(family)).walk("VEVENT")}

    family.renew(card, date(2032, 3, 31))

    after = {event["UID"]: event["DTSTART"].dt for event in Calendar.from_ical(read(family)).walk("VEVENT")}
    assert before.keys() == after.keys()
    assert before != after
    assert len(before) == 2


def test_what_is_retired_or_another_group_s_is_in_no_calendar(family: Village) -> None:
    family.retire(family.card("母", END))
    family.group(GroupKind.HOUSEHOLD, "鈴木家")
    family.person("祖母")
    family.card("祖母", END, SIGNATURE_CERTIFICATE)

    assert entries(read(family)) == {}


def test_the_calendar_speaks_the_member_s_language(family: Village) -> None:
    family.card("母", END)
    with family.app.database.writing() as tx:
        account = accounts.add(
            tx, family.app.keys, address="musume@example.jp", language=Language.ENGLISH, now=family.now
        )
        accounts.set_account(tx, family.app.keys, 1, account.id)
        accounts.set_language(tx, account.id, Language.ENGLISH)

    written = read(family)

    assert "母: The login certificate (renewal opens)" in entries(written)
    assert b"PRODID:-//Kigen Dayori//reminder//EN" in written


def test_a_new_label_is_read_the_next_time(family: Village) -> None:
    family.card("母", END)
    with family.app.writing() as uow:
        token = make_feed(uow, member_id=1, is_private=False)
        register.edit_person(uow, person_id=1, changes=PersonChanges(label="お母さん"))

    with family.app.reading() as uow:
        assert "お母さん：電子証明書" in entries(read_feed(uow, token))


def test_an_address_that_was_revoked_or_never_made_is_not_found(family: Village) -> None:
    with family.app.writing() as uow:
        token = make_feed(uow, member_id=1, is_private=True)
    with family.app.reading() as uow:
        [feed] = feeds_of(uow, 1)
    assert (feed.is_private, feed.created_at) == (True, family.now)

    with family.app.writing() as uow:
        revoke_feed(uow, member_id=1, feed_id=feed.id)

    with family.app.reading() as uow:
        assert list(feeds_of(uow, 1)) == []
    for unknown in (token, "", "x" * 64):
        with pytest.raises(NotFoundError) as refused, family.app.reading() as uow:
            read_feed(uow, unknown)
        assert refused.value.code == "page_not_found"
    with pytest.raises(NotFoundError), family.app.writing() as uow:
        revoke_feed(uow, member_id=1, feed_id=feed.id)


def test_nobody_revokes_a_calendar_of_somebody_else(family: Village) -> None:
    other = family.member("息子", "musuko@example.jp")
    with family.app.writing() as uow:
        token = make_feed(uow, member_id=1, is_private=False)
    with family.app.reading() as uow:
        [feed] = feeds_of(uow, 1)

    with pytest.raises(NotFoundError), family.app.writing() as uow:
        revoke_feed(uow, member_id=other, feed_id=feed.id)

    with family.app.reading() as uow:
        assert list(feeds_of(uow, other)) == []
        assert read_feed(uow, token)


def test_the_calendar_of_who_is_no_member_any_more_is_not_found(family: Village) -> None:
    with family.app.writing() as uow:
        token = make_feed(uow, member_id=1, is_private=False)
    with family.app.database.writing() as tx:
        groups.remove_member(tx, 1)

    with pytest.raises(NotFoundError), family.app.units.reading(family.now + timedelta(days=1)) as uow:
        read_feed(uow, token)
    with pytest.raises(NotFoundError), family.app.writing() as uow:
        make_feed(uow, member_id=1, is_private=False)


def events(written: bytes) -> dict[str, Event]:
    """By the beginning of its UID: last, opens."""
    found = Calendar.from_ical(written).walk("VEVENT")
    return {str(event["UID"]).partition("-")[0]: event for event in found}


def test_each_change_of_a_card_has_a_later_revision_of_its_entries(family: Village) -> None:
    card = family.card("母", END)
    first = events(read(family))
    assert {int(event["SEQUENCE"]) for event in first.values()} == {0}
    assert {event["LAST-MODIFIED"].dt for event in first.values()} == {family.now}

    family.clock.move_to(family.now + timedelta(hours=1))
    family.renew(card, date(2032, 3, 31))
    second = events(read(family))
    with family.app.writing() as uow:
        cards.acknowledge_card(uow, card_id=card)
    assert events(read(family)) == {}, "what is done is no date to keep any more"
    with family.app.writing() as uow:
        cards.reopen_card(uow, card_id=card)
    third = events(read(family))

    for name in ("last", "opens"):
        assert first[name]["UID"] == second[name]["UID"] == third[name]["UID"]
        assert int(first[name]["SEQUENCE"]) < int(second[name]["SEQUENCE"]) < int(third[name]["SEQUENCE"])
        assert second[name]["LAST-MODIFIED"].dt == family.now > first[name]["LAST-MODIFIED"].dt


@pytest.mark.parametrize("is_private", [False, True])
def test_an_entry_rings_at_nine_a_week_and_a_day_before_and_when_renewal_begins(
    family: Village, is_private: bool
) -> None:
    family.card("母", END)

    found = events(read(family, is_private=is_private))

    def rings(event: Event) -> list[str]:
        begins = datetime.combine(event["DTSTART"].dt, time())
        return [f"{begins + alarm['TRIGGER'].dt:%m-%d %H:%M}" for alarm in event.walk("VALARM")]

    assert rings(found["last"]) == ["03-24 09:00", "03-30 09:00"]
    if is_private:
        assert found.keys() == {"last"}
        assert {str(alarm["ACTION"]) for alarm in found["last"].walk("VALARM")} == {"AUDIO"}
    else:
        assert [at[-5:] for at in rings(found["opens"])] == ["09:00"]
        assert {str(alarm["DESCRIPTION"]) for alarm in found["last"].walk("VALARM")} == {"母：電子証明書"}


def test_renewal_begins_on_a_day_on_which_a_counter_is_open(family: Village) -> None:
    card = family.card("母", END)
    for end in (date(2027, 3, 31), date(2027, 4, 2), date(2027, 5, 31), date(2027, 8, 3)):
        if end != END:
            family.renew(card, end)

        opens = events(read(family))["opens"]["DTSTART"].dt

        assert is_counter_open(opens), end
    assert opens == date(2027, 5, 6), "renewal begins on the third of May, a holiday like the two days after it"

"""A STOP outlives everything but the owner's own word: erasure, entering it anew, another group, another spelling."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest

from reminder.conversation import inbox
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, Mode, StoppedBy
from reminder.domain.rules.consent_standing import refusal_for
from reminder.enrolment import consent, register
from reminder.errors import ConflictError, PermanentChannelError
from reminder.storage.registry import consents, contacts
from reminder.upkeep.privacy import erasure
from tests.village import Village

PHONE, AT = "090-1212-3434", "+819012123434"
SOON = date(2026, 12, 7)
SPELLINGS = ["090-1212-3434", "０９０１２１２３４３４", "+81 90 1212 3434", "(090)1212-3434"]


def family(village: Village, name: str, label: str, phone: str = PHONE, *, consent: bool = True) -> tuple[int, int]:
    """A group that enters the number for a person whose card ends soon; return the ids of the group and the contact."""
    group = village.group(name=name)
    village.member(f"member of {name}", f"member{group}@example.jp")
    village.person(label, mode=Mode.ELDERLY)
    contact = village.contact(label, ChannelName.SMS, PHONE, consent=consent) if phone == PHONE else None
    if contact is None:
        with village.app.writing() as uow:
            contact = register.add_contact(
                uow, person_id=village._people[label], channel=ChannelName.SMS, address=phone,
                consent_how=ConsentHow.SPOKEN, consent_by="長女",
            )  # fmt: skip
    village.card(label, SOON, "passport")
    return group, contact


def erase(village: Village, what: str, group: int, contact: int, label: str) -> None:
    ids = {
        "contact": {"contact_id": contact},
        "person": {"person_id": village._people[label]},
        "group": {"group_id": group},
    }
    getattr(erasure, f"erase_{what}")(village.app.units, village.now, **ids[what])


def texts(village: Village) -> int:
    return sum(sent.outgoing.address == AT for sent in village.world.all_sent())


def say(village: Village, text: str, at: str | None = None) -> bool:
    village._addresses["sender"] = {AT}
    return village.answers("sender", text, at=at)


def stopped_by_text(village: Village, contact: int) -> None:
    assert contact
    say(village, "停止")


def stopped_at_the_provider(village: Village, contact: int) -> None:
    assert contact
    village.sms.fail_when(lambda _: PermanentChannelError("21610", opted_out=True))
    village.run_until("2026-12-01 11:00")
    village.sms.fail_when(lambda _: None)


def stopped_without_being_known(village: Village, contact: int) -> None:
    erasure.erase_contact(village.app.units, village.now, contact_id=contact)
    assert not say(village, "STOP"), "nobody answers a number that nobody has"


@pytest.mark.parametrize("what", ["contact", "person", "group"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_that_was_erased_and_is_entered_again_is_not_written_to_before_its_owner_says_so(
    talking_village: Village, what: str, spelling: str
) -> None:
    village = talking_village
    group, contact = family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")
    say(village, "停止")
    erase(village, what, group, contact, "母")
    before = texts(village)

    _, again = family(village, "鈴木家", "祖母", spelling)
    village.run_until("2026-12-03 18:00")

    assert texts(village) == before
    assert village.contacts()[AT] is ContactState.OPTED_OUT
    with pytest.raises(ConflictError, match="asked_enough"), village.app.writing() as uow:
        consent.ask(uow, contact_id=again, told_by="長女")
    for how in (ConsentHow.SPOKEN, ConsentHow.WRITTEN, ConsentHow.AGENT):
        with pytest.raises(ConflictError, match="contact_said_no"), village.app.writing() as uow:
            consent.confirm(uow, contact_id=again, how=how, said_by="長女")

    say(village, "再開", at="2026-12-04 09:00")
    village.run_until("2026-12-04 18:00")
    assert village.contacts()[AT] is ContactState.CONFIRMED
    assert texts(village) >= before + 2, "the confirmation, and the reminder"


@pytest.mark.parametrize("stop", [stopped_by_text, stopped_at_the_provider, stopped_without_being_known])
@pytest.mark.parametrize("channel", [ChannelName.SMS, ChannelName.VOICE])
def test_whichever_way_the_owner_says_no_it_holds_for_every_group_and_for_calls(
    talking_village: Village, stop: Callable[[Village, int], None], channel: ChannelName
) -> None:
    village = talking_village
    _, contact = family(village, "田中家", "母")
    stop(village, contact)
    before = texts(village)

    village.group(name="鈴木家")
    village.person("祖母", mode=Mode.ELDERLY)
    village.contact("祖母", channel, PHONE)
    village.card("祖母", SOON, "passport")
    village.run_until("2026-12-03 18:00")

    assert texts(village) == before
    with village.app.database.reading() as tx:
        of_new = contacts.at_phone(tx, village.app.keys, AT)[-1]
        assert contacts.speakers(tx, of_new)[0].state is ContactState.OPTED_OUT


def test_a_stop_that_waits_for_the_next_pass_is_not_lost_with_the_contact(talking_village: Village) -> None:
    village = talking_village
    _, contact = family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")
    with village.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText("SM1", AT, "停止"))
    erasure.erase_contact(village.app.units, village.now, contact_id=contact)
    before = texts(village)

    family(village, "鈴木家", "祖母")
    village.run_until("2026-12-03 18:00")

    assert texts(village) == before


def test_a_number_that_is_entered_while_its_owner_says_stop_is_stopped_either_way(talking_village: Village) -> None:
    village = talking_village
    labels = [f"母{letter}" for letter in "あいうえお"]
    for label in labels:
        village.group(name=f"{label}の家")
        village.person(label, mode=Mode.ELDERLY)
    together = Barrier(len(labels) + 1)

    def enter(label: str) -> None:
        together.wait()
        village.contact(label, ChannelName.SMS, PHONE)

    def stop() -> None:
        together.wait()
        with village.app.writing() as uow:
            inbox.keep(uow, inbox.InboundText("SM1", AT, "停止"))

    with ThreadPoolExecutor(len(labels) + 1) as pool:
        for done in [pool.submit(stop), *(pool.submit(enter, label) for label in labels)]:
            done.result()
    village.run_until("2026-12-01 08:05")

    with village.app.database.reading() as tx:
        at_number = contacts.at_phone(tx, village.app.keys, AT)
        states = {contacts.speakers(tx, one)[0].state for one in at_number}
    assert (len(at_number), states) == (len(labels), {ContactState.OPTED_OUT})


def test_a_group_that_has_asked_enough_does_not_ask_more_by_entering_the_number_anew(talking_village: Village) -> None:
    village = talking_village
    village.group()
    village.person("母", mode=Mode.ELDERLY)
    for at in ("2026-12-01 11:00", "2026-12-16 11:00"):
        contact = village.contact("母", ChannelName.SMS, PHONE, consent=False)
        village.run_until(at)
        with village.app.writing() as uow:
            consent.ask(uow, contact_id=contact, told_by="長女")
        village.run_until(f"{at[:11]}18:00")
        erasure.erase_contact(village.app.units, village.now, contact_id=contact)

    again = village.contact("母", ChannelName.SMS, PHONE, consent=False)
    village.run_until("2027-02-01 11:00")
    with pytest.raises(ConflictError, match="asked_enough"), village.app.writing() as uow:
        consent.ask(uow, contact_id=again, told_by="長女")


def test_a_number_that_was_somebody_else_s_is_not_written_to_until_somebody_has_made_sure(
    talking_village: Village,
) -> None:
    village = talking_village
    group, contact = family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")
    say(village, "まちがいです。ちがう人です")
    erase(village, "contact", group, contact, "母")
    before = texts(village)

    again = village.contact("母", ChannelName.SMS, PHONE)
    village.run_until("2026-12-03 18:00")
    assert texts(village) == before
    assert village.contacts()[AT] is ContactState.UNREACHABLE

    with village.app.writing() as uow:
        consent.confirm(uow, contact_id=again, how=ConsentHow.SPOKEN, said_by="長女")
    village.run_until("2026-12-04 18:00")
    assert texts(village) == before + 1


def test_a_stop_by_her_own_text_after_one_through_the_family_is_no_more_lifted_by_a_form(
    talking_village: Village,
) -> None:
    village = talking_village
    _, contact = family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")
    village.stop(contact)
    say(village, "停止")

    with pytest.raises(ConflictError, match="contact_said_no"), village.app.writing() as uow:
        consent.confirm(uow, contact_id=contact, how=ConsentHow.WRITTEN, said_by="長女")


@pytest.mark.parametrize("by", [StoppedBy.FAMILY, StoppedBy.CLICK])
def test_a_stop_by_page_or_link_outlives_the_contact_too_and_a_signed_form_lifts_it(
    talking_village: Village, by: StoppedBy
) -> None:
    village = talking_village
    village.group()
    village.person("母")
    contact = village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.stop(contact, by)
    erasure.erase_contact(village.app.units, village.now, contact_id=contact)

    again = village.contact("母", ChannelName.EMAIL, "HAHA@example.jp")
    assert village.contacts()["HAHA@example.jp"] is ContactState.OPTED_OUT

    with village.app.writing() as uow:
        consent.confirm(uow, contact_id=again, how=ConsentHow.WRITTEN, said_by="長女")
    assert village.contacts()["HAHA@example.jp"] is ContactState.CONFIRMED


def test_what_an_owner_tells_the_operator_holds_for_every_group_until_a_signed_form(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "祖母")
    village.run_until("2026-12-01 11:00")

    with village.app.writing() as uow:
        assert consent.stop_number(uow, number="０９０ １２１２ ３４３４") == 2
        assert consent.stop_number(uow, number=PHONE) == 0
    before = texts(village)
    _, later = family(village, "山田家", "叔母")
    village.run_until("2026-12-04 18:00")

    assert texts(village) == before
    with pytest.raises(ConflictError, match="contact_said_no"), village.app.writing() as uow:
        consent.confirm(uow, contact_id=later, how=ConsentHow.SPOKEN, said_by="長女")
    with village.app.writing() as uow:
        consent.confirm(uow, contact_id=later, how=ConsentHow.WRITTEN, said_by="長女")
    with village.app.database.reading() as tx:
        states = [contacts.speakers(tx, one)[0].state for one in contacts.at_phone(tx, village.app.keys, AT)]
    assert states == [ContactState.OPTED_OUT, ContactState.OPTED_OUT, ContactState.CONFIRMED]


def test_a_start_takes_back_what_the_operator_was_told_also_where_nobody_has_the_number_now(
    talking_village: Village,
) -> None:
    village = talking_village
    with village.app.writing() as uow:
        consent.stop_number(uow, number=PHONE)
    say(village, "再開")

    _, entered = family(village, "田中家", "母")

    with village.app.database.reading() as tx:
        assert contacts.speakers(tx, entered)[0].state is ContactState.CONFIRMED


def test_what_the_family_stops_is_not_stopped_for_other_families(talking_village: Village) -> None:
    village = talking_village
    _, contact = family(village, "田中家", "母")
    village.stop(contact)

    _, theirs = family(village, "鈴木家", "祖母")

    with village.app.database.reading() as tx:
        assert contacts.speakers(tx, theirs)[0].state is ContactState.CONFIRMED


def test_the_ledger_and_the_contacts_say_the_same_after_every_reply(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "祖母")
    village.run_until("2026-12-01 11:00")

    for text in ("停止", "再開", "2", "停止", "停止", "再開"):
        say(village, text)
        with village.app.database.reading() as tx:
            ids = contacts.at_phone(tx, village.app.keys, AT)
            speakers = [contacts.speakers(tx, one)[0] for one in ids]
            records = consents.of_contacts(tx, ids)
        for one in speakers:
            refusal = refusal_for(records[one.contact_id], one.group_id)
            assert (refusal is None) is (one.state is ContactState.CONFIRMED), text


def test_what_a_start_cannot_take_back_is_not_recorded(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")

    say(village, "再開")

    with village.app.database.reading() as tx:
        (contact,) = contacts.at_phone(tx, village.app.keys, AT)
        assert len(consents.of_contacts(tx, [contact])[contact]) == 1, "the consent"

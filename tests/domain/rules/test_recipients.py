"""Who is told: each human once, by the channel that suits, and never nobody where somebody could be."""

from dataclasses import replace

import pytest

from reminder.domain.model.people import Audience, ChannelName, ContactState, Copies, GroupKind, Language, Role
from reminder.domain.rules.recipients import Recipient, choose_recipients

SMS, EMAIL, VOICE = ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE
P, C, S = Audience.PERSON, Audience.CARER, Audience.STAFF


def contact(
    contact_id: int, whose: str, channel: ChannelName, state: str = "confirmed", role: Role | None = None
) -> Recipient:
    kind, _, number = whose.partition(" ")
    return Recipient(contact_id, (kind, int(number)), channel, ContactState(state), Language.JAPANESE, role)


@pytest.mark.parametrize(
    ("own", "told", "why"),
    [
        ([contact(1, "person 1", SMS), contact(2, "person 1", EMAIL)], [1], "a text, not two"),
        ([contact(1, "person 1", EMAIL), contact(2, "person 1", SMS)], [2], "whichever was added first"),
        ([contact(1, "person 1", SMS, "unreachable"), contact(2, "person 1", EMAIL)], [2], "the phone is gone"),
        ([contact(1, "person 1", SMS, "unconfirmed")], [], "silence is not consent"),
        ([contact(1, "person 1", SMS, "opted_out")], [], "said no"),
        ([contact(1, "person 1", VOICE)], [], "a landline takes no texts"),
    ],
)
def test_a_person_is_told_by_their_first_channel_that_works(own: list[Recipient], told: list[int], why: str) -> None:
    around = choose_recipients(GroupKind.HOUSEHOLD, own, [])

    assert [recipient.contact_id for recipient in around.own] == told, why


def test_carers_are_the_members_of_a_household_and_family_contacts_each_by_mail_if_they_have_one() -> None:
    members = [contact(3, "member 1", SMS, role=Role.OWNER), contact(4, "member 1", EMAIL, role=Role.OWNER)]
    around = choose_recipients(GroupKind.HOUSEHOLD, [contact(5, "family 5", SMS)], members)

    assert [recipient.contact_id for recipient in around.carers] == [4, 5]
    assert around.staff == ()


def test_members_of_a_home_are_staff_and_family_contacts_are_the_carers() -> None:
    around = choose_recipients(
        GroupKind.HOME, [contact(5, "family 5", EMAIL)], [contact(4, "member 1", EMAIL, role=Role.EDITOR)]
    )

    assert [recipient.contact_id for recipient in around.carers] == [5]
    assert [recipient.contact_id for recipient in around.staff] == [4]


def test_who_wants_no_copies_comes_after_who_does() -> None:
    wanting = {3: Copies.NONE, 4: Copies.NEAR, 5: Copies.ALL, 6: Copies.ALL}
    members = [
        replace(contact(number, f"member {number}", EMAIL, role=Role.EDITOR), copies=copies)
        for number, copies in wanting.items()
    ]

    assert [one.contact_id for one in choose_recipients(GroupKind.HOUSEHOLD, [], members).carers] == [5, 6, 4, 3]


def test_a_viewer_is_told_nothing() -> None:
    assert choose_recipients(GroupKind.HOUSEHOLD, [], [contact(4, "member 1", EMAIL, role=Role.VIEWER)]).carers == ()


@pytest.mark.parametrize(
    ("kind", "contacts", "members", "audience", "hears", "why"),
    [
        ("household", [contact(1, "person 1", SMS)], True, C, {C}, "the person hears their own"),
        ("household", [], True, C, {C, P}, "nobody hears the person's: the carer does"),
        ("home", [], True, S, {S, C}, "no family: the staff hear theirs too"),
        ("home", [contact(5, "family 5", EMAIL)], True, S, {S}, "the family hears its own"),
        ("home", [contact(5, "family 5", EMAIL)], True, C, {C}, "a home's family is not flooded"),
    ],
)
def test_where_nobody_stands_the_next_one_out_stands_in(
    kind: str, contacts: list[Recipient], members: bool, audience: Audience, hears: set[Audience], why: str
) -> None:
    staff = [contact(4, "member 1", EMAIL, role=Role.OWNER)] if members else []

    assert choose_recipients(GroupKind(kind), contacts, staff).audiences_for(audience) == hears, why

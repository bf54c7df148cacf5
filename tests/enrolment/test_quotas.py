"""No use case takes a group beyond a limit: every limit, by everything that adds, and never because of another group."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from reminder.domain.model.imports import ImportState
from reminder.domain.model.people import ChannelName, GroupKind, Language, Role
from reminder.domain.rules.quotas import Quota
from reminder.enrolment import cards, consent, register
from reminder.enrolment.cards import NewCard, TypedDates
from reminder.enrolment.identity import api_tokens, membership
from reminder.enrolment.imports import service
from reminder.enrolment.register import NewContact, NewPerson
from reminder.errors import ConflictError, QuotaReachedError
from reminder.storage.db.tables import ActivityEntry, Card, Contact, Import, Invitation, Message, Person
from reminder.storage.registry import people
from reminder.upkeep.calendar import feeds
from tests.homes import begun, checked, found, start_saving
from tests.village import Village, open_village
from tests.web.calling import actor

HEAD = "居室,氏名,電子証明書期限,携帯電話"
END = date(2027, 11, 16)


class Family:
    """One of two groups, with an owner and a person; each method adds one of something."""

    def __init__(self, village: Village, name: str, kind: GroupKind = GroupKind.HOUSEHOLD) -> None:
        self.village, self._made = village, 0
        self.id = village.group(kind, name)
        with village.app.writing() as uow:
            self.owner = register.add_member(
                uow, group_id=self.id, email=f"owner{self.id}@example.jp", role=Role.OWNER, language=Language.JAPANESE
            )
            self.person = register.add_person(uow, group_id=self.id, label="母")
        self.who = actor(village, self.owner)

    def next(self) -> int:
        self._made += 1
        return self._made + 1000 * self.id

    def add_person(self) -> object:
        with self.village.app.writing() as uow:
            return register.add_person(uow, group_id=self.id, label="父")

    def add_people(self) -> object:
        with self.village.app.writing() as uow:
            return register.add_people(uow, group_id=self.id, wanted=[NewPerson("祖父")])

    def add_contact(self) -> object:
        number = f"090-0000-{self.next():04}"
        with self.village.app.writing() as uow:
            return register.add_contact(uow, person_id=self.person, channel=ChannelName.SMS, address=number)

    def add_contact_of_member(self) -> object:
        address = f"a{self.next()}@example.jp"
        with self.village.app.writing() as uow:
            return register.add_contact(uow, member_id=self.owner, channel=ChannelName.EMAIL, address=address)

    def add_contacts(self) -> object:
        wanted = [NewContact(ChannelName.SMS, f"090-0000-{self.next():04}", person_id=self.person, is_family=True)]
        with self.village.app.writing() as uow:
            return register.add_contacts(uow, wanted=wanted)

    def add_card(self) -> object:
        label = f"バス{chr(0x3042 + self.next() % 80)}"
        with self.village.app.writing() as uow:
            return cards.add_card(
                uow, person_id=self.person, kind="other", label=label, typed=TypedDates(END.isoformat())
            )

    def add_cards(self) -> object:
        label = f"券{chr(0x3042 + self.next() % 80)}"
        wanted = {self.person: [NewCard("other", TypedDates(END), label)]}
        with self.village.app.writing() as uow:
            return cards.add_cards_of_people(uow, wanted=wanted)

    def add_member(self) -> object:
        email = f"m{self.next()}@example.jp"
        with self.village.app.writing() as uow:
            return register.add_member(uow, group_id=self.id, email=email, role=Role.VIEWER, language=Language.JAPANESE)

    def invite(self) -> object:
        with self.village.app.writing() as uow:
            return membership.invite(uow, who=self.who, email=f"i{self.next()}@example.jp", role=Role.VIEWER)

    def invite_and_take_back(self) -> object:
        with self.village.app.writing() as uow:
            invited = membership.invite(uow, who=self.who, email=f"t{self.next()}@example.jp", role=Role.VIEWER)
            membership.take_back(uow, who=self.who, invitation_id=invited)
        return invited

    def make_token(self) -> object:
        with self.village.app.writing() as uow:
            return api_tokens.make_token(uow, who=self.who, name="表計算", scopes=("read",))

    def make_feed(self) -> object:
        with self.village.app.writing() as uow:
            return feeds.make_feed(uow, member_id=self.owner, is_private=True)

    def send_sheet(self) -> object:
        return begun(self.village, f"{HEAD}\n2{self.next():02},ハナ,2027-11-16,".encode(), self.id)

    def send_sheet_and_cancel(self) -> object:
        sheet = begun(self.village, f"{HEAD}\n2{self.next():02},ハナ,2027-11-16,".encode(), self.id)
        service.cancel_import(self.village.app.units, self.village.now, import_id=sheet.id, by=None)
        return sheet

    def ask(self) -> object:
        contact = self.add_contact()
        with self.village.app.writing() as uow:
            return consent.ask(uow, contact_id=contact, told_by="長女")


Act = Callable[[Family], object]
# What adds to each; a group begins with one member, its contact, and one person.
ADDS: Sequence[tuple[Quota, Act]] = [
    (Quota.PEOPLE, Family.add_person),
    (Quota.PEOPLE, Family.add_people),
    (Quota.CONTACTS, Family.add_contact),
    (Quota.CONTACTS, Family.add_contacts),
    (Quota.CONTACTS, Family.add_contact_of_member),
    (Quota.CONTACTS, Family.add_member),
    (Quota.CONTACTS_OF_PERSON, Family.add_contact),
    (Quota.CONTACTS_OF_PERSON, Family.add_contacts),
    (Quota.CARDS, Family.add_card),
    (Quota.CARDS, Family.add_cards),
    (Quota.MESSAGES_A_DAY, Family.invite),
    (Quota.MESSAGES_A_DAY, Family.ask),
    (Quota.INVITATIONS, Family.invite),
    (Quota.INVITATIONS_A_DAY, Family.invite),
    (Quota.INVITATIONS_A_DAY, Family.invite_and_take_back),
    (Quota.IMPORTS_OPEN, Family.send_sheet),
    (Quota.IMPORTS_A_DAY, Family.send_sheet),
    (Quota.IMPORTS_A_DAY, Family.send_sheet_and_cancel),
    (Quota.TOKENS, Family.make_token),
    (Quota.MEMBERS, Family.add_member),
    (Quota.FEEDS, Family.make_feed),
]
BEGINS_WITH = {Quota.PEOPLE: 1, Quota.CONTACTS: 1, Quota.MEMBERS: 1}
TABLES = (Person, Contact, Card, Message, Invitation, Import, ActivityEntry)


@pytest.fixture
def two(sqlite_url: str, tmp_path: Path):
    with open_village(sqlite_url, tmp_path, "2026-12-01 10:00", two_way_sms=True) as village:
        yield Family(village, "田中家"), Family(village, "他人家")


def rows(village: Village) -> list[int]:
    with village.app.reading() as uow:
        return [uow.tx.query(table).count() for table in TABLES]


def test_every_limit_is_tried() -> None:
    assert {quota for quota, _ in ADDS} == {*Quota}


@pytest.mark.parametrize(("quota", "add"), ADDS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_group_is_refused_beyond_its_limit_and_nothing_is_left_of_it(
    two: tuple[Family, Family], quota: Quota, add: Act
) -> None:
    mine, other = two
    mine.village.limit(mine.id, **{quota: BEGINS_WITH.get(quota, 0) + 2})
    for _ in range(2):
        add(mine)
    before = rows(mine.village)

    with pytest.raises(QuotaReachedError) as refused:
        add(mine)

    assert refused.value.code == f"quota_{quota}"
    after = rows(mine.village)
    if add is Family.ask:
        # The contact had been added before it was asked.
        before = [count + (place in (1, 6)) for place, count in enumerate(before)]
    assert after == before
    for _ in range(3):
        add(other)


@pytest.mark.parametrize("quota", [Quota.MESSAGES_A_DAY, Quota.INVITATIONS_A_DAY, Quota.IMPORTS_A_DAY], ids=str)
def test_a_daily_limit_begins_anew_at_midnight_in_japan(two: tuple[Family, Family], quota: Quota) -> None:
    mine, add = two[0], next(act for known, act in ADDS if known is quota)
    mine.village.limit(mine.id, **{quota: 1})
    add(mine)
    mine.village.sleep_until("2026-12-01 23:59")
    with pytest.raises(QuotaReachedError):
        add(mine)

    mine.village.sleep_until("2026-12-02 00:00")

    add(mine)


def test_one_address_is_invited_few_times_whoever_invites_and_takes_back(two: tuple[Family, Family]) -> None:
    village, sent, refused = two[0].village, 0, set[str]()
    for step in range(30):
        family = two[step % 2]
        try:
            with village.app.writing() as uow:
                invited = membership.invite(uow, who=family.who, email="dareka@example.jp", role=Role.VIEWER)
                membership.take_back(uow, who=family.who, invitation_id=invited)
            sent += 1
        except ConflictError as wrong:
            refused.add(wrong.code)
        village.clock.move_to(village.now + timedelta(minutes=20))

    assert sent <= 5
    assert refused <= {"quota_address_invitations_an_hour", "quota_address_invitations_a_day"}
    with village.app.writing() as uow:
        assert membership.invite(uow, who=two[0].who, email="hoka@example.jp", role=Role.VIEWER)


def test_an_import_that_would_be_too_many_is_refused_before_anything_is_saved(two: tuple[Family, Family]) -> None:
    mine, village = two[0], two[0].village
    sheet = "\n".join([HEAD, *(f"2{n:02},ハナ{'あいうえお'[n]},2027-11-16,090-0000-000{n}" for n in range(5))]).encode()
    for quota, limit in ((Quota.PEOPLE, 5), (Quota.CARDS, 4), (Quota.CONTACTS, 5)):
        village.limit(mine.id, people=40, cards=40, contacts=40)
        village.limit(mine.id, **{quota: limit})
        waiting = checked(village, sheet, mine.id)
        before = rows(village)

        with pytest.raises(QuotaReachedError) as refused:
            start_saving(village, waiting)

        assert (refused.value.code, refused.value.details) == (f"quota_{quota}", {"limit": limit, "adding": 5})
        assert rows(village) == before
        assert found(village, waiting.id).state is ImportState.CHECKED
    village.limit(mine.id, people=40, cards=40, contacts=40)
    start_saving(village, waiting)
    assert service.process_to_end(village.app.units, village.now, import_id=waiting.id).counts.saved == 5


def test_an_import_whose_room_is_taken_meanwhile_waits_for_somebody_to_decide(two: tuple[Family, Family]) -> None:
    mine, village = two[0], two[0].village
    sheet = "\n".join([HEAD, *(f"2{n:02},ハナ{'あいうえお'[n]},2027-11-16," for n in range(3))]).encode()
    village.limit(mine.id, people=4)
    waiting = checked(village, sheet, mine.id)
    start_saving(village, waiting)
    mine.add_person()

    ended = service.process_to_end(village.app.units, village.now, import_id=waiting.id)

    assert ended.state is ImportState.CHECKED
    with village.app.reading() as uow:
        assert [one.label for one in people.of_group(uow.tx, mine.id)] == ["母", "父"]
    village.limit(mine.id, people=9)
    start_saving(village, waiting)
    assert service.process_to_end(village.app.units, village.now, import_id=waiting.id).state is ImportState.SAVED


def test_reminders_beyond_the_day_s_limit_follow_on_the_next_day_and_delay_no_other_group(
    sqlite_url: str, tmp_path: Path
) -> None:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as village:
        for name, labels in (("田中家", "母父"), ("他人家", "祖叔")):
            group = village.group(name=name)
            for place, label in enumerate(labels):
                village.person(label, phone=f"090-0000-{group}{place:03}")
                village.card(label, date(2026, 12, 15))
        village.limit(1, messages_a_day=1)

        village.run_until("2026-12-02 20:00")

        sent = {label: village.texts_to(label) for label in "母父祖叔"}
        assert sorted(sent["母"][:1] + sent["父"][:1]) == ["12-01 09:00", "12-02 09:00"]
        assert [sent["祖"][:1], sent["叔"][:1]] == [["12-01 09:00"]] * 2


@pytest.mark.parametrize(
    ("quota", "add"), [(Quota.PEOPLE, Family.add_person), (Quota.CARDS, Family.add_card)], ids=["people", "cards"]
)
def test_of_several_who_add_at_once_no_more_than_the_limit_do(
    postgres_url: str, tmp_path: Path, quota: Quota, add: Act
) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 10:00") as village:
        mine = Family(village, "田中家")
        limit = BEGINS_WITH.get(quota, 0) + 2
        village.limit(mine.id, **{quota: limit})

        def tried(_: int) -> bool:
            try:
                add(mine)
            except QuotaReachedError:
                return False
            return True

        with ThreadPoolExecutor(6) as six:
            assert sum(six.map(tried, range(6))) == 2


def test_a_home_of_thousands_and_a_group_of_seventy_thousand_cards_are_possible(two: tuple[Family, Family]) -> None:
    home = Family(two[0].village, "見本の里", GroupKind.HOME)
    with home.village.app.writing() as uow:
        wanted = [NewPerson("花子")] * 5000
        assert len(register.add_people(uow, group_id=home.id, wanted=wanted)) == 5000
    limits = home.village.app.rules.quotas.of_groups["home"]
    assert limits[Quota.CARDS] >= 70_000
    assert limits[Quota.CONTACTS] >= 3 * 5000
    assert limits[Quota.MESSAGES_A_DAY] >= 4 * 5000

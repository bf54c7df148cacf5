"""Whom a run tells: invented people whose certificate ends in two weeks, so that each is due one text today."""

from collections.abc import Sequence
from datetime import date

from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Language, Role
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.wiring import App
from tests.village import USER_CERTIFICATE, japan

MORNING = japan("2027-03-17 08:59")  # a Wednesday
END = date(2027, 3, 31)
# What did not reach somebody is told on the days after, until the next rung is due.
LAST_MOMENT = japan("2027-03-23 18:00")
IN_A_GROUP = 20
# 10,000 numbers of each are nobody's.
PREFIXES = ("090-0000", "080-0000", "070-0000")
MOST = 10_000 * len(PREFIXES)


def enrol(app: App, count: int) -> None:
    """Each by the steps that a page takes; a group in one transaction, else it would take longer than the run."""
    assert count <= MOST
    for first in range(0, count, IN_A_GROUP):
        with app.database.as_one():
            _enrol_group(app, range(first, min(first + IN_A_GROUP, count)))


def _enrol_group(app: App, places: Sequence[int]) -> None:
    now = japan("2027-03-17 08:00")
    group = register.add_group(app.database, now, name="組", kind=GroupKind.HOUSEHOLD)
    register.add_member(
        app.database,
        app.keys,
        now,
        group_id=group,
        email=f"kazoku{group}@example.jp",
        role=Role.OWNER,
        language=Language.JAPANESE,
    )
    for place in places:
        person = register.add_person(app.database, now, group_id=group, label="母")
        register.add_contact(
            app.database,
            app.keys,
            now,
            person_id=person,
            channel=ChannelName.SMS,
            address=f"{PREFIXES[place // 10_000]}-{place % 10_000:04}",
            consent_how=ConsentHow.SPOKEN,
            consent_by="長女",
        )
        typed = TypedDates(END.isoformat())
        add_card(app.database, app.rules, now, person_id=person, kind=USER_CERTIFICATE, typed=typed)

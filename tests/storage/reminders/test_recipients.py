"""Who may be told about a person, and how a text speaks to each."""

from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.storage.registry import groups, people
from reminder.storage.reminders import recipients
from tests.storage.conftest import Rows


def test_the_recipients_of_a_person_is_themselves_their_family_and_the_members(rows: Rows) -> None:
    of = rows.group()
    person_id = rows.person(of, mark="つばめ")
    own, family = rows.contact(person_id=person_id), rows.contact(person_id=person_id, is_family=True)
    rows.contact(person_id=person_id, channel=ChannelName.VOICE)
    member = rows.contact(member_id=rows.member(of))
    person, group = people.find(rows.tx, person_id), groups.find(rows.tx, of)
    assert person is not None
    assert group is not None

    recipient_set = recipients.recipient_set_of(rows.tx, person, group, [ChannelName.SMS])

    told = {one.contact_id for one in (*recipient_set.own, *recipient_set.carers)}
    assert told == {own, family, member}
    reader = recipients.reader(recipient_set.own[0], person, Audience.PERSON, group, reply_code=3)
    assert (reader.label, reader.mark, reader.from_, reader.mode, reader.reply_code) == (
        "父",
        "つばめ",
        "田中家",
        Mode.ELDERLY,
        3,
    )

"""The recipients: which contacts are reminded for a person at a step, their own first, then carers, then staff."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reminder.domain.model.channels import Preference
from reminder.domain.model.people import Audience, ChannelName, ContactState, Copies, GroupKind, Language, Role


@dataclass(frozen=True)
class Recipient:
    """A contact as planning sees it, without its address.

    `owner` distinguishes two contacts of one human from those of two humans.
    """

    contact_id: int
    owner: tuple[str, int]  # ("person" | "family" | "member", id); each family contact is a human of its own
    channel: ChannelName
    state: ContactState
    language: Language
    role: Role | None = None  # of a member
    copies: Copies = Copies.ALL  # which of the reminders about others a member wants
    added_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # links to the contact are made of it

    @property
    def may_be_contacted(self) -> bool:
        """Whether messages may go to this contact."""
        return self.state is ContactState.CONFIRMED and self.role is not Role.VIEWER


@dataclass(frozen=True)
class RecipientSet:
    """Everyone who may be reminded for one person, each with one contact."""

    own: tuple[Recipient, ...]
    carers: tuple[Recipient, ...]
    staff: tuple[Recipient, ...]

    def listeners(self) -> Mapping[Audience, tuple[Recipient, ...]]:
        """Return the recipients, by audience."""
        return {Audience.PERSON: self.own, Audience.CARER: self.carers, Audience.STAFF: self.staff}

    def has_nearer(self, audience: Audience) -> bool:
        """Return whether an audience nearer to the person has a recipient."""
        return bool(self.own) or (audience is Audience.STAFF and bool(self.carers))

    def audiences_for(self, audience: Audience) -> frozenset[Audience]:
        """Return the audiences whose steps an audience receives. An empty audience is replaced by the next one."""
        received = {audience}
        if audience is Audience.CARER and not self.own and not self.staff:
            received.add(Audience.PERSON)
        if audience is Audience.STAFF and not self.carers:
            received.add(Audience.CARER)
        return frozenset(received)


def choose_recipients(
    group: GroupKind,
    own_and_family: Sequence[Recipient],
    members: Sequence[Recipient],
    channels: Collection[ChannelName] = (ChannelName.SMS, ChannelName.EMAIL),
) -> RecipientSet:
    """Return who may be reminded for one person. `channels`: the channels in use.

    Members of a household are carers; members of a home are its staff. Members who want no copies come last: the first
    carer of an elderly person is the one who is reminded.
    """
    own = [recipient for recipient in own_and_family if recipient.owner[0] == "person"]
    family = [recipient for recipient in own_and_family if recipient.owner[0] == "family"]
    is_home = group is GroupKind.HOME
    own_order, out = _in_order(channels, lambda one: one.own), _in_order(channels, lambda one: one.carer)
    return RecipientSet(
        own=_one_each(own, own_order),
        carers=_eager_first(_one_each(family if is_home else [*members, *family], out)),
        staff=_eager_first(_one_each(members, out)) if is_home else (),
    )


def _in_order(channels: Iterable[ChannelName], rank: Callable[[Preference], int | None]) -> Sequence[ChannelName]:
    """Return the channels by which somebody may be reached, the preferred one first."""
    ranked = [(at, name) for name in channels if (at := rank(name.can.preference)) is not None]
    return [name for _, name in sorted(ranked, key=lambda row: row[0])]


def _eager_first(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    return tuple(sorted(recipients, key=lambda recipient: list(Copies).index(recipient.copies)))


def _one_each(recipients: Iterable[Recipient], order: Sequence[ChannelName]) -> tuple[Recipient, ...]:
    everyone = list(recipients)
    # A contact who stopped texts is not called instead.
    said_no = {recipient.owner for recipient in everyone if recipient.state is ContactState.OPTED_OUT}
    chosen: dict[tuple[str, int], Recipient] = {}
    for recipient in everyone:
        if not recipient.may_be_contacted or recipient.channel not in order:
            continue
        if recipient.channel.is_call and recipient.owner in said_no:
            continue
        best = chosen.get(recipient.owner)
        if best is None or order.index(recipient.channel) < order.index(best.channel):
            chosen[recipient.owner] = recipient
    return tuple(chosen.values())


def instead_of(
    recipient: Recipient, same_human: Iterable[Recipient], channels: Collection[ChannelName]
) -> tuple[Recipient, ...]:
    """Return the other contacts of this human, in the order of failover."""
    everyone = list(same_human)
    said_no = any(one.state is ContactState.OPTED_OUT for one in everyone)
    may_be_called = recipient.owner[0] == "person" and not said_no
    others = [
        one
        for one in everyone
        if one.may_be_contacted
        and one.contact_id != recipient.contact_id
        and one.channel in channels
        and (may_be_called or not one.channel.is_call)
    ]
    return tuple(sorted(others, key=lambda one: (one.channel.can.preference.instead, one.contact_id)))

"""Commands that keep and list: groups, members, persons, contacts and cards."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.rhythm import OnHolidays, OwnDays, Preset, SendHour, rhythm_row, typed_rhythm
from reminder.cli.say import AsJson, answer, language, rows
from reminder.domain.people import ConsentHow, Copies, GroupKind, Language, Mode, Role
from reminder.errors import NotFoundError, UnknownChoiceError

if TYPE_CHECKING:
    from reminder.domain.rulebook import Rulebook
    from reminder.enrolment.cards import CardAdded


def _kept(parameter: typer.CallbackParam, number: int | None) -> int | None:
    """A number larger than any database keeps is nobody's."""
    if number is not None and abs(number) >= 2**63:
        raise NotFoundError(field=parameter.name)
    return number


Id = Annotated[int, typer.Argument(callback=_kept)]
Group = Annotated[int, typer.Option(callback=_kept)]
OneOf = Annotated[int | None, typer.Option(callback=_kept)]
Yes = Annotated[bool, typer.Option("--yes", help="Take a date that is past, far ahead or unlikely.")]
Computed = Annotated[bool, typer.Option("--computed", help="The date was worked out, not read from the card.")]
Issued = Annotated[str | None, typer.Option(help="The day it was issued, to work out its end or to check it.")]
Born = Annotated[str | None, typer.Option(help="The holder's birth date: used for that, and kept nowhere.")]


def add_to(app: typer.Typer) -> None:
    nouns: tuple[tuple[str, str, dict[str, Callable[..., None]]], ...] = (
        ("group", "Households and care homes.", {"add": add_group, "set": set_group}),
        ("member", "Logins of a group: family carers, staff.", {"add": add_member, "set": set_member}),
        ("person", "Whose cards they are.", {"add": add_person}),
        (
            "contact",
            "Phones and addresses.",
            {
                "add": add_contact,
                "ask": ask_contact,
                "confirm": confirm_contact,
                "practise": practise_contact,
                "reached": reached_contact,
                "stop": stop_contact,
            },
        ),
        (
            "card",
            "Dates at which cards end.",
            {
                "add": add_card,
                "renewed": renew_card,
                "done": done_card,
                "undone": undone_card,
                "take": take_card,
                "retire": retire_card,
            },
        ),
    )
    for name, use, commands in nouns:
        about = f"{use} Example: reminder {name} add --help"
        sub = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
        for command_name, command in commands.items():
            sub.command(command_name)(command)
        app.add_typer(sub, name=name)
    app.command("list")(list_rows)


def add_group(
    name: Annotated[str, typer.Option(help="What its members call it.")],
    kind: Annotated[GroupKind, typer.Option(help="household: members are carers; home: members are staff.")],
    as_json: bool = AsJson,
) -> None:
    """A family or a care home. Example: reminder group add --name 田中家 --kind household"""
    from reminder.cli.opened import opened
    from reminder.enrolment import register

    with opened() as app, app.writing() as uow:
        group_id = register.add_group(uow, name=name, kind=kind)
    answer({"id": group_id}, as_json=as_json, plain=f"group {group_id}")


def set_group(
    group: Id,
    days: OwnDays = None,
    hour: SendHour = None,
    holidays: OnHolidays = None,
    preset: Preset = None,
    organisation: Annotated[str | None, typer.Option(help="Whose home it is, where that has several homes.")] = None,
    as_json: bool = AsJson,
) -> None:
    """How this group wants to be told; what is not given stays as it is, an empty --days "" is taken back.

    Example: reminder group set 1 --days "60 30 7" --hour 10 --no-holidays
    """
    from reminder.cli.opened import opened
    from reminder.enrolment import membership
    from reminder.enrolment import rhythm as rhythms
    from reminder.storage import groups

    with opened() as app, app.writing() as uow:
        if organisation is not None:
            membership.set_organisation(uow, group_id=group, organisation=organisation)
        found = groups.find(uow.tx, group)
        if found is None:
            raise NotFoundError(field="group")
        rhythm = typed_rhythm(found.rhythm, days, hour, holidays, preset)
        rhythms.set_rhythm(uow, group_id=group, rhythm=rhythm)
        named = app.rules.wording.of(language()).section("presets")[rhythm.preset or "usual"]
    row = {**rhythm_row(rhythm), "organisation": found.organisation}
    chosen = " ".join(f"{name}={value}" for name, value in row.items() if value)
    answer({"id": group, **row}, as_json=as_json, plain=f"group {group}: {named} {chosen}".rstrip())


def add_member(
    group: Annotated[int, typer.Option(callback=_kept)],
    email: Annotated[str, typer.Option(help="The address they sign in with and are written to.")],
    role: Annotated[Role, typer.Option()] = Role.OWNER,
    lang: Annotated[
        str, typer.Option(help="ja, ja-easy, en, or a file of yours in config/wording.")
    ] = Language.JAPANESE,
    as_json: bool = AsJson,
) -> None:
    """A family carer or a member of staff. Example: reminder member add --group 1 --email musume@example.jp"""
    from reminder.cli.opened import opened
    from reminder.enrolment import register

    with opened() as app, app.writing() as uow:
        member_id = register.add_member(uow, group_id=group, email=email, role=role, language=app.rules.language(lang))
    answer({"id": member_id}, as_json=as_json, plain=f"member {member_id}")


def set_member(
    member: Id,
    copies: Annotated[
        Copies, typer.Option(help="near: only from 30 days before an end. none: only what needs a hand.")
    ],
    as_json: bool = AsJson,
) -> None:
    """Which reminders about the persons of their group a member gets. Example: reminder member set 1 --copies near"""
    from reminder.cli.opened import opened
    from reminder.enrolment import rhythm as rhythms

    with opened() as app, app.writing() as uow:
        rhythms.set_copies(uow, member_id=member, copies=copies)
    answer({"id": member, "copies": copies}, as_json=as_json, plain=f"member {member} gets copies: {copies}")


def add_person(
    group: Annotated[int, typer.Option(callback=_kept)],
    label: Annotated[str, typer.Option(help="What the family calls them, at most 20 characters: 母, 花子さん.")],
    mode: Annotated[Mode | None, typer.Option(help="Default: home in a care home, else standard.")] = None,
    lang: Annotated[
        str, typer.Option(help="ja, ja-easy, en, or a file of yours in config/wording.")
    ] = Language.JAPANESE,
    mark: Annotated[str | None, typer.Option(help="The family's mark word, shown in every text.")] = None,
    ref: Annotated[str | None, typer.Option(help="Your own number for them.")] = None,
    room: Annotated[str | None, typer.Option(help="Where they live in a home.")] = None,
    unit: Annotated[str | None, typer.Option(help="Its floor or unit.")] = None,
    office: Annotated[str | None, typer.Option(help="市役所, 区役所, 町役場 or 村役場.")] = None,
    insurance: Annotated[
        bool, typer.Option("--insurance/--no-insurance", help="Uses the card as a health-insurance card.")
    ] = True,
    as_json: bool = AsJson,
) -> None:
    """Whose card it is. Example: reminder person add --group 1 --label 母 --mode elderly --mark つばめ"""
    from reminder.cli.opened import opened
    from reminder.enrolment import register

    with opened() as app, app.writing() as uow:
        person_id = register.add_person(
            uow,
            group_id=group,
            label=label,
            mode=mode,
            language=app.rules.language(lang),
            mark=mark,
            reference=ref,
            room=room,
            unit=unit,
            office=office,
            insurance=insurance,
        )
    answer({"id": person_id}, as_json=as_json, plain=f"person {person_id}")


def add_contact(
    channel: Annotated[str, typer.Option(help="sms, email, voice …: `reminder channels` lists them.")],
    address: Annotated[str, typer.Option(help="A phone number or an e-mail address.")],
    person: Annotated[int | None, typer.Option(help="Whose it is, or", callback=_kept)] = None,
    member: Annotated[int | None, typer.Option(help="which member's it is.", callback=_kept)] = None,
    family: Annotated[bool, typer.Option("--family", help="It belongs to a relative of the person.")] = False,
    consent: Annotated[
        ConsentHow | None, typer.Option(help="How its owner agreed; without it nothing is sent.")
    ] = None,
    consent_by: Annotated[str | None, typer.Option(help="Who asked them, in a word or two: 長女, 事務.")] = None,
    as_json: bool = AsJson,
) -> None:
    """A phone or address.

    Example: reminder contact add --person 1 --channel sms --address 090-0000-0001 --consent spoken --consent-by 長女
    """
    from reminder.channels.registry import channel_named
    from reminder.cli.opened import opened
    from reminder.enrolment import register

    named = channel_named(channel)
    with opened() as app, app.writing() as uow:
        contact_id = register.add_contact(
            uow,
            channel=named,
            address=address,
            person_id=person,
            member_id=member,
            is_family=family,
            consent_how=consent,
            consent_by=consent_by,
        )
    lines = [f"contact {contact_id}"]
    if person is not None and not family and named.can.counts_segments:
        # From which number texts come, and how to check them, belongs beside the telephone before the first one.
        lines.append(f"reminder print welcome --person {person} --out welcome.html")
    answer({"id": contact_id}, as_json=as_json, plain="\n".join(lines))


def confirm_contact(
    contact: Id,
    consent: Annotated[ConsentHow, typer.Option(help="How its owner agreed.")],
    consent_by: Annotated[str, typer.Option(help="Who asked them, in a word or two: 長女, 事務.")],
    as_json: bool = AsJson,
) -> None:
    """Its owner has agreed, or can be reached again.

    Example: reminder contact confirm 3 --consent spoken --consent-by 長女
    """
    from reminder.cli.opened import opened
    from reminder.enrolment import consent as consents

    with opened() as app, app.writing() as uow:
        consents.confirm(uow, contact_id=contact, how=consent, said_by=consent_by)
    answer({"id": contact, "state": "confirmed"}, as_json=as_json, plain=f"contact {contact} is told again")


def ask_contact(
    contact: Id,
    told_by: Annotated[str, typer.Option(help="Who has told them of it, in a word or two: 長女, 事務.")],
    as_json: bool = AsJson,
) -> None:
    """Asks its owner by a text whether they want to be told; needs texts that can be answered (SMS_REPLIES).

    The family tells them first. Example: reminder contact ask 3 --told-by 長女
    """
    from reminder.cli.opened import opened
    from reminder.enrolment import consent

    with opened() as app, app.writing() as uow:
        sent_at = consent.ask(uow, contact_id=contact, told_by=told_by)
    answer(
        {"id": contact, "sent_at": sent_at}, as_json=as_json, plain=f"contact {contact} is asked at {sent_at:%F %R} UTC"
    )


def practise_contact(contact: Id, as_json: bool = AsJson) -> None:
    """A practice call, with somebody of the family beside them; only after it are keys offered in calls.

    Example: reminder contact practise 3
    """
    from reminder.cli.opened import opened
    from reminder.enrolment import consent

    with opened() as app, app.writing() as uow:
        rings_at = consent.practise(uow, contact_id=contact)
    plain = f"contact {contact} is called at {rings_at:%F %R} UTC"
    answer({"id": contact, "rings_at": rings_at}, as_json=as_json, plain=plain)


def reached_contact(contact: Id, as_json: bool = AsJson) -> None:
    """Somebody has made sure that it is still theirs. Example: reminder contact reached 3"""
    from reminder.cli.opened import opened
    from reminder.enrolment import consent

    with opened() as app, app.writing() as uow:
        consent.reached(uow, contact_id=contact)
    answer({"id": contact, "state": "reached"}, as_json=as_json, plain=f"contact {contact} is still theirs")


def stop_contact(contact: Id, as_json: bool = AsJson) -> None:
    """Its owner wants no more texts. Example: reminder contact stop 3"""
    from reminder.cli.opened import opened
    from reminder.enrolment import consent

    with opened() as app, app.writing() as uow:
        consent.stop(uow, contact_id=contact)
    answer({"id": contact, "state": "opted_out"}, as_json=as_json, plain=f"contact {contact} is told nothing more")


def add_card(
    person: Annotated[int, typer.Option(callback=_kept)],
    kind: Annotated[str, typer.Option(help="One of `reminder kinds`.")],
    expires: Annotated[
        str | None, typer.Option(help="The last valid day, as typed: 令和9年2月20日, 2027-02-20.")
    ] = None,
    issued: Issued = None,
    born: Born = None,
    label: Annotated[str | None, typer.Option(help="For the kind `other`: what you call it.")] = None,
    yes: Yes = False,
    computed: Computed = False,
    as_json: bool = AsJson,
) -> None:
    """When a card or certificate ends; where no date stands on it, the end is worked out from --issued and --born.

    Example: reminder card add --person 1 --kind mynumber_card --expires 2031-11-14
    """
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import TypedDates
    from reminder.enrolment.cards import add_card as add

    with opened() as app:
        with app.writing() as uow:
            added = add(
                uow,
                person_id=person,
                kind=kind,
                typed=TypedDates(expires, issued, born, is_computed=computed),
                label=label,
                confirmed=yes,
            )
        _answer_card(app.rules, added, as_json=as_json, person_id=person)


def renew_card(card: Id, expires: Annotated[str | None, typer.Option()] = None, issued: Issued = None,
               born: Born = None, yes: Yes = False, computed: Computed = False, as_json: bool = AsJson,
) -> None:  # fmt: skip
    """The card has a new date. Example: reminder card renewed 4 --expires 2032-02-20"""
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import TypedDates
    from reminder.enrolment.cards import renew_card as renew

    with opened() as app:
        with app.writing() as uow:
            renewed = renew(
                uow,
                card_id=card,
                typed=TypedDates(expires, issued, born, is_computed=computed),
                confirmed=yes,
            )
        _answer_card(app.rules, renewed, as_json=as_json)


def _answer_card(rules: "Rulebook", card: "CardAdded", *, as_json: bool, person_id: int | None = None) -> None:
    """With what belongs to it: cards to register too, and those whose new dates are asked for."""
    from reminder.domain.dates import in_both_calendars

    words = rules.wording.of(language())
    shown = words.section("shown")
    worked_out = shown["worked_out"] if card.is_computed else ""
    lines = [f"card {card.id}: {in_both_calendars(card.expires_on)}{worked_out}; next reminder {card.next_reminder_on}"]
    for offer in card.offers:
        day = "…" if offer.expires_on is None else offer.expires_on.isoformat()
        command = f"reminder card add --person {person_id} --kind {offer.kind} --expires {day}"
        lines.append(shown["offer"].format(name=words.kinds[offer.kind]["name"], command=command))
    asks = [{"card": one.id, "kind": one.kind, "expires_on": one.expires_on,
             "why": words.kinds[one.kind].get("carrier_renewed", "")} for one in card.asks]  # fmt: skip
    lines += [f"{one['why']} reminder card renewed {one['card']} --expires …" for one in asks]
    answer(
        {
            "id": card.id,
            "expires_on": card.expires_on,
            "computed": card.is_computed,
            "next_reminder_on": card.next_reminder_on,
            "offers": [{"kind": offer.kind, "expires_on": offer.expires_on} for offer in card.offers],
            "asks": asks,
        },
        as_json=as_json,
        plain="\n".join(lines),
    )


def done_card(card: Id, as_json: bool = AsJson) -> None:
    """It is renewed, and the new date is not at hand: silence until it is asked for. Example: reminder card done 4"""
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import say_done

    with opened() as app, app.writing() as uow:
        say_done(uow, card_id=card)
    answer({"id": card, "state": "done"}, as_json=as_json, plain=f"card {card} is done; its new date is asked for")


def undone_card(card: Id, as_json: bool = AsJson) -> None:
    """It was not renewed after all: reminders go on. Example: reminder card undone 4"""
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import say_not_done

    with opened() as app, app.writing() as uow:
        say_not_done(uow, card_id=card)
    answer({"id": card, "state": "open"}, as_json=as_json, plain=f"card {card} is told of again")


def take_card(
    card: Id,
    contact: Annotated[int, typer.Option(help="By which they are told: a relative's or a member's.", callback=_kept)],
    as_json: bool = AsJson,
) -> None:
    """Somebody of the family or the home sees to it; the others are not asked any more.

    Example: reminder card take 4 --contact 1
    """
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import take_card as take

    with opened() as app, app.writing() as uow:
        take(uow, card_id=card, contact_id=contact)
    answer({"id": card, "taken_by": contact}, as_json=as_json, plain=f"card {card} is taken by contact {contact}")


def retire_card(card: Id, as_json: bool = AsJson) -> None:
    """Nothing more is told of this card. Example: reminder card retire 4"""
    from reminder.cli.opened import opened
    from reminder.enrolment.cards import retire_card as retire

    with opened() as app, app.writing() as uow:
        retire(uow, card_id=card)
    answer({"id": card, "state": "retired"}, as_json=as_json, plain=f"card {card} is told of no more")


def list_rows(
    what: Annotated[str, typer.Argument(metavar="groups|people|contacts|cards|reminders|messages|replies")],
    group: Annotated[int | None, typer.Option(callback=_kept)] = None,
    state: Annotated[str | None, typer.Option(help="Of contacts, cards, reminders, messages or replies.")] = None,
    as_json: bool = AsJson,
) -> None:
    """What is kept. Example: reminder list messages --state undelivered --json"""
    from reminder.cli.lists import LISTS, STATES
    from reminder.cli.opened import opened
    from reminder.storage import groups

    if what not in LISTS:
        raise UnknownChoiceError(field="list", choices=list(LISTS))
    if state is not None and what in STATES and state not in STATES[what]:
        raise UnknownChoiceError(field="state", choices=STATES[what])
    with opened() as app, app.reading() as uow:
        if group is not None and groups.find(uow.tx, group) is None:
            raise NotFoundError(field="group")
        rows(LISTS[what](app, uow.tx, group, state), as_json=as_json)

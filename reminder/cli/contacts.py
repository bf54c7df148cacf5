"""Commands for contacts."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Id, storable_id
from reminder.cli.output import AsJson, print_answer
from reminder.domain.model.people import ConsentHow

if TYPE_CHECKING:
    pass


def add_contact(
    channel: Annotated[str, typer.Option(help="sms, email, voice …: `reminder channels` lists them.")],
    address: Annotated[str, typer.Option(help="A phone number or an e-mail address.")],
    person: Annotated[int | None, typer.Option(help="Whose it is, or", callback=storable_id)] = None,
    member: Annotated[int | None, typer.Option(help="which member's it is.", callback=storable_id)] = None,
    family: Annotated[bool, typer.Option("--family", help="It belongs to a relative of the person.")] = False,
    consent: Annotated[
        ConsentHow | None, typer.Option(help="How its owner agreed; without it nothing is sent.")
    ] = None,
    consent_by: Annotated[str | None, typer.Option(help="Who asked them, in a word or two: 長女, 事務.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Add a phone or address.

    Example: reminder contact add --person 1 --channel sms --address 090-0000-0001 --consent spoken --consent-by 長女
    """
    from reminder.channels.registry import channel_named
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import register

    named = channel_named(channel)
    with opened_app() as app, app.writing() as uow:
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
        # The number that texts come from, and how to check them, should be beside the telephone before the first one.
        lines.append(f"reminder print welcome --person {person} --out welcome.html")
    print_answer({"id": contact_id}, as_json=as_json, plain="\n".join(lines))


def confirm_contact(
    contact: Id,
    consent: Annotated[ConsentHow, typer.Option(help="How its owner agreed.")],
    consent_by: Annotated[str, typer.Option(help="Who asked them, in a word or two: 長女, 事務.")],
    as_json: bool = AsJson,
) -> None:
    """Record that its owner has agreed, or can be reached again.

    Example: reminder contact confirm 3 --consent spoken --consent-by 長女
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent as consents

    with opened_app() as app, app.writing() as uow:
        consents.confirm(uow, contact_id=contact, how=consent, said_by=consent_by)
    print_answer({"id": contact, "state": "confirmed"}, as_json=as_json, plain=f"contact {contact} gets messages again")


def ask_contact(
    contact: Id,
    told_by: Annotated[str, typer.Option(help="Who has announced it to them, in a word or two: 長女, 事務.")],
    as_json: bool = AsJson,
) -> None:
    """Ask its owner by a text whether they want messages; needs texts that can be answered (TWO_WAY_SMS).

    The family tells them first.

    Example: reminder contact ask 3 --told-by 長女
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent
    from reminder.storage.auth.signed_links import SignedLinks

    with opened_app() as app, app.writing() as uow:
        links = SignedLinks(app.keys, app.settings.public_url)
        sent_at = consent.ask(uow, contact_id=contact, told_by=told_by, links=links)
    print_answer(
        {"id": contact, "sent_at": sent_at}, as_json=as_json, plain=f"contact {contact} is asked at {sent_at:%F %R} UTC"
    )


def call_contact_as_test(contact: Id, as_json: bool = AsJson) -> None:
    """Make a test call, with somebody of the family beside them; only after it are keys offered in calls.

    Example: reminder contact test-call 3
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent

    with opened_app() as app, app.writing() as uow:
        rings_at = consent.make_test_call(uow, contact_id=contact)
    plain = f"contact {contact} is called at {rings_at:%F %R} UTC"
    print_answer({"id": contact, "rings_at": rings_at}, as_json=as_json, plain=plain)


def verify_contact(contact: Id, as_json: bool = AsJson) -> None:
    """Record that somebody has made sure that the contact is still theirs.

    Example: reminder contact verify 3
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent

    with opened_app() as app, app.writing() as uow:
        consent.verify(uow, contact_id=contact)
    print_answer({"id": contact, "state": "reached"}, as_json=as_json, plain=f"contact {contact} is still theirs")


def stop_contact(contact: Id, as_json: bool = AsJson) -> None:
    """Stop a contact, because its owner wants no more texts.

    Example: reminder contact stop 3
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent

    with opened_app() as app, app.writing() as uow:
        consent.stop(uow, contact_id=contact)
    print_answer(
        {"id": contact, "state": "opted_out"}, as_json=as_json, plain=f"contact {contact} gets no more messages"
    )


def stop_number(
    number: Annotated[str, typer.Argument(help="A telephone number, in any spelling.")], as_json: bool = AsJson
) -> None:
    """Stop all that is sent to a telephone, in every group, because its owner has told you so.

    It outlives the contacts: who enters the number later cannot write to it either. Where texts cannot be answered,
    this is the owner's "stop".

    Example: reminder contact stop-number 090-0000-0009
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import consent

    with opened_app() as app, app.writing() as uow:
        count = consent.stop_number(uow, number=number)
    print_answer({"stopped": count}, as_json=as_json, plain=f"{count} contacts get no more messages")

"""Addresses of pages that only we can make."""

from datetime import timedelta

import pytest

from reminder.errors import NotFoundError
from reminder.storage.auth import signed_links
from reminder.storage.auth.signed_links import AGREE, ASSIGN, STOP, VERIFY, LinkTarget, SignedLinks
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.crypto.references import References
from reminder.storage.db.tables import Contact
from tests.storage.conftest import DAY, NOW, Rows

URL = "https://example.jp"


def named_by(page: str | None, act: str) -> str:
    """What follows the act in an address."""
    assert page is not None
    return page.removeprefix(f"{URL}/{act}/")


def test_each_link_acts_for_its_contact_alone_and_on_its_page_alone(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()))
    ours = SignedLinks(rows.keys, URL, in_carer_mail=True)
    links = {
        STOP: named_by(ours.stop(contact, NOW), STOP),
        ASSIGN: named_by(ours.take(3, contact, NOW), ASSIGN),
        VERIFY: named_by(ours.reached(contact, NOW), VERIFY),
        AGREE: named_by(ours.agree(contact, NOW), AGREE),
    }

    found = {act: signed_links.target(rows.tx, rows.keys, act, link) for act, link in links.items()}

    assert found == {act: LinkTarget(contact, 3 if act == ASSIGN else None) for act in links}
    assert not any(character.isdigit() for link in links.values() for character in link), "no id leaves the house"
    others = [(act, link) for act in links for of, link in links.items() if of != act]
    for act, link in [*others, *((act, link[:-1]) for act, link in links.items())]:
        with pytest.raises(NotFoundError):
            signed_links.target(rows.tx, rows.keys, act, link)
    for act, link in links.items():
        with pytest.raises(NotFoundError):
            signed_links.target(rows.tx, read_keys([new_key()]), act, link)
    assert ours.months() == f"{URL}/months"


def test_the_link_of_a_contact_that_is_gone_never_acts_for_a_later_one_with_its_id(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()))
    link = named_by(SignedLinks(rows.keys, URL).stop(contact, NOW), STOP)

    rows.change(Contact, contact, created_at=NOW + DAY)

    with pytest.raises(NotFoundError):
        signed_links.target(rows.tx, rows.keys, STOP, link)


@pytest.mark.parametrize(("act", "about"), [(STOP, "{0}"), (VERIFY, "{0}"), (ASSIGN, "3/{0}")])
def test_a_link_from_before_references_acts_for_what_was_there_then_and_for_nothing_later(
    rows: Rows, act: str, about: str
) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()))
    signed = about.format(contact)
    old = f"{signed}/{rows.keys.sign(signed, act)}"
    ring = rows.keys.referring_by(References("secret", NOW))

    assert signed_links.target(rows.tx, ring, act, old) == LinkTarget(contact, 3 if act == ASSIGN else None)
    for wrong in (old[:-1], f"{signed}/", f"{signed}/{rows.keys.sign(signed, 'other')}", f"9{old}"):
        with pytest.raises(NotFoundError):
            signed_links.target(rows.tx, ring, act, wrong)
    rows.change(Contact, contact, created_at=NOW + timedelta(seconds=1))
    with pytest.raises(NotFoundError):
        signed_links.target(rows.tx, ring, act, old)
    with pytest.raises(NotFoundError):
        signed_links.target(rows.tx, rows.keys, act, old)


def test_where_bounces_come_in_names_nobody_and_is_known_by_its_mark(keys: KeyRing) -> None:
    page = SignedLinks(keys, URL).bounces()

    assert page is not None
    assert signed_links.bounces_mark(keys) == page.rpartition("/")[2]
    assert signed_links.is_bounces_mark(keys, page.rpartition("/")[2])
    assert not signed_links.is_bounces_mark(keys, "guess")


def test_no_page_is_named_without_an_address_nor_in_mail_where_the_operator_forbids_it(keys: KeyRing) -> None:
    nowhere, careful = SignedLinks(keys, None, in_carer_mail=True), SignedLinks(keys, URL)

    none = [nowhere.stop(7, NOW), nowhere.take(3, 7, NOW), nowhere.reached(7, NOW), nowhere.months(), nowhere.bounces()]
    assert none == [None] * 5
    assert [careful.take(3, 7, NOW), careful.reached(7, NOW), careful.months()] == [None] * 3
    assert careful.stop(7, NOW) is not None


def test_the_return_path_of_each_message_is_its_own() -> None:
    path = signed_links.return_path_of("bounces@example.jp")

    assert path("a" * 45) == f"bounces+{'a' * 45}@example.jp"

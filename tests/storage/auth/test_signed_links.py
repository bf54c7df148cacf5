"""Addresses of pages that only we can make."""

import pytest

from reminder.errors import NotFoundError
from reminder.storage.auth import signed_links
from reminder.storage.auth.signed_links import AGREE, ASSIGN, STOP, VERIFY, SignedLinks
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys

URL = "https://example.jp"


def mark_of(page: str | None) -> str:
    assert page is not None
    return page.rpartition("/")[2]


def test_each_page_has_a_mark_that_holds_for_it_alone(keys: KeyRing) -> None:
    ours = SignedLinks(keys, URL, in_carer_mail=True)

    signed_links.require_mark(keys, STOP, "7", mark_of(ours.stop(7)))
    signed_links.require_mark(keys, ASSIGN, "3/7", mark_of(ours.take(3, 7)))
    signed_links.require_mark(keys, VERIFY, "7", mark_of(ours.reached(7)))
    signed_links.require_mark(keys, AGREE, "7", mark_of(ours.agree(7)))
    with pytest.raises(NotFoundError):
        signed_links.require_mark(keys, STOP, "8", mark_of(ours.stop(7)))
    with pytest.raises(NotFoundError):
        signed_links.require_mark(read_keys([new_key()]), STOP, "7", mark_of(ours.stop(7)))
    assert ours.months() == f"{URL}/months"


def test_where_bounces_come_in_names_nobody_and_is_known_by_its_mark(keys: KeyRing) -> None:
    page = SignedLinks(keys, URL).bounces()

    assert signed_links.bounces_mark(keys) == mark_of(page)
    assert signed_links.is_bounces_mark(keys, mark_of(page))
    assert not signed_links.is_bounces_mark(keys, "guess")


def test_no_page_is_named_without_an_address_nor_in_mail_where_the_operator_forbids_it(keys: KeyRing) -> None:
    nowhere, careful = SignedLinks(keys, None, in_carer_mail=True), SignedLinks(keys, URL)

    assert [nowhere.stop(7), nowhere.take(3, 7), nowhere.reached(7), nowhere.months(), nowhere.bounces()] == [None] * 5
    assert [careful.take(3, 7), careful.reached(7), careful.months()] == [None] * 3
    assert careful.stop(7) is not None
    assert nowhere.agree(7) is None
    assert careful.agree(7) is not None


def test_the_return_path_of_each_message_is_its_own(keys: KeyRing) -> None:
    path = signed_links.return_path_of(keys, "bounces@example.jp")

    assert path(1) != path(2)
    assert path(1) == signed_links.return_path_of(keys, "bounces@example.jp")(1)
    assert path(1).endswith("@example.jp")

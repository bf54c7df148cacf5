"""Telephone numbers and e-mail addresses as people write them."""

import codecs
import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing import addresses
from reminder.domain.parsing.addresses import (
    Phone,
    PhoneKind,
    read_email,
    read_line_id,
    read_phone,
    read_sms_number,
    read_voice_number,
    shown,
)
from reminder.errors import AddressError, ForbiddenNumberError

CASES = Path(__file__).parents[2] / "data" / "phone_numbers_jp.csv"

# The table leaves 050 and foreign numbers to us: refused for texts, everywhere.
REFUSED = {"reject", "policy"}


def cases(*outcomes: str) -> list:
    with CASES.open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(codecs.decode(row["input_unicode_escape"], "unicode_escape"), row["e164"], id=row["reason"])
            for row in csv.DictReader(file)
            if row["expect"] in outcomes
        ]


@pytest.mark.parametrize(("text", "e164"), cases("accept"))
def test_a_mobile_number_is_taken_in_any_of_these_spellings(text, e164):
    assert read_sms_number(text) == e164


@pytest.mark.parametrize(("text", "e164"), cases(*REFUSED))
def test_a_number_that_cannot_be_texted_is_refused_for_a_reason_that_does_not_repeat_it(text, e164):
    refused = refusal(read_sms_number, text)

    assert refused.code.startswith("phone_")
    assert not any(digits in str(refused) for digits in ("1234", "555", "0123"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "phone_unreadable"),
        ("なし", "phone_unreadable"),
        ("090-0000-00", "phone_unreadable"),
        ("09O-0000-0001", "phone_unreadable"),
        ("070-0123-4567", "phone_unreadable"),
        ("0" * 500, "phone_unreadable"),
        ("03-0000-0001", "phone_landline"),
        ("050-0000-0001", "phone_ip"),
        ("0800-000-0000", "phone_tollfree"),
        ("0120-000-000", "phone_tollfree"),
        ("020-4123-4567", "phone_pager"),
        ("0990-123-456", "phone_premium"),
        ("0570-000-000", "phone_premium"),
        ("+1 202-555-0104", "phone_foreign"),
        ("010-1-202-555-0104", "phone_foreign"),
        ("119", "phone_emergency"),
        ("１１０", "phone_emergency"),
        ("090-0000-0001 / 03-0000-0001", "phone_two_numbers"),
        ("090-0000-0001、090-0000-0002", "phone_two_numbers"),
        ("090-0000-0001 090-0000-0002", "phone_two_numbers"),
        ("9.01235E+09", "phone_digits_lost"),
        ("9E9", "phone_digits_lost"),
    ],
)
def test_each_refusal_says_what_is_wrong(text, code):
    assert refusal(read_sms_number, text).code == code


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("090-0000-0001", Phone("+819000000001", PhoneKind.MOBILE)),
        ("03-0000-0001", Phone("+81300000001", PhoneKind.LANDLINE)),
        ("050-0000-0001", Phone("+815000000001", PhoneKind.IP)),
        ("9000000126", Phone("+819000000126", PhoneKind.MOBILE)),
    ],
)
def test_numbers_nobody_has_are_taken_for_practice(text, phone):
    assert read_phone(text) == phone


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("090-0000-0001", "+819000000001"),
        ("（０３）００００ー０００１", "+81300000001"),
        ("06-1234-5678", "+81612345678"),
        ("050-1234-5678", "+815012345678"),
    ],
)
def test_mobiles_landlines_and_050_can_be_called(text, e164):
    assert read_voice_number(text) == e164


@pytest.mark.parametrize("text", ["0120-000-000", "110", "+82 10-1234-5678", "0990-123-456"])
def test_what_costs_or_alarms_somebody_is_not_called(text):
    refusal(read_voice_number, text)


@pytest.mark.parametrize(
    ("text", "address", "why"),
    [
        ("hana@example.jp", "hana@example.jp", "plain"),
        (" hana@example.jp\r\n", "hana@example.jp", "white space around"),
        ("\u200bhana@example.jp", "hana@example.jp", "an invisible character"),
        ("ｈａｎａ＠ｅｘａｍｐｌｅ．ｊｐ", "hana@example.jp", "full width"),
        ("Hana@EXAMPLE.JP", "Hana@example.jp", "only the domain does not care about capitals"),
        ("hana+card@example.jp", "hana+card@example.jp", "a tagged address"),
        ("foo..bar@docomo.ne.jp", "foo..bar@docomo.ne.jp", "an old carrier's shape"),
        ("foo.@EZWEB.ne.jp", "foo.@ezweb.ne.jp", "the other one's"),
        ("hana@見本.jp", "hana@xn--8pvz87e.jp", "a Japanese domain, as mail servers know it"),
        ("花 <hana@example.jp>", "hana@example.jp", "a name with it, as an address book copies it"),
        ('"田中 花子" <hana@example.jp>', "hana@example.jp", "a name in quotes"),
        ("<hana@example.jp>", "hana@example.jp", "in brackets"),
        ("田中＜ｈａｎａ＠ｅｘａｍｐｌｅ．ｊｐ＞", "hana@example.jp", "the same in full width"),
        ("mailto:hana@example.jp", "hana@example.jp", "a link"),
        ("MAILTO:hana%2Bcard@example.jp?subject=x", "hana+card@example.jp", "a link with more in it"),
        ('"foo..bar"@docomo.ne.jp', "foo..bar@docomo.ne.jp", "as other services teach to write it"),
        ('mailto:"foo."@ezweb.ne.jp', "foo.@ezweb.ne.jp", "both"),
        ('"hana"@example.jp', "hana@example.jp", "needless quotes"),
    ],
)
def test_an_email_address_is_taken(text, address, why):
    assert read_email(text) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("hana", "no domain"),
        ("hana@localhost", "no domain of the world"),
        ("hana@example.jp\nBcc: all@example.jp", "a header is smuggled in"),
        ("hana@example.jp\r\n\r\nbody", "a body is smuggled in"),
        ("hana\r@docomo.ne.jp", "a line break in an old carrier's shape"),
        ("foo..bar@docomo.ne.jp\nBcc: all@example.jp", "a header after an old carrier's shape"),
        ("foo..bar@example.jp", "that shape was only ever given out by two carriers"),
        ("foo.@docomo.ne.jp.example.jp", "looks like the carrier's domain"),
        (".foo@docomo.ne.jp", "no carrier gave that out"),
        ("taro@example.jp <hana@example.jp>", "two addresses, of which one is a name"),
        ("花 <hana@example.jp> 太郎 <taro@example.jp>", "two addresses with names"),
        ("花 <hana@example.jp", "a bracket that does not close"),
        ('"foo..bar"@example.jp', "that shape in quotes elsewhere"),
        ("mailto:hana@example.jp%0D%0ABcc:all@example.jp", "a header in a link"),
        ("mailto:hana@example.jp,taro@example.jp", "a link with two addresses"),
        ("hana@example.jp, taro@example.jp", "two addresses"),
        ('"a b"@example.jp', "quoted"),
        ("花@example.jp", "few servers take it"),
        ("hana@[127.0.0.1]", "a machine's number"),
        ("a" * 300 + "@example.jp", "too long"),
    ],
)
def test_an_email_address_is_refused(text, why):
    refused = refusal(read_email, text)

    assert refused.code == "email_unreadable"
    assert "example" not in str(refused)


@pytest.mark.parametrize("digits", ["1" * 12, "１" * 12, ".".join(["1" * 4] * 3)])
def test_twelve_digits_before_the_at_are_a_number_and_not_a_name(digits):
    with pytest.raises(ForbiddenNumberError) as refused:
        read_email(f"{digits}@example.jp")

    assert digits not in str(refused.value)


def test_a_phone_number_or_a_year_before_the_at_is_a_name():
    assert read_email("09000000001@docomo.ne.jp") == "09000000001@docomo.ne.jp"
    assert read_email("taro19450301@example.jp") == "taro19450301@example.jp"


def test_a_refusal_names_the_field_it_was_given():
    with pytest.raises(AddressError) as refused:
        read_sms_number("03-0000-0001", field="携帯電話")

    assert refused.value.field == "携帯電話"


@given(st.text() | st.text("0123456789+-() .@/、eE０９ー〇　\n", max_size=40))
def test_no_text_of_any_kind_does_worse_than_be_refused(text):
    for read in (read_sms_number, read_voice_number, read_email):
        try:
            address = read(text)
        except (AddressError, ForbiddenNumberError):
            continue
        assert address.isascii()
        assert address.isprintable()
        assert " " not in address


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("+819000000001", "090-****-0001"),
        ("+815000000001", "050-****-0001"),
        ("+81300000001", "****-0001"),
        ("hana@example.jp", "h***@example.jp"),
    ],
)
def test_a_list_shows_too_little_to_reach_anyone(address, masked):
    assert shown(address) == masked


def refusal(read, text: str) -> AddressError:
    with pytest.raises(AddressError) as refused:
        read(text)
    return refused.value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hana@example.jp", "hana@example.jp"),
        ("hana@EXAMPLE.JP", "hana@example.jp"),
        ("HANA.T+x@Example.jp", "hana.t+x@example.jp"),
        ("hana@日本語.jp", "hana@xn--wgv71a119e.jp"),
        ("hana@xn--wgv71a119e.jp", "HANA@XN--WGV71A119E.JP"),
        ("hana@example.jp.", "hana@example.jp"),
    ],
)
def test_spellings_of_one_address_have_one_identity(one: str, other: str) -> None:
    assert addresses.address_identity(one) == addresses.address_identity(other)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("hana+a@example.jp", "hana@example.jp", "elsewhere it may be another mailbox"),
        ("ha.na@gmail.com", "hana@gmail.com", "an identity is not a guess"),
        ("hana@example.jp", "hana@example.com", "another domain"),
    ],
)
def test_what_may_be_two_mailboxes_has_two_identities(one: str, other: str, why: str) -> None:
    assert addresses.address_identity(one) != addresses.address_identity(other), why


@pytest.mark.parametrize("address", ["+819000000001", "U" + "0a" * 16])
def test_what_is_no_e_mail_address_is_its_own_identity(address: str) -> None:
    assert addresses.address_identity(address) == addresses.mailbox_of(address) == address


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("Hana+kigen@Example.jp", "hana@example.jp"),
        ("ha.na@example.jp", "ha.na@example.jp"),
        ("Ha.Na+a+b@gmail.com", "hana@gmail.com"),
        ("hana@googlemail.com", "hana@gmail.com"),
        ("+hana@example.jp", "+hana@example.jp"),
        ("...@gmail.com", "...@gmail.com"),
    ],
)
def test_limits_count_what_reaches_one_mailbox_together(address: str, mailbox: str) -> None:
    assert addresses.mailbox_of(address) == mailbox


def test_an_id_of_line_that_is_a_short_number_with_zeros_before_it_is_taken() -> None:
    for place in (*range(200), 16**5):
        assert read_line_id(f"U{place:032x}") == f"U{place:032x}"


def test_a_my_number_in_an_id_of_line_is_refused_also_behind_zeros() -> None:
    for written in ("493827160454" + "a" * 20, "0" * 20 + "493827160454"):
        with pytest.raises(ForbiddenNumberError):
            read_line_id(f"U{written}")

"""Parsers of telephone numbers and e-mail addresses: typed text becomes the one stored form, or is refused.

Texts go to Japanese mobile numbers only: most 050 telephones cannot receive them, and foreign ones cost much and are
used for fraud. Calls go to mobiles, landlines and 050. No refusal holds the address.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

import phonenumbers
from email_validator import validate_email
from phonenumbers import PhoneNumberType

from reminder.errors import AddressError, ForbiddenNumberError
from reminder.guard.numbers import long_number, number_in_random_id

FIELD = "address"
JAPAN_CODE = 81

# Above any telephone number with its punctuation, and above the limit of RFC 5321 for an e-mail address.
LONGEST_PHONE, LONGEST_EMAIL = 60, 254
# With invisible characters and spaces around it.
LONGEST_LINE_ID = 60

# No real number has these digits after its prefix, so practice lists can use them without disturbing anybody.
_FOR_PRACTICE = {"900000": 10, "30000": 9, "500000": 10}


class PhoneKind(StrEnum):
    """The kind of a Japanese telephone number."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    IP = "ip"


@dataclass(frozen=True)
class Phone:
    """A telephone number in E.164 form, and its kind."""

    e164: str
    kind: PhoneKind


_PRACTICE_KINDS = {"9": PhoneKind.MOBILE, "3": PhoneKind.LANDLINE, "5": PhoneKind.IP}
_KINDS = {
    PhoneNumberType.MOBILE: PhoneKind.MOBILE,
    PhoneNumberType.FIXED_LINE: PhoneKind.LANDLINE,
    PhoneNumberType.VOIP: PhoneKind.IP,
}
_REFUSED_TYPES = {
    PhoneNumberType.TOLL_FREE: "phone_tollfree",
    PhoneNumberType.PAGER: "phone_pager",
    PhoneNumberType.PREMIUM_RATE: "phone_premium",
    # 0570: the caller pays by the minute.
    PhoneNumberType.UAN: "phone_premium",
}
_EMERGENCY = frozenset({"110", "118", "119"})

_DASH = re.compile("[‐‒–—―−ー]")
_DIGITS_LOST = re.compile(r"[0-9]+([.,][0-9]+)?[Ee][+-]?[0-9]+")
_PHONE = re.compile(r"\+?[0-9][0-9\-.() ]*|\([0-9][0-9\-.() ]*")
_BETWEEN_NUMBERS = re.compile(r"[/,;、|\n]|または|又は|もしくは")


def read_phone(text: str, *, field: str = FIELD) -> Phone:
    """Return the telephone number that a text means; raises AddressError.

    A number that lost its first 0 in a spreadsheet is accepted: only one number can be meant.
    """
    if (mobile := _plain_mobile(text)) is not None:
        return mobile
    if len(text) > LONGEST_PHONE or len(unicodedata.normalize("NFKC", text)) > LONGEST_PHONE:
        raise AddressError("phone_unreadable", field=field)
    plain = _DASH.sub("-", _visible(text)).removeprefix("'").removeprefix("tel:").strip()
    if _DIGITS_LOST.fullmatch(plain):
        raise AddressError("phone_digits_lost", field=field)
    if sum(len(re.sub("[^0-9]", "", part)) >= 9 for part in _BETWEEN_NUMBERS.split(plain)) > 1:
        raise AddressError("phone_two_numbers", field=field)
    if plain in _EMERGENCY:
        raise AddressError("phone_emergency", field=field)
    if not _PHONE.fullmatch(plain):
        raise AddressError("phone_unreadable", field=field)
    if len(re.sub("[^0-9]", "", plain)) >= 18:
        raise AddressError("phone_two_numbers", field=field)
    return _recognised(plain, field)


def read_sms_number(text: str, *, field: str = FIELD) -> str:
    """Return a number that can receive texts, as E.164; raises AddressError."""
    phone = read_phone(text, field=field)
    if phone.kind is PhoneKind.LANDLINE:
        raise AddressError("phone_landline", field=field)
    if phone.kind is PhoneKind.IP:
        raise AddressError("phone_ip", field=field)
    return phone.e164


def read_voice_number(text: str, *, field: str = FIELD) -> str:
    """Return a number that can be called, as E.164; raises AddressError."""
    return read_phone(text, field=field).e164


_LINE_ID = re.compile(r"U[0-9a-f]{32}")


def read_line_id(text: str, *, field: str = FIELD) -> str:
    """Return the id that LINE's webhook gives a friend of the operator's account; raises AddressError."""
    plain = _visible(text) if len(text) <= LONGEST_LINE_ID else ""
    if not _LINE_ID.fullmatch(plain):
        raise AddressError("line_unreadable", field=field)
    looks_like = number_in_random_id(plain)
    if looks_like is not None:
        raise ForbiddenNumberError(field=field, looks_like=looks_like)
    return plain


# foo..bar@docomo.ne.jp and foo.@ezweb.ne.jp were issued against the standard, and elderly people still have them.
_OLD_CARRIER = re.compile(
    r"(?P<local>[a-z0-9][a-z0-9._-]{0,63})@(?P<domain>docomo\.ne\.jp|ezweb\.ne\.jp)", re.IGNORECASE
)


# The old carriers' shapes, and needless quotes, as other programs write them.
_QUOTED = re.compile(r"\"(?P<local>[A-Za-z0-9._+-]{1,64})\"@(?P<domain>[^@\"]{1,253})")


def _bare(text: str) -> str:
    """Return the address alone, out of what a program has put around it: a link's mailto:, a name, quotes."""
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0]).strip()
    if text.endswith(">") and text.count("<") == text.count(">") == 1:
        name, _, address = text[:-1].partition("<")
        if not any(mark in name for mark in "@,;"):
            text = address.strip()
    quoted = _QUOTED.fullmatch(text)
    return text if quoted is None else f"{quoted['local']}@{quoted['domain']}"


def read_email(text: str, *, field: str = FIELD) -> str:
    """Return the address as given, with its domain in small letters; does not use the network.

    A name in front of it, mailto: and needless quotes are left out. Raises AddressError, or ForbiddenNumberError for
    twelve digits in it, before or behind the @.
    """
    # Characters that are not seen may be pasted with it; the visible ones are counted below.
    if len(text) > 2 * LONGEST_EMAIL:
        raise AddressError("email_unreadable", field=field)
    plain = _visible(text)
    # Shorter runs are part of many people's addresses.
    looks_like = long_number(plain) if "@" in plain else None
    if looks_like is not None:
        raise ForbiddenNumberError(field=field, looks_like=looks_like)
    if len(plain) > LONGEST_EMAIL:
        raise AddressError("email_unreadable", field=field)
    plain = _bare(plain)
    old = _OLD_CARRIER.fullmatch(plain)
    if old:
        return f"{old['local']}@{old['domain'].lower()}"
    try:
        address = validate_email(plain, check_deliverability=False, allow_smtputf8=False).ascii_email
    except Exception:  # noqa: BLE001  # also what the packages below it raise, for names of domains
        address = None
    if address is None:
        raise AddressError("email_unreadable", field=field)
    return address


def address_identity(address: str) -> str:
    """Return what makes two addresses the same: of an e-mail address all letters small, and its domain in IDNA form.

    No provider that people use tells capital letters apart. A +tag and dots stay: another mailbox may have them. Other
    addresses are returned as they are.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    return f"{local.casefold()}@{_idna(domain)}"


def _idna(domain: str) -> str:
    small = domain.casefold().rstrip(".")
    if small.isascii():
        return small
    try:
        return small.encode("idna").decode("ascii")
    except UnicodeError:
        return small


# Of these providers every spelling with and without dots is one mailbox; the second name is the first's.
_WITHOUT_DOTS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def mailbox_of(address: str) -> str:
    """Return the one form under which limits count all spellings that probably reach the same mailbox.

    Without a +tag, and without dots where the provider ignores them. It is never an identity: elsewhere `a+b` may be
    somebody else than `a`.
    """
    local, at, domain = address_identity(address).rpartition("@")
    if not at:
        return address
    domain = _WITHOUT_DOTS.get(domain, domain)
    plain = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS.values():
        plain = plain.replace(".", "") or plain
    return f"{plain}@{domain}"


def shown(address: str) -> str:
    """Return an address shortened for lists and logs.

    It shows enough to tell two addresses of one family apart, and too little to reach anyone.
    """
    if "@" in address:
        local, domain = address.rsplit("@", 1)
        return f"{local[:1]}***@{domain}"
    mobile_or_ip = re.fullmatch(r"\+81([5-9]0)[0-9]{4}([0-9]{4})", address)
    return f"0{mobile_or_ip[1]}-****-{mobile_or_ip[2]}" if mobile_or_ip else f"****-{address[-4:]}"


def _visible(text: str) -> str:
    """Return the text in half width, without invisible characters, trimmed."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(mark for mark in text if unicodedata.category(mark) != "Cf").strip()


# Half of all cells of a home's sheet: plain spellings, recognised by the library's own pattern without its parser.
_PLAIN_MOBILE = re.compile(r"0[0-9]{2}-?[0-9]{4}-?[0-9]{4}")
_JAPAN = phonenumbers.PhoneMetadata.metadata_for_region("JP")
_PLUS_JAPAN = f"+{JAPAN_CODE}"
_MOBILE = re.compile(str(getattr(_JAPAN and _JAPAN.mobile, "national_number_pattern", "(?!)")))


def _plain_mobile(text: str) -> Phone | None:
    """Return a mobile number in its usual spelling, as 090-0000-0001 or +819000000001, without the large library."""
    if text.startswith(_PLUS_JAPAN):
        text = f"0{text[len(_PLUS_JAPAN) :]}"
    if not _PLAIN_MOBILE.fullmatch(text):
        return None
    written = text[1:].replace("-", "")
    is_mobile = written.startswith("900000") or _MOBILE.fullmatch(written)
    return Phone(f"+{JAPAN_CODE}{written}", PhoneKind.MOBILE) if is_mobile else None


def _recognised(plain: str, field: str) -> Phone:
    if (mobile := _plain_mobile(plain)) is not None:
        return mobile
    try:
        number = phonenumbers.parse(plain, "JP")
        type_ = phonenumbers.number_type(number)
    except Exception:  # noqa: BLE001  # of whatever class the package raises: it is no telephone number
        raise AddressError("phone_unreadable", field=field) from None
    if number.country_code != JAPAN_CODE:
        raise AddressError("phone_foreign", field=field)
    national = str(number.national_number)
    e164 = f"+{JAPAN_CODE}{national}"
    for prefix, length in _FOR_PRACTICE.items():
        if national.startswith(prefix) and len(national) == length:
            return Phone(e164, _PRACTICE_KINDS[prefix[0]])
    if type_ in _KINDS:
        return Phone(e164, _KINDS[type_])
    raise AddressError(_REFUSED_TYPES.get(type_, "phone_unreadable"), field=field)

"""Recognition of numbers that must never be stored: card numbers and passcodes, in any digits and disguise.

Dates, hyphenated phone numbers and postcodes are recognised first and accepted; every other run of six or more digits
is refused, and every run of twelve or more whatever its check digit: of random twelve-digit numbers one in ten passes
the My Number's own check, so a check digit only chooses the words. Unclear cases are refused.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

import phonenumbers


class LooksLike(StrEnum):
    """The kind of number that a text appears to hold."""

    MY_NUMBER = "my_number"
    CORPORATE_NUMBER = "corporate_number"
    LICENCE_NUMBER = "licence_number"
    APPLICATION_ID = "application_id"
    RESIDENCE_CARD_NUMBER = "residence_card_number"
    PASSPORT_NUMBER = "passport_number"
    MACHINE_READABLE_ZONE = "machine_readable_zone"
    INSURANCE_NUMBER = "insurance_number"
    PASSCODE = "passcode"
    LONG_NUMBER = "long_number"  # twelve digits or more
    LONG_DIGITS = "long_digits"  # six to eleven digits that are no date, phone or postcode
    TOO_LONG = "too_long"  # longer than anything that may be stored: not read at all


LONG, SUSPICIOUS = 12, 6
# A longer text is refused before any pattern is tried: no field, cell, address or reply is longer.
LONGEST = 2048
# A passcode has four digits; a shorter text has no room for them and a passcode word: rooms and floors.
FEWEST = 4
_TOO_SHORT = re.compile("[0-9A-Za-zぁ-んァ-ヶ一-龠階号室-]{1,6}")
# Numbers are also written digit by digit: 一二三四…. Tens and hundreds (三十一) are used in dates and counts.
_KANJI = str.maketrans(
    {
        kanji: str(digit)
        for digit, kanjis in enumerate(
            ("〇零", "一壱壹", "二弐貳", "三参參", "四肆", "五伍", "六陸", "七漆", "八捌", "九玖")
        )
        for kanji in kanjis
    }
)
# 健一 090-…, 三郎 090-…: one such kanji, beside a letter of its name and no other digit.
_ANY_KANJI = "".join(map(chr, _KANJI))
_NAME_KANJI = re.compile(
    rf"(?<=[^\W0-9_ーのと])(?<![{_ANY_KANJI}])[{_ANY_KANJI}](?![{_ANY_KANJI}0-9])"
    rf"|(?<![{_ANY_KANJI}0-9])[{_ANY_KANJI}](?=[^\W0-9_ーのと])(?![{_ANY_KANJI}])"
)
_LETTERS_AS_DIGITS = str.maketrans("OoIl|", "00111")

# Separators of two digits of one number: anything that is no letter and no digit, and the little words and
# marks with which people separate digits when they dictate.
_GAP = r"(?:[\W_]|[ーのと])"
_STRETCH = re.compile(rf"\+?[0-9](?:{_GAP}*[0-9])*")
_INTERRUPTED = re.compile(r"[0-9](?:[^0-9]?[0-9])*")
# Without a look ahead: it would fail behind a long run, and the run would be read again from each of its characters.
_LETTERED = re.compile(rf"(?<![^\W0-9_OoIl])\+?[0-9OoIl|](?:{_GAP}*[0-9OoIl|])*+")
_LETTER = re.compile(r"[^\W0-9_OoIl]")

_DATE = re.compile(
    r"""(?<![0-9])(?:
        (?:19|20)[0-9]{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:3[01]|[12][0-9]|0?[1-9])
      | (?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])
      | [RHSTrhst][0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}
    )(?![0-9])""",
    re.VERBOSE,
)
_WRITTEN_DATE = re.compile(
    r"(?:[0-9]{4}|[0-9]{1,2}|元)年(?:\([^()0-9]*[0-9]{0,2}年?\))?(?:[0-9]{1,2}月(?:[0-9]{1,2}日?)?)?|[0-9]{1,2}月[0-9]{1,2}日"
)
_TIME = re.compile(r"(?<![0-9])(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?(?![0-9])")
_WRITTEN_TIME = re.compile(r"[0-9]{1,2}時(?:[0-9]{1,2}分(?:[0-9]{1,2}秒)?|半)?")
_PHONE = re.compile(
    r"(?<![0-9])(?:\+81[- ]?(?:\(0\))?|0)[0-9]{1,4}[-‐‑‒–—−ー)][0-9]{1,4}[-‐‑‒–—−ー][0-9]{3,4}(?![0-9])"
)
# Phone numbers that belong to nobody, for practice and for examples.
_PRACTICE_PHONE = re.compile(r"0(?:[5-9]0|3)-?0000-?[0-9]{4}")
_POSTCODE = re.compile(r"(?:〒\s*|(?<![0-9-]))[0-9]{3}[-‐‑‒–—−ー][0-9]{4}(?![0-9-])")
_ORDINARY = (_DATE, _TIME, _PHONE, _POSTCODE)

_RESIDENCE_CARD = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{8}[A-Z]{2}(?![A-Z0-9])")
_PASSPORT = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{7}(?![A-Z0-9])")
_SPACED = re.compile(r"(?<=[A-Z0-9])[\s\-‐‑‒–—−ー・.]+(?=[A-Z0-9])")
_MACHINE_READABLE = re.compile(r"[A-Z0-9<]{0,44}<<[A-Z0-9<]{0,44}")

_PASSCODE_WORD = re.compile(
    r"暗証|暗唱番号|パスワード|パスコード|ピンコード|ピン番号|セキュリティコード|password|passcode|passwd"
    r"|(?<![a-z])pin(?:[ -]?code)?(?![a-z])",
    re.IGNORECASE,
)
_NEAR = 24  # characters before and after a passcode word
_CODE = re.compile(r"[0-9](?:[\W_ー]{0,3}[0-9]){3,}|(?=[A-Za-z]{0,15}[0-9])[A-Za-z0-9]{6,16}(?![A-Za-z0-9])")


def forbidden(text: str) -> LooksLike | None:
    """Return the kind of number or passcode that the text appears to hold; None when it may be stored.

    A text of more than LONGEST characters is TOO_LONG. Below that the work is linear in the length of the text. Nothing
    hides a digit: NFKC, other scripts' digits, circled and kanji digits, zero-width characters, HTML and URL escapes
    are resolved.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if _WORDS.fullmatch(text) and len(_DIGIT.findall(text)) < SUSPICIOUS and not _MAY_BE_PASSCODE.search(text):
        return None
    if _DATE.fullmatch(text):
        return None
    if not any(map(str.isnumeric, text)) and "<<" not in text:
        return None
    if _TOO_SHORT.fullmatch(text) and sum(map(str.isnumeric, text)) < FEWEST:
        return None
    return forbidden_at_length(text)


def forbidden_at_length(text: str) -> LooksLike | None:
    """Return what forbidden() returns, without its shortcuts and of any length; the caller bounds it."""
    for seen in _as_seen(text):
        # One character may be folded to eighteen.
        found = LooksLike.TOO_LONG if len(seen) > 2 * len(text) + LONGEST else _forbidden_in(seen)
        if found is not None:
            return found
    return None


def forbidden_in_a_date_or_phone(text: str) -> LooksLike | None:
    """Return what forbidden() returns, but accept up to eleven digits.

    They are a date or a telephone number there, perhaps a mistyped one.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if _DATE_OR_PHONE.fullmatch(text) and len(_DIGIT.findall(text)) < LONG:
        return None
    found = forbidden(text)
    return None if found in (LooksLike.LONG_DIGITS, LooksLike.INSURANCE_NUMBER) else found


def long_number(text: str) -> LooksLike | None:
    """Return only numbers of twelve digits or more, also beside a passcode word.

    It is for texts that may well hold fewer digits, such as the name in an e-mail address.
    """
    if len(text) > LONGEST:
        return LooksLike.TOO_LONG
    if text.isascii() and not _ESCAPING.search(text) and len(_DIGIT_LIKE.findall(text)) < LONG:
        return None
    return next((found for seen in _as_seen(text) if (found := _long_number_in(seen)) is not None), None)


# The characters of most cells. None of them is a digit outside _DIGIT, an escape, or invisible.
_WORDS = re.compile(r"[ -$'-;=?@\[\]_A-Za-z　、。々ぁ-ゖァ-ヺー・一-龥０-９（）～〇]*+")
_DIGIT = re.compile(f"[0-9０-９{_ANY_KANJI}]")
# The first letters of the matches of _PASSCODE_WORD.
_MAY_BE_PASSCODE = re.compile("暗|[パピセ]|[Pp][AaIi]")
_DATE_OR_PHONE = re.compile(r"[RHSTrhst+]?[0-9 ()./:年月日令和平成昭元-]*+")
# Escapes, and characters that may represent a digit.
_ESCAPING = re.compile(r"[&%\\]")
_DIGIT_LIKE = re.compile(r"[0-9OoIl|]")


def _as_seen(text: str) -> Iterator[str]:
    """Yield the text with plain digits, unchanged and with its escapes resolved."""
    if "&" in text or "%" in text or "\\" in text:
        yield _plain(_SLASHED.sub(_unslashed, unquote(unescape(text))))
    yield _plain(text)


_SLASHED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})")


def _unslashed(escape: re.Match[str]) -> str:
    r"""Return the character of \u0031, \u{31}, or the bytes of UTF-8 as \xef\xbc\x91."""
    if code := escape[1] or escape[2]:
        return chr(min(int(code, 16), 0x10FFFF))
    return bytes.fromhex(escape[0].replace("\\x", "")).decode("utf-8", "replace")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", "".join(map(_digit_or_itself, text)))
    return "".join(map(_seen, folded))


@lru_cache(maxsize=8192)
def _digit_or_itself(character: str) -> str:
    digit = unicodedata.digit(character, None)
    return character if digit is None or character.isascii() else str(digit)


@lru_cache(maxsize=8192)
def _seen(character: str) -> str:
    # Format characters, enclosing and combining marks, variation selectors and tags are invisible to a reader.
    return (
        ""
        if unicodedata.category(character) in ("Cf", "Me", "Mn", "Cc", "Cn", "Co") and character not in "\n\r\t"
        else character
    )


def _forbidden_in(text: str) -> LooksLike | None:
    if _holds_passcode(text):
        return LooksLike.PASSCODE
    return _long_number_in(text) or _suspicious_digits(text)


def _long_number_in(text: str) -> LooksLike | None:
    return (
        _long_number(text)
        or _lettered_number(text)
        or _long_number(text.translate(_KANJI), _NAME_KANJI.sub("　", text).translate(_KANJI))
        or _interrupted_number(text)
    )


def _digits(text: str) -> str:
    return "".join(character for character in text if "0" <= character <= "9")


def _long_number(text: str, without_names: str | None = None) -> LooksLike | None:
    """Return a run of twelve digits or more with any separators, unless it is dates and phones side by side.

    `without_names`: the same text, of the same length, in which the end or the beginning of a name is no digit.
    """
    for stretch in _STRETCH.finditer(text):
        digits = _digits(stretch[0])
        seen = stretch[0] if without_names is None else without_names[slice(*stretch.span())]
        if len(digits) >= LONG and not _is_all_ordinary(stretch[0]) and not _is_all_ordinary(seen):
            return _name_of(digits)
    return None


def _is_all_ordinary(stretch: str) -> bool:
    """Return whether dates, times, phones and postcodes account for every digit.

    One item cannot cover the remaining digits of another.
    """
    place = 0
    while place < len(stretch):
        if not "0" <= stretch[place] <= "9" and stretch[place] not in "+〒":
            place += 1
            continue
        item = next(
            (found for pattern in _ORDINARY if (found := pattern.match(stretch, place)) and _is_real(found)), None
        )
        if item is None:
            return False
        place = item.end()
    return True


def _is_real(item: re.Match[str]) -> bool:
    return item.re is not _PHONE or _is_phone(item[0])


@lru_cache(maxsize=1024)
def _is_phone(text: str) -> bool:
    try:
        number = phonenumbers.parse(text, "JP")
    except phonenumbers.NumberParseException:
        return False
    national = "0" + str(number.national_number)
    return phonenumbers.is_valid_number(number) or bool(_PRACTICE_PHONE.fullmatch(national))


def _lettered_number(text: str) -> LooksLike | None:
    """Return twelve digits of which a few are written as similar letters."""
    for stretch in _LETTERED.finditer(text):
        if _LETTER.match(text, stretch.end()):
            continue
        digits = _digits(stretch[0].translate(_LETTERS_AS_DIGITS))
        if len(digits) >= LONG and len(_digits(stretch[0])) * 2 > len(digits) and not _is_all_ordinary(stretch[0]):
            return _name_of(digits)
    return None


def _interrupted_number(text: str) -> LooksLike | None:
    """Return twelve digits or more with at most one letter between any two, outside dates and times."""
    for pattern in (_WRITTEN_DATE, _WRITTEN_TIME, *_ORDINARY):
        text = pattern.sub(lambda item: "　　" if _is_real(item) else item[0], text)
    for stretch in _INTERRUPTED.finditer(text):
        digits = _digits(stretch[0])
        if len(digits) >= LONG:
            return _name_of(digits)
    return None


def _suspicious_digits(text: str) -> LooksLike | None:
    """Return six to eleven digits that are no date, phone or postcode, and numbers that begin with letters."""
    for pattern in (_WRITTEN_DATE, *_ORDINARY):
        text = pattern.sub(lambda item: "\n" if _is_real(item) else item[0], text)
    capitals = _SPACED.sub("", text.upper())
    for machine in _MACHINE_READABLE.finditer(capitals):
        if len(machine[0]) >= LONG:
            return LooksLike.MACHINE_READABLE_ZONE
    if _RESIDENCE_CARD.search(capitals):
        return LooksLike.RESIDENCE_CARD_NUMBER
    if _PASSPORT.search(capitals):
        return LooksLike.PASSPORT_NUMBER
    for stretch in re.finditer(r"[0-9](?:[ \t　\-‐‑‒–—−ー・.,_/]{0,3}[0-9])*", text):
        digits = _digits(stretch[0])
        if len(digits) >= SUSPICIOUS:
            return LooksLike.INSURANCE_NUMBER if len(digits) == 8 else LooksLike.LONG_DIGITS
    return None


def _holds_passcode(text: str) -> bool:
    for word in _PASSCODE_WORD.finditer(text):
        around = text[max(0, word.start() - _NEAR) : word.start()] + "\n" + text[word.end() : word.end() + _NEAR]
        for pattern in (_WRITTEN_DATE, _DATE, _TIME):
            around = pattern.sub("\n", around)
        if _CODE.search(around):
            return True
    return False


def _name_of(digits: str) -> LooksLike:
    """Return the kind that a refusal names; whether the text is refused does not depend on it."""
    if len(digits) == 12 and _has_my_number_check(digits):
        return LooksLike.MY_NUMBER
    if len(digits) == 12 and _has_licence_check(digits):
        return LooksLike.LICENCE_NUMBER
    if len(digits) == 13 and _has_corporate_check(digits):
        return LooksLike.CORPORATE_NUMBER
    return LooksLike.APPLICATION_ID if len(digits) == 23 else LooksLike.LONG_NUMBER


def _has_my_number_check(digits: str) -> bool:
    """Return whether the check digit is that of a My Number.

    Source: 行政手続における特定の個人を識別するための番号の検査用数字 (2014 省令 85), 第五条.
    """
    weights = (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)
    rest = sum(int(digit) * weight for digit, weight in zip(reversed(digits[:11]), weights, strict=True)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def _has_licence_check(digits: str) -> bool:
    """Return whether the eleventh digit is that of a driving licence, from the first ten (unofficial)."""
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(int(digit) * weight for digit, weight in zip(digits[:10], weights, strict=True)) % 11
    return int(digits[10]) == (11 - rest) % 10


def _has_corporate_check(digits: str) -> bool:
    """Return whether the check digit is that of a 法人番号. Source: python-stdnum's jp.cn."""
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits[1:])))
    return int(digits[0]) == 9 - total % 9

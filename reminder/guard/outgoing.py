"""The gate of words that leave us: a free word may not bring a link, a number or a demand into a message of ours.

Labels, mark words, names, rooms, offices and replies stand in texts, mails, calls, letters and calendars that people
trust because they come from us. So such a word is refused where it is typed, and replaced by neutral words where it
would be sent. The words of `outgoing.toml` and the domains of `top_level_domains.txt` are compared as a reader sees
them. Every check is linear in the length of the text, and the length is looked at first.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import cast

from reminder.errors import UnsafeWordError
from reminder.guard import digit_words

_FILES = Path(__file__).parent

# No field takes more; of a reply so much is kept.
LONGEST = 200
# Four digits are a passcode, and the beginning of a telephone number. Fewer are a room, a floor or a class.
MOST_IN_A_ROW = 3
# A telephone number of Japan has ten digits; nine digits in all, whatever stands between them, are on their way there.
MOST_IN_ALL = 8
# Fewer digits that are written as words are more often words: さんごの家.
MOST_SPOKEN = 5
# Rooms such as 1203 and a home's own references have more. No text message and no call shows either.
# `place` is a unit with a room, in the list for a home's staff.
_MORE_IN_A_ROW = {"room": 5, "ref": 5, "place": 8}
# Who heard a consent, and on which day: shown to the group only.
_MAY_HOLD_DATES = frozenset({"consent_by"})


class UnsafeWord(StrEnum):
    """The reason why a word may not leave us; the value is the code of the refusal."""

    TOO_LONG = "word_too_long"
    INVISIBLE = "word_invisible"
    LOOKALIKE = "word_lookalike"
    LINK = "word_link"
    AT = "word_at"
    DIGITS = "word_digits"
    PHONE = "word_phone"
    MONEY = "word_money"


def refuse_unsafe(word: str, *, field: str) -> None:
    """Raise UnsafeWordError for a word that may not leave us; it holds nothing of the word."""
    found = unsafe(word, field=field)
    if found is not None:
        raise refusal(found, field=field)


def refusal(why: UnsafeWord, *, field: str) -> UnsafeWordError:
    """Return the error with the sentence for an unsafe word in this field."""
    return UnsafeWordError(why.value, field=field, most=_MORE_IN_A_ROW.get(field, MOST_IN_A_ROW))


def is_safe(word: str, *, field: str = "") -> bool:
    """Return whether a word may leave us. Short words that pass are remembered, because texts repeat them."""
    return unsafe(word, field=field) is None


def unsafe(word: str, *, field: str = "") -> UnsafeWord | None:
    """Return why a word may not leave us, None if it may.

    `field`: rooms and references may hold more digits than other words, the words of a consent a date.
    """
    if len(word) > LONGEST:
        return UnsafeWord.TOO_LONG
    try:
        _pass(word, _MORE_IN_A_ROW.get(field, MOST_IN_A_ROW), field in _MAY_HOLD_DATES)
    except _UnsafeError as refused:
        return refused.why
    return None


class _UnsafeError(Exception):
    def __init__(self, why: UnsafeWord) -> None:
        self.why = why
        super().__init__(why)


@lru_cache(maxsize=4096)
def _pass(word: str, most_in_a_row: int, may_hold_dates: bool) -> None:  # lru_cache hashes by position
    """Raise _UnsafeError for an unsafe word, so that no such word is kept in the cache."""
    if word.isascii() and word.isalpha() and len(word) <= 2:
        return
    why = _unsafe(word, most_in_a_row, may_hold_dates=may_hold_dates)
    if why is not None:
        raise _UnsafeError(why)


def _unsafe(word: str, most_in_a_row: int, *, may_hold_dates: bool) -> UnsafeWord | None:
    if _has_invisible(word):
        return UnsafeWord.INVISIBLE
    seen = _as_seen(word)
    spelt = _spelt(seen)
    if next(_links(seen), None) is not None or (spelt and next(_links(spelt), None) is not None):
        return UnsafeWord.LINK
    if "@" in seen:
        return UnsafeWord.AT
    small = seen.lower()
    # Before the digits, because its refusal says more.
    if _has_phone(small):
        return UnsafeWord.PHONE
    if _amounts().search(small) or _money_words().has(small):
        return UnsafeWord.MONEY
    without_dates = _DATE.sub("、", seen) if may_hold_dates else seen
    spoken = digit_words.with_digits(small) if digit_words.may_hold_words(small) else ""
    if (
        _has_many_digits(without_dates, most_in_a_row)
        or _has_many_digits(spoken, MOST_SPOKEN)
        or _has_lettered_digits(without_dates)
    ):
        return UnsafeWord.DIGITS
    return UnsafeWord.LOOKALIKE if _imitates(seen) else None


@lru_cache(maxsize=4096)
def may_join(word: str) -> bool:
    """Return whether a word that passed can become a part of a link by what stands beside it in a message.

    It begins or ends with a sign of an address, begins with the end of a domain, or ends with the name of a dot. Of
    numbers no word can: it has at most three digits in a row, and no sentence of ours puts two words side by side.
    """
    edges = _as_seen(word).strip(_AROUND_DOT)
    if not edges or edges[0] in _JOINING or edges[-1] in _JOINING:
        return True
    words, first = _link_words(), _LATIN_RUN.match(edges)
    begins = "" if first is None else first[0].strip("-").lower()
    ends = _word_before(edges, len(edges)).lower()
    return (
        begins in words.ends
        or ends in words.schemes
        or ends.startswith("www")
        or words.dots.search(f" {begins} ") is not None
        or words.dots.search(f" {ends} ") is not None
        or edges.lower().startswith(words.other_ends + _spoken_ends())
    )


def foreign_parts(text: str, ours: Sequence[str] = ()) -> frozenset[str]:
    """Return the links, numbers and invisible characters of a composed message, without those that we made.

    `ours`: the links of the message that are ours. Years and shorter numbers are parts of our sentences. A caller
    compares the result with that of the same message in neutral words.
    """
    for link in ours:
        text = text.replace(link, "\n")
    plain = unicodedata.normalize("NFKC", text)
    found = {f"digits {run}" for run in _LONG_RUN.findall(plain) if not _YEAR.fullmatch(run)}
    found |= {f"phone {shape}" for shape in _PHONE_SHAPE.findall(plain)}
    if _UNSEEN.search(text):
        found.add("invisible")
    return foreign_links(plain) | found


def foreign_links(text: str, ours: Sequence[str] = ()) -> frozenset[str]:
    """Return the links and addresses of a composed message, without those that we made."""
    for link in ours:
        text = text.replace(link, "\n")
    plain = unicodedata.normalize("NFKC", text)
    return frozenset({f"link {part}" for part in _links(plain)} | ({"at"} if "@" in plain else set()))


_LONG_RUN = re.compile(r"[0-9]{4,}")
_YEAR = re.compile(r"(?:19|20|21)[0-9]{2}")
_PHONE_SHAPE = re.compile(r"[0-9]{2,4}[-ー‐‑–—() ]{1,2}[0-9]{2,4}[-ー‐‑–—() ]{1,2}[0-9]{3,4}")


# The invisible characters that a text of ours never holds; the gate has refused the others in each word.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
)


# ---- what a reader sees


def _as_seen(text: str) -> str:
    """Return the text in one width, with plain digits and without marks on its letters."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", "".join(map(_plain_digit, text)))
    bare = unicodedata.normalize("NFD", folded)
    return unicodedata.normalize("NFC", "".join(mark for mark in bare if mark in "゙゚" or not _is_mark(mark)))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


@lru_cache(maxsize=8192)
def _plain_digit(character: str) -> str:
    """Return the digit that a character is in its script, as in ٣ and ❸; anything else unchanged."""
    digit = unicodedata.digit(character, None)
    return character if digit is None or character.isascii() else str(digit)


# ---- invisible characters

# Characters that no reader sees, besides those of the categories Cc, Cf, Zl, Zp, Cs, Co and Cn. Source: Unicode's
# Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the blank pattern of Braille.
_IGNORABLE = frozenset(
    chr(point)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xFFFC, 0xFFFD),
        (0xE0100, 0xE01EF),
    )
    for point in range(first, last + 1)
)
_WITHOUT_SHAPE = ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn", "Me")
# Thai, Hindi and Vietnamese letters carry one to three marks; more hide what is below them.
_MOST_MARKS = 3


def _has_invisible(text: str) -> bool:
    """Return whether the text holds something that a reader cannot see, or that changes the order of what they see."""
    if text.isascii():
        return not text.isprintable()
    before, marks = "", 0
    for character in text:
        category = unicodedata.category(character)
        if _is_shape(character, before):
            pass
        elif category in _WITHOUT_SHAPE or character in _IGNORABLE:
            return True
        elif category == "Mn":
            marks += 1
            # A mark on a letter is a part of it; on a digit, a dot or a space it only hides it.
            if marks > _MOST_MARKS or (marks == 1 and not before.isalpha() and not _is_spacing_mark(before)):
                return True
            continue
        marks, before = 0, character
    return not text.strip() or text.isspace()


def _is_spacing_mark(character: str) -> bool:
    return bool(character) and unicodedata.category(character) == "Mc"


def _is_shape(character: str, before: str) -> bool:
    """Return whether this is a variation selector where it is of use: 葛 in the shape of one family, ❤ in colour."""
    if "\ufe00" <= character <= "\ufe02" or "\U000e0100" <= character <= "\U000e01ef":
        return bool(before) and unicodedata.category(before) == "Lo" and _script(before) == "CJK"
    return character in "\ufe0e\ufe0f" and bool(before) and unicodedata.category(before) == "So"


# ---- links

# Dots of other scripts; browsers take 。 for the dot of a domain (UTS 46), a reader takes the others for one.
_DOTS = ".。︒․‧・·∙⋅•۔ꓸ⸱ᐧ"
_REAL_DOTS = ".。︒"
_ANY_DOT = re.compile(f"[{re.escape(_DOTS)}]")
_SPACES = 3
_LONGEST_END = 63
_BRACKETS = "()[]{}<>〈〉《》「」【】〔〕'\"*_-"
_AROUND_DOT = " \t\u3000" + _BRACKETS
# Signs of an address, at the edge of a word.
_JOINING = frozenset(_DOTS + "/:@%&#\\")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+-]{1,16}(?= ?:)")
_ESCAPED = re.compile(
    r"&#|&(?:period|dot|sol|colon|commat);|%[0-9a-f]{2}|\\[ux][0-9a-f]|xn--|0x[0-9a-f]{4}", re.IGNORECASE
)
_WWW = re.compile(r"(?<![a-z])w{3}(?!w)[0-9]?(?=[ ._・。-]*[a-z0-9])", re.IGNORECASE)
_HTTP = re.compile(r"(?<![a-z])h(?:tt|xx)ps?(?![a-z])", re.IGNORECASE)
_LATIN_RUN = re.compile(r"[A-Za-z0-9-]{1,63}")


@dataclass(frozen=True)
class _LinkWords:
    ends: frozenset[str]
    other_ends: tuple[str, ...]  # of other scripts
    schemes: frozenset[str]
    dots: re.Pattern[str]
    glued: re.Pattern[str]
    titles: frozenset[str]


def _links(text: str) -> Iterator[str]:
    """Yield the parts of a folded text that are, or read as, an address of the web."""
    words = _link_words()
    if "//" in text or ":/" in text or ":\\" in text or "::" in text:
        yield "//"
    for scheme in _SCHEME.finditer(text):
        if scheme[0].lower() in words.schemes:
            yield scheme[0] + ":"
    for pattern in (_ESCAPED, _WWW, _HTTP, words.glued):
        for found in pattern.finditer(text):
            yield found[0]
    for dot in _ANY_DOT.finditer(text):
        if end := _end_after(text, dot.start(), dot.end(), words):
            yield end
    for dot in words.dots.finditer(text):
        if end := _end_after(text, dot.start(), dot.end(), words, is_spoken=True):
            yield end
    for slash in _SLASH.finditer(text):
        # bit ly/3xyz: an end of a domain as a word of its own, before a slash.
        before = text[max(0, slash.start() - 12) : slash.start()].lower().rsplit(None, 1)
        if len(before) == 2 and before[1] in words.ends:
            yield before[1] + "/"


def _spelt(text: str) -> str:
    """Return the text without the spaces of a word that is spelt, as e v i l . j p; "" where none is."""
    is_spelt = sum(len(part) == 1 for part in text.split()) > 3
    return _AFTER_ONE.sub(r"\1", text) if is_spelt else ""


_AFTER_ONE = re.compile(r"(?<!\S)(\S)\s(?=\S)")


_SLASH = re.compile(r"/(?=[^\W_])")


def _end_after(text: str, begin: int, end: int, words: _LinkWords, *, is_spoken: bool = False) -> str | None:
    """Return what makes a domain of the dot (or the name of a dot) between two places of the text, None if nothing."""
    first, last = end, begin
    while first < len(text) and first - end < _SPACES and text[first] in _AROUND_DOT:
        first += 1
    while last > 0 and begin - last < _SPACES and text[last - 1] in _AROUND_DOT:
        last -= 1
    before, left = text[last - 1 : last], _word_before(text, last).lower()
    # ・ is a dot between Latin letters only; 期限だより・Rose is a list of names.
    if text[begin] not in _REAL_DOTS and not is_spoken and not (before.isascii() and before.isalnum()):
        return None
    run = _LATIN_RUN.match(text, first)
    if run is None:
        return _other_end_after(text, text[begin:end], first, before, words, is_spoken=is_spoken)
    right = run[0].strip("-")
    is_end, is_apart = right.lower() in words.ends, (first, last) != (end, begin)
    if is_spoken:
        return right if is_end and before else None
    if is_apart:
        is_sentence = right.istitle() or left in words.titles or (len(left) < 2 and before.isascii())
        return right if is_end and not is_sentence else None
    if is_end:
        return None if left in words.titles and len(right) > 3 else right
    # No such domain is known, but a program may take taro.example for one; it does not take Taro.Tanaka.
    is_plausible = not right.istitle() and right.isalpha() and len(right) > 1 and left not in words.titles
    has_path = text[run.end() : run.end() + 1] == "/"
    return right if text[begin] == "." and len(left) > 1 and (is_plausible or has_path) else None


def _other_end_after(text: str, dot: str, first: int, before: str, words: _LinkWords, *, is_spoken: bool) -> str | None:
    """Return an end of a domain in another script than Latin, such as みんな and рф."""
    # After a full stop of Japanese, みんな mostly begins a sentence.
    is_dot = is_spoken or dot == "." or (dot in _REAL_DOTS and before.isascii())
    if not before or not is_dot:
        return None
    ends = words.other_ends + (_spoken_ends() if is_spoken else ())
    rest = text[first : first + _LONGEST_END].lower()
    return next((one for one in ends if rest.startswith(one)), None)


def _word_before(text: str, place: int) -> str:
    start = place
    while start > 0 and place - start < _LONGEST_END and text[start - 1].isalnum():
        start -= 1
    return text[start:place]


# ---- digits and telephones


@dataclass(frozen=True)
class _DigitGroup:
    """Digits side by side. `is_part_of_word`: one kanji such as 四 in 四郎."""

    count: int
    is_part_of_word: bool


# Letters with which people separate the digits of one number.
_BETWEEN_DIGITS = "ーのと"
_DATE = re.compile(
    r"(?<![0-9])(?<![0-9][-/. ])(?:(?:19|20)[0-9]{2}[-/.年] ?[0-9]{1,2}[-/.月] ?[0-9]{1,2}日?"
    r"|(?:令和|平成|昭和|[rhs]) ?[0-9]{1,2}[-/.年] ?[0-9]{1,2}[-/.月] ?[0-9]{1,2}日?"
    r"|(?:19|20)[0-9]{2}年(?:[0-9]{1,2}月)?|[0-9]{1,2}月[0-9]{1,2}日)(?![-/. ]?[0-9])",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def _is_kanji_digit(character: str) -> bool:
    """Return whether this is a digit but no decimal one: 三, 参, 〣."""
    if character.isascii() or character.isdecimal():
        return False
    value = unicodedata.numeric(character, None)
    return value is not None and 0 <= value <= 9 and value == int(value)


def _stretches(text: str) -> Iterator[list[_DigitGroup]]:
    """Yield the digits between two letters, in groups; anything that is no letter, and ー の と, separates groups."""
    found: list[_DigitGroup] = []
    place = 0
    while place < len(text):
        character = text[place]
        if character.isdecimal() or _is_kanji_digit(character):
            end = place
            while end < len(text) and (text[end].isdecimal() or _is_kanji_digit(text[end])):
                end += 1
            is_word = end == place + 1 and _is_kanji_digit(character) and _is_in_word(text, place)
            found.append(_DigitGroup(end - place, is_word))
            place = end
            continue
        if character.isalpha() and character not in _BETWEEN_DIGITS:
            if found:
                yield found
            found = []
        place += 1
    if found:
        yield found


def _is_in_word(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return any(one.isalpha() and one not in _BETWEEN_DIGITS for one in around)


def _has_many_digits(text: str, most_in_a_row: int) -> bool:
    # One kanji of a name counts where it is one of a list: 一二三 四郎 has three digits, 母三 四 五 has three, too.
    counts = [
        sum(group.count for group in some if len(some) > 2 or not group.is_part_of_word) for some in _stretches(text)
    ]
    return any(count > most_in_a_row for count in counts) or sum(counts) > max(MOST_IN_ALL, most_in_a_row)


def _has_lettered_digits(text: str) -> bool:
    """Return whether a number of seven digits or more has similar letters in place of some: O9O-l234."""
    for run in _LETTERED.finditer(text):
        digits, letters = sum(map(str.isdecimal, run[0])), sum(one in "OoIiLl|SsBbZz" for one in run[0])
        if letters and digits >= 4 and digits + letters >= 7:
            return True
    return False


_LETTERED = re.compile(r"(?<![A-Za-z0-9])[0-9OoIiLl|SsBbZzー‐‑‒–—−() -]{7,40}+(?![A-Za-z])")


def _has_phone(text: str) -> bool:
    """Return whether the text holds the international prefix, or the word for a telephone before a short number."""
    if _PREFIX.search(text):
        return True
    for word in _phone_words().finditer(text):
        rest = text[word.end() : word.end() + 12].lstrip(" \u3000:：は・-ー番号no.")
        if sum(group.count for group in next(_stretches(rest[:8]), [])) > 2 and not rest[:1].isalpha():
            return True
    return False


_PREFIX = re.compile(r"(?<![^\s(（])\+ ?[0-9]")

# ---- money

# In small type each of these katakana is taken for the kanji.
_LOOKS_LIKE_KANJI = str.maketrans("ロニハカエタトチ", "口二八力工夕卜千")
_HIRAGANA = {point: point - 0x60 for point in range(ord("ァ"), ord("ヶ") + 1)}


@dataclass(frozen=True)
class _MoneyWords:
    """The words that are written with spaces between them, and patterns of the others, in two foldings each.

    `apart`: of those in whose letters a space does not make another word.
    """

    spaced: frozenset[str]
    in_one: tuple[re.Pattern[str], re.Pattern[str]]
    apart: tuple[re.Pattern[str], re.Pattern[str]]

    def has(self, text: str) -> bool:
        """Return whether one of the words is in a folded text in small letters."""
        with_spaces = _without_marks(text)
        in_hiragana, in_kanji = with_spaces.translate(_HIRAGANA), with_spaces.translate(_LOOKS_LIKE_KANJI)
        for hiragana, kanji in (self.in_one, self.apart):
            if hiragana.search(in_hiragana) or kanji.search(in_kanji):
                return True
        return any(word in self.spaced for word in _phrases(text))


def _without_marks(text: str) -> str:
    """Return the letters, digits and spaces of a text: 振・込 is 振込."""
    return " ".join("".join(mark for mark in text if (mark.isalnum() or mark.isspace()) and mark != "ー").split())


def _phrases(text: str) -> Iterator[str]:
    """Yield each word that has spaces around it, each two words that follow one another, and p-a-y as one."""
    tokens = _TOKEN.findall(text)
    yield from tokens
    yield from map(" ".join, pairwise(tokens))
    yield "".join(token for token in tokens if len(token) == 1)


_TOKEN = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")

# ---- letters of two scripts

# Scripts that Japanese mixes in one word; letters of them never pass for one another's.
_MIXED_IN_JAPANESE = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "MODIFIER"}
)
# Letters of other scripts in the shape of Latin ones, each as it is written. Source: UTS 39, confusables.txt.
# Greek α, η and τ are left out: names such as Άννα are read as what they are.
_LIKE_LATIN = frozenset(
    "АВЕКМНОРСТУХІЈЅҮԌԚԜ" "аеорсухіјѕԁһӏԛԝүґ" "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ" "ονρυικχϲϳ" "ՍՏՕԼ" "օսոհցղզ"
    "ᎠᎡᎢᎥᎪᎫᎬᎳᎷᎻᏀᏃᏎᏏᏒᏔᏙᏚᏞᏟᏢᏦᏧ"
)  # fmt: skip
# Every letter of this script is one of Latin's capitals, upright or turned.
_ALL_LIKE_LATIN = frozenset({"LISU"})


@lru_cache(maxsize=8192)
def _script(letter: str) -> str:
    """Return the script of a letter, which is the first word of its name."""
    return unicodedata.name(letter, "").split(" ", 1)[0].split("-UNIFIED")[0]


def _imitates(text: str) -> bool:
    """Return whether letters of one script are read as those of another: pаypal, with one of Cyrillic."""
    if text.isascii():
        return False
    for token in _LETTERS.findall(text):
        if token.isascii():
            continue
        of_scripts = [letter for letter in token if _script(letter) not in _MIXED_IN_JAPANESE]
        scripts = set(map(_script, of_scripts))
        if len(scripts) > 1 or scripts & _ALL_LIKE_LATIN or any(map(_is_small_capital, of_scripts)):
            return True
        if scripts and "LATIN" not in scripts and len(of_scripts) > 1 and _LIKE_LATIN.issuperset(of_scripts):
            return True
    return False


def _is_small_capital(letter: str) -> bool:
    """Return whether a Latin letter is only used to look like another: ᴘᴀʏ, ɑ, ɡ."""
    return letter in "ɑɡɩʟ" or "SMALL CAPITAL" in unicodedata.name(letter, "")


_LETTERS = re.compile(r"[^\W\d_]+")

# ---- the files


# Counted up with every change of the rules in this module that refuses more than before.
_RULES = 1


@cache
def version() -> str:
    """Return a short name of the rules and words that are in force; it changes with them."""
    files = b"".join((_FILES / name).read_bytes() for name in ("outgoing.toml", "top_level_domains.txt"))
    return f"{_RULES}-{sha256(files).hexdigest()[:12]}"


@cache
def _file() -> dict[str, dict[str, Sequence[str]]]:
    return cast(dict[str, dict[str, Sequence[str]]], tomllib.loads((_FILES / "outgoing.toml").read_text("utf-8")))


def _any_of(words: Sequence[str]) -> str:
    return "|".join(map(re.escape, sorted({_as_seen(word).lower() for word in words}, key=len, reverse=True)))


@cache
def _link_words() -> _LinkWords:
    names = (_FILES / "top_level_domains.txt").read_text("utf-8").splitlines()
    ends = [name for name in names if name and not name.startswith("#")]
    link = _file()["link"]
    latin, others = _by_alphabet(link["dots"])
    apart = rf"[\s{re.escape(_BRACKETS)}]"
    return _LinkWords(
        ends=frozenset(name for name in ends if name.isascii()),
        other_ends=tuple(_as_seen(name) for name in ends if not name.isascii()),
        schemes=frozenset(link["schemes"]),
        dots=re.compile(rf"(?<={apart})(?:{_any_of(latin)})(?={apart})|{_any_of(others)}", re.IGNORECASE),
        glued=re.compile(rf"(?<=[a-z0-9])dot(?:{_any_of(link['glued_ends'])})(?![a-z])", re.IGNORECASE),
        titles=frozenset(link["titles"]),
    )


def _by_alphabet(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words in Latin letters, which need something else around them, and the others."""
    latin = [word for word in words if _script(word[0]) == "LATIN"]
    return latin, [word for word in words if word not in latin]


@cache
def _spoken_ends() -> tuple[str, ...]:
    return tuple(map(_as_seen, _file()["link"]["spoken_ends"]))


@cache
def _phone_words() -> re.Pattern[str]:
    latin, others = _by_alphabet(_file()["phone"]["words"])
    return re.compile(rf"(?<![a-z])(?:{_any_of(latin)})(?![a-z])|{_any_of(others)}")


@cache
def _amounts() -> re.Pattern[str]:
    currency = _file()["currency"]
    letters, signs = _by_alphabet(currency["before"])
    words, others = _by_alphabet(currency["after"])
    many = "[一二三四五六七八九十百千万億0-9]"
    return re.compile(
        rf"(?:(?<![a-z])(?:{_any_of(letters)})|{_any_of(signs)}) ?[0-9]"
        rf"|[0-9][0-9,.]{{0,12}} ?[十百千万億]? ?(?:(?:{_any_of(words)})(?![a-z])|{_any_of(others)})"
        rf"|{many}?[十百千万億] ?円|{many}{many} ?円"
    )


@cache
def _money_words() -> _MoneyWords:
    spaced, in_one = _by_alphabet([word for some in _file()["money"].values() for word in some])
    across = [word for some in _file()["money_across_spaces"].values() for word in some]
    return _MoneyWords(
        frozenset(_as_seen(word).lower() for word in spaced),
        (_money_pattern(in_one, _HIRAGANA), _money_pattern(in_one, _LOOKS_LIKE_KANJI)),
        (_apart_pattern(across, in_one, _HIRAGANA), _apart_pattern(across, in_one, _LOOKS_LIKE_KANJI)),
    )


def _money_pattern(words: Sequence[str], folding: dict[int, int]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(_folded(word, folding)) for word in words))


def _apart_pattern(across: Sequence[str], others: Sequence[str], folding: dict[int, int]) -> re.Pattern[str]:
    """Return the pattern of words with spaces in them. 山口 座間さん has no 口座: other kanji make a name of it."""
    anywhere = [word for word in (*across, *others) if word in across or not _KANJI.search(word)]
    alone = [word for word in others if word not in anywhere]
    free, bound = (
        "|".join(" ?".join(map(re.escape, _folded(word, folding))) for word in some) for some in (anywhere, alone)
    )
    return re.compile(f"{free}|(?<!{_KANJI.pattern})(?:{bound})(?!{_KANJI.pattern})")


_KANJI = re.compile("[々一-龥]")


def _folded(word: str, folding: dict[int, int]) -> str:
    return _without_marks(_as_seen(word).lower()).replace(" ", "").translate(folding)

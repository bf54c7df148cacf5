"""Ordinary digits: dates, times, telephone numbers, postcodes, amounts, addresses, references, counts and lists.

Each is masked by as many marks as it has characters, so that places in the text stay the same. What is left are digits
that nothing explains. Every pattern is of a bounded length.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

# No character of a text: unassigned and private ones are taken away before.
MARK = "\ue000"

_DASH = "-‐‑‒–—−ー"
_YEAR = "(?:1[89]|2[01])[0-9]{2}"
_MONTHS = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY_OF_MONTH = "(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?"

WRITTEN_DATE = re.compile(
    rf"(?<![0-9])(?:{_YEAR}|[0-9]{{1,2}}|元)年度?(?:\([^()0-9]{{0,6}}[0-9]{{0,2}}年?\))?(?:[0-9]{{1,2}}月(?:[0-9]{{1,2}}日?)?)?"
    r"|(?<![0-9])[0-9]{1,2}月[0-9]{1,2}日|(?<![0-9])[0-9]{1,2}月(?![0-9])"
)
WRITTEN_TIME = re.compile(r"(?<![0-9])[0-9]{1,2}時(?:[0-9]{1,2}分(?:[0-9]{1,2}秒)?|半)?")
DATE = re.compile(
    r"""(?<![0-9])(?:
        (?:19|20)[0-9]{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:3[01]|[12][0-9]|0?[1-9])
      | (?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])
      | (?:19|20)[0-9]{2}[-/](?:0?[1-9]|1[0-2])(?![0-9]{0,3}[-/.]?[0-9])
      | (?:0?[1-9]|1[0-2])/(?:19|20)[0-9]{2}
      | (?:3[01]|[12][0-9]|0?[1-9])[/.-](?:1[0-2]|0?[1-9])[/.-](?:19|20)[0-9]{2}
      | (?:1[0-2]|0?[1-9])[/.-](?:3[01]|[12][0-9]|0?[1-9])[/.-](?:19|20)[0-9]{2}
      | '[0-9]{2}[/.](?:1[0-2]|0?[1-9])[/.](?:3[01]|[12][0-9]|0?[1-9])
      | [RHSTrhst][0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}
    )(?![0-9])""",
    re.VERBOSE,
)
ENGLISH_DATE = re.compile(
    rf"(?<![0-9a-z])(?:{_DAY_OF_MONTH}(?: of)?[ -]{_MONTHS}\.?(?:[ ,-]{{1,2}}{_YEAR})?"
    rf"|{_MONTHS}\.? {_DAY_OF_MONTH}(?:,? {_YEAR})?"
    rf"|{_MONTHS}\.?,? {_YEAR})(?![0-9])",
    re.IGNORECASE,
)
TIME = re.compile(r"(?<![0-9])(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?(?![0-9])")
PHONE = re.compile(
    rf"(?<![0-9])(?:\+81[{_DASH} ]?(?:\(0\))?|\(?0)[0-9]{{1,4}}"
    rf"[{_DASH} )(.の]{{1,2}}[0-9]{{1,4}}[{_DASH} ).の]{{1,2}}[0-9]{{3,4}}(?![0-9])"
    r"|(?<![0-9+])(?:0|\+81)[0-9]{9,10}(?![0-9])|\+[1-9][0-9]{0,2}[- ][0-9][0-9 -]{6,15}[0-9](?![0-9])"
)
_GROUPS = frozenset({(2, 4, 4), (3, 3, 4), (4, 2, 4), (5, 1, 4)})
# Telephone numbers that belong to nobody, for practice and for examples.
_PRACTICE_PHONE = re.compile(r"0(?:[5-9]0|3)-?0000-?[0-9]{4}")
POSTCODE = re.compile(rf"〒[0-9]{{7}}(?![0-9])|(?:〒\s{{0,3}}|(?<![0-9-]))[0-9]{{3}}[{_DASH}][0-9]{{4}}(?![0-9-])")

AMOUNT = re.compile(
    r"(?<![0-9,.])(?:[0-9]{1,3}(?:,[0-9]{3}){1,2}(?:\.[0-9]{1,2})?(?![0-9,])|[1-9][0-9]{0,6} ?(?:円|えん|yen|千円)"
    r"|[1-9][0-9]{0,3}万(?:[0-9]{1,4}千?)?円?|(?<=[¥$€])[1-9][0-9]{0,7}(?:\.[0-9]{2})?(?![0-9]))"
)
REFERENCE = re.compile(
    rf"(?<![{_DASH}0-9])(?:(?:19|20)[0-9]{{2}}|[RHrh][0-9]{{1,2}})[{_DASH}](?:[0-9]{{1,2}}[{_DASH}])?[0-9]{{1,5}}(?:[{_DASH}][0-9]{{1,2}})?(?![{_DASH}0-9])"
    rf"|(?<![{_DASH}0-9/])(?:19|20)[0-9]{{2}}/[0-9]{{3,5}}(?![{_DASH}0-9/])"
    rf"|(?<=[A-Za-z][{_DASH}])(?:19|20)[0-9]{{2}}[{_DASH}][0-9]{{1,5}}(?![{_DASH}0-9])"
)
_ADDRESS = re.compile(
    rf"(?<=[^\W0-9_A-Za-z〇])[0-9]{{1,4}}(?:[{_DASH}の][0-9]{{1,2}}){{1,2}}"
    rf"(?:[{_DASH} の]{{1,2}}[0-9]{{3,4}})?(?![{_DASH}0-9])"
)
_MOST_OF_ADDRESS = 9
# Without a place: 2-14-3-1102, of which the last part is a room (floor and number).
_BARE_ADDRESS = re.compile(
    rf"(?<![{_DASH}0-9A-Za-z])[1-9][0-9]?-[1-9][0-9]?-[1-9][0-9]?-[1-9][0-9]?(?:0[1-9]|[12][0-9])(?![{_DASH}0-9])"
)
# A number that somebody gave to an order or a letter; longer ones are not explained by the word.
_NAMED_REFERENCE = re.compile(
    "(?:予約|受付|受理|整理|お?客様?|会員|注文|伝票|お?問い?合わ?せ|管理|案件|領収[書証]?|レシート|控え|明細|引換券?|整理券|契約|申込み?|申し込み|請求書?|見積書?|通知書?"
    "|チケット|診察券|番号札)(?:番号|no\\.?|№|id)?[:はの 　]{0,3}(?:[a-z]{1,3}-?)?"
    rf"[0-9]{{2,7}}(?:[{_DASH}][0-9]{{1,4}})?(?![{_DASH}0-9])",
    re.IGNORECASE,
)
_MOST_OF_REFERENCES = 9
_COORDINATES = re.compile(
    r"(?<![0-9.])(?:2[4-9]|3[0-9]|4[0-5])\.[0-9]{4,6}[^0-9]{1,6}(?:12[2-9]|1[34][0-9]|15[0-3])\.[0-9]{4,6}(?![0-9.])"
    r"|[緯経][度 ]{0,2}[0-9]{1,3}度[0-5]?[0-9]分(?:[0-5]?[0-9](?:\.[0-9]{1,3})?秒)?"
)
_HOURS = re.compile(
    rf"(?<![{_DASH}0-9.,/])((?:[01][0-9]|2[0-3])[0-5][05])[-~〜–]((?:[01][0-9]|2[0-3])[0-5][05])(?![{_DASH}0-9.,/])"
)
_VITAL = r"[1-9][0-9]{1,2}(?:\.[0-9])?"
_VITALS = re.compile(
    rf"(?:脈拍?|体重|血糖値?|spo2|pulse|心拍)[ :は]{{0,3}}{_VITAL}(?:[ 、,/→]{{1,3}}{_VITAL}){{0,9}}(?![0-9])",
    re.IGNORECASE,
)
_PRICED = re.compile(r"(?<=[代料費税金賃計道気スり聞話手薬込])[: 　]{0,2}[1-9][0-9]{0,6} ?円")
_COUNTERS = (
    "人|名|回|階|号|室|班|歳|才|時|分|秒|日|月|年|度|番|丁目|割|件|枚|本|個|冊|通|台|匹|杯|膳|錠|包|滴|組|組目|条|世帯|世代|期|級|点|部|列|行"
    "|位|週|泊|食|便|系統|桁|けた|ケタ|つ|か月|ヶ月|カ月|か所|号車|番線|番目|段|巻|章|頁|ページ|キロ|グラム|リットル|メートル"
    "|%|％|℃|kg|km|cm|mm|mg|ml|dl|ヵ月|F(?![a-z])|f(?![a-z])|th|st|nd|rd|am|pm| am| pm"
)
# Not beside other digits: 51度72分94秒 are no counts, while dates and times have been masked before.
COUNT = re.compile(
    rf"(?<![{_DASH}0-9A-Za-z.,/年月時分度])[1-9]?[0-9]{{1,2}}(?:\.[0-9]{{1,2}})?(?:{_COUNTERS})(?![0-9])"
    r"|(?<![0-9.,])[1-9][0-9]{3}(?:歩|ml|m|km|g|kg|号室|室|名|人|件|kcal)(?![a-z])"
)
NUMBERED = re.compile(r"(?:(?:第|no\. ?|№|#|要介護|要支援)[0-9]{1,3}|room [0-9]{1,4})(?![0-9.,-])", re.IGNORECASE)
DECIMAL = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9](?![0-9.])")
_PRESSURE = re.compile(r"(?<![0-9/])([0-9]{2,3})/([0-9]{2,3})(?![0-9/])")
_RANGE = re.compile(rf"(?<![{_DASH}0-9A-Za-z.,/])([0-9]{{1,3}})[-~〜–]([0-9]{{1,3}})(?![{_DASH}0-9.,/])")
_MONTHS_AND_DAYS = re.compile(
    r"(?<![0-9/.:-])(?:1[0-2]|0?[1-9])/(?:3[01]|[12][0-9]|0?[1-9])(?![0-9/])"
    r"(?:[ 、,・〜~–と\n-]{1,3}(?:1[0-2]|0?[1-9])/(?:3[01]|[12][0-9]|0?[1-9])(?![0-9/])){0,40}"
)
_MONTH_AND_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")
_BETWEEN_LISTED = "[ 　\n]{0,2}[・、,/ 　\n~〜][ 　\n]{0,2}"
_LIST = re.compile(
    rf"(?<![{_DASH}0-9A-Za-z.,:/])[0-9]{{1,4}}(?:{_BETWEEN_LISTED}[0-9]{{1,4}}){{2,30}}(?![0-9:]|[{_DASH}.,/][0-9])"
)
_SAME_UNIT = re.compile(r"(?<![0-9,])(?:[0-9]{3,6}(?:円|号室|歩|件|人|名|室|g|m|ml)[ 　\n、,・と]{0,3}){3,20}")
_SMALL_OF_A_UNIT = re.compile(
    r"(?<![0-9,])(?:[0-9]{1,2}([円歳才枚度点番号本個回人名件])[ 　\n、,・と]{0,3})"
    r"(?:[0-9]{1,2}\1[ 　\n、,・と]{0,3}){3,20}"
)
_ITEM = re.compile(r"\(([0-9]{1,2})\)")
_RUN = re.compile("[0-9]+")
_MONTH_DAY = re.compile("([0-9]{1,2})月(?:([0-9]{1,2})日?)?")
_VALUE = re.compile(r"[0-9]{2,3}(?:\.[0-9])?")
_SPREAD = 60
# Digits of many small numbers with one unit, side by side and in no order, that are a number.
_MANY_SMALL = 10


def mask(text: str) -> str:
    """Return the text with all ordinary digits masked, in the same length."""
    if same_unit_hides_number(text):
        return _marked(text, PLAIN)
    numbered = [int(item[1]) for item in _ITEM.finditer(text)]
    if len(numbered) > 1 and numbered == [*range(1, len(numbered) + 1)]:
        # (1) 9:00 (2) 10:30: in any other order these are digits of one number.
        text = _ITEM.sub(lambda item: MARK * len(item[0]), text)
    named = "".join(_NAMED_REFERENCE.findall(text))
    if named and sum(map(str.isdecimal, named)) <= _MOST_OF_REFERENCES:
        # Several of them may be the parts of one number.
        text = _marked(text, PLAIN)
        text = _NAMED_REFERENCE.sub(lambda item: MARK * len(item[0]), text)
    return _marked(text, ALL)


def _marked(text: str, items: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]]) -> str:
    for pattern, is_real in items:
        text = pattern.sub(lambda item, is_real=is_real: MARK * len(item[0]) if is_real(item[0]) else item[0], text)  # type: ignore[misc]
    return text


def mask_plain(text: str) -> str:
    """Return the text with dates, times, telephone numbers and postcodes masked."""
    return _marked(text, PLAIN)


def mask_dates(text: str) -> str:
    """Return the text with dates and times masked."""
    return _marked(text, DATES)


def same_unit_hides_number(text: str) -> bool:
    """Return whether numbers of one unit stand side by side so that they hold twelve digits or more.

    Prices are round, and rooms follow one another; the parts of a card's number are neither.
    """
    for listed in _SMALL_OF_A_UNIT.finditer(text):
        numbers = _RUN.findall(listed[0])
        values = [int(number) for number in numbers]
        if sum(map(len, numbers)) >= _MANY_SMALL and not (_ascends(values) or _ascends(values[::-1])):
            return True
    for listed in _SAME_UNIT.finditer(text):
        numbers = _RUN.findall(listed[0])
        if sum(map(len, numbers)) < 12 or all(number.endswith("0") and number[0] != "0" for number in numbers):
            continue
        values = [int(number) for number in numbers]
        if not (_ascends(values) and values[-1] - values[0] < 300 and all(number[0] != "0" for number in numbers)):
            return True
    return False


def _ascends(values: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(values))


def _always(_: str) -> bool:
    return True


@lru_cache(maxsize=1024)
def is_phone(text: str) -> bool:
    """Return whether the text is a telephone number that exists in Japan, or one for practice."""
    # A large library, which the command line's help does not need.
    import phonenumbers

    try:
        number = phonenumbers.parse(text.replace("の", "-"), "JP")
    except phonenumbers.NumberParseException:
        return False
    national = "0" + str(number.national_number)
    if phonenumbers.is_valid_number(number) or _PRACTICE_PHONE.fullmatch(national):
        return True
    # Of an area that the library does not know, but in the groups of a telephone number.
    return tuple(map(len, _RUN.findall(text))) in _GROUPS and text[0] == "0" and text[1] != "0"


def _is_written_date(text: str) -> bool:
    """Return whether month and day of a date can be."""
    found = _MONTH_DAY.search(text)
    if found is None:
        return True
    month, day = int(found[1]), found[2]
    return 1 <= month <= 12 and (day is None or 1 <= int(day) <= 31)


def _is_written_time(text: str) -> bool:
    """Return whether hour, minute and second of a time can be; 25時 is one in the morning."""
    hour, *rest = map(int, _RUN.findall(text))
    return hour <= 30 and all(one < 60 for one in rest)


def _are_hours(text: str) -> bool:
    first, last = map(int, _RUN.findall(text))
    return first < last


def _are_vitals(text: str) -> bool:
    """Return whether values of one kind are as near to each other as those of one body."""
    values = [float(one) for one in _VALUE.findall(text.lower().replace("spo2", ""))]
    return max(values) - min(values) <= _SPREAD and max(values) < 400


def _is_amount(text: str) -> bool:
    """Return whether an amount is written as one: in groups of three, round, or small."""
    digits = "".join(_RUN.findall(text))
    return "," in text or "万" in text or digits.endswith("0") or len(digits) <= 3


def _is_address(text: str) -> bool:
    return sum(map(str.isdecimal, text)) <= _MOST_OF_ADDRESS


def _is_pressure(text: str) -> bool:
    high, low = map(int, text.split("/"))
    return 80 <= high <= 230 and 35 <= low <= 140 and high > low


def _is_range(text: str) -> bool:
    first, last = map(int, _RUN.findall(text))
    return first < last <= first + 100


def _are_days(text: str) -> bool:
    """Return whether months and days follow one another, at most once past a year's end."""
    days = [(int(month), int(day)) for month, day in _MONTH_AND_DAY.findall(text)]
    back = sum(before >= after for before, after in pairwise(days))
    return len(days) < 3 or back == 0 or (back == 1 and days[0] > days[-1])


def _is_list(text: str) -> bool:
    """Return whether the numbers of a list follow one another: classes 1 to 6, rooms 402, 403 and 405."""
    written = _RUN.findall(text)
    values = [int(one) for one in written]
    if any(len(one) > 1 and one[0] == "0" for one in written) or not _ascends(values):
        return False
    return all(after - before <= 3 for before, after in pairwise(values))


DATES: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]] = (
    (WRITTEN_DATE, _is_written_date),
    (WRITTEN_TIME, _is_written_time),
    (ENGLISH_DATE, _always),
    (DATE, _always),
    (TIME, _always),
)
PLAIN: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]] = (
    *DATES,
    (PHONE, is_phone),
    (POSTCODE, _always),
)
ALL: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]] = (
    *PLAIN,
    (_COORDINATES, _always),
    (_HOURS, _are_hours),
    (_MONTHS_AND_DAYS, _are_days),
    (_PRESSURE, _is_pressure),
    (_RANGE, _is_range),
    (AMOUNT, _is_amount),
    (_PRICED, _always),
    (_VITALS, _are_vitals),
    (REFERENCE, _always),
    (_ADDRESS, _is_address),
    (_BARE_ADDRESS, _always),
    (_LIST, _is_list),
    (COUNT, _always),
    (NUMBERED, _always),
    (DECIMAL, _always),
)

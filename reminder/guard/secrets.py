"""Passcodes and insurance numbers: digits, or a word, beside what people call them, in any spelling.

The words are sought in a text without its spaces and marks, in hiragana, so that 暗 証 番 号 and アンショー are found.
"""

import re
from enum import StrEnum

from reminder.guard import digit_words, ordinary


class Secret(StrEnum):
    """What a word beside digits makes of them."""

    PASSCODE = "passcode"
    INSURANCE = "insurance"


_HIRAGANA = {place: place - 0x60 for place in range(ord("ァ"), ord("ヷ"))}
# Taken away before the words are sought. ー is one of them: パスワード is also written パスワド.
_MARKS = re.compile(r"[\s\W_ーｰ]")

_NUMBER = "(?:番号|ばんごう|ばんご|数字|すうじ|なんば|こど|ことば|言葉|4けた|四けた|よんけた|4桁|四桁)"
_WORDS = re.compile(
    # 暗証 and what is taken for it.
    "[暗闇]し[ょよ]|あん[証唱]|暗[証正唱照称章誦賞號号番]|暗[一-龥][番盤版]号|[安案闇][証正唱照称章]番|証暗番|あんし[ょよ]|あんそうばんごう"
    "|ぱすわ一?[どと]?|ぱすこ[ど一]|ぱすふれ|ぱす(?=[はが]?[0-9a-z])(?![はが]?[0-9]{1,6}(?:円|えん|yen))|ぴんこど|ぴん(?:番号|ばんごう|なんば)|ぴん(?=[はが]?[0-9])"
    f"|(?:秘密|ひみつ|内緒|ないしょ|秘蔵)の?(?:{_NUMBER}|(?=[はが]?[0-9]{{4}}))|合い?(?:言葉|ことば)|あいことば"
    f"|(?:かど|きゃっしゅかど|銀行|atm)の?{_NUMBER}|[4四よ]ん?(?:桁|けた)(?:の?(?:番号|数字|すうじ|ばんごう|なんば)|(?=[はが]?[0-9]{{4}}))"
    f"|利用者(?:証明)?用の?{_NUMBER}|(?:番号|数字)[4四]つ"
    f"|ぱす(?:なんば|番号|ばんごう)|ぴあいえぬ|(?:開ける|あける|ひらく|開く)(?:ための?)?{_NUMBER}"
    f"|ろっく(?:解除)?の?(?:{_NUMBER}|(?=[はが]?[0-9]{{4}}(?![0-9])))|電子証明書の?{_NUMBER}"
    f"|(?:いつも|例|鍵|かぎ|金庫|きんこ|玄関|げんかん|どあ)の{_NUMBER}|金庫(?=左|右|みぎ|ひだり)"
    # Those of families who read other languages.
    "|密[码碼]|비밀번호|암호|m[aậ]tkh[aẩ]u|senha(?=[0-9é:=])|contrase[nñ]a|katasandi"
    "|(?:ans[hy]y?[oō]u?h?)(?:no)?ban[ -]?g[oō]u?|himitsunobang[oō]|anshou?bang[oō]"
)
# Three digits are enough beside this one.
_SHORT_WORDS = re.compile(
    "せきゅりてぃ?(?:こど|番号|ばんごう|なんば)|securitycode|cvc|cvv|(?:裏|うら)(?:面|側|がわ)?の(?:数字|すうじ|番号|ばんごう)"
)
# A year beside these words is the end of a certificate.
_CERTIFICATES = re.compile(
    "まいなんば|個人番号|券面(?:事項)?入力|きゃっしゅかど|くれじっと|署名用|利用者(?:証明)?用|利用者証明|りようしゃしょうめいよう|しょめいよう"
)
_LATIN_WORDS = re.compile(
    r"(?<![a-z])(?:p[\s._-]{0,2}[i1][\s._-]{0,2}n(?:[\s._-]?(?:code|number|no))?(?![a-z])"
    r"|pas{1,2}u?[ -]?w[a-z]{0,3}d|pasuwa-do|pas{1,2}[ -]?(?:code|phrase)|pswd|pwd|passwd"
    r"|pass(?=[\s:=]{1,3}(?:is )?[a-z!_-]{0,15}[0-9])"
    r"|p/?w(?![a-z])|secret (?:number|code|word)|code of [a-z ]{0,12}card|ang[oō]u?(?![a-z])|ans[hy]o[ou]?h?(?![a-z]))"
)
NEAR = 24  # characters before and after such a word
_CODE = re.compile(
    r"[0-9](?:[\W_ー]{0,3}[0-9]){3,}|(?<![A-Za-z0-9])(?=[A-Za-z]{0,15}[0-9])(?=[0-9]{0,15}[A-Za-z])[A-Za-z0-9]{6,16}(?![A-Za-z0-9])"
)
_SINGLE = re.compile("[0-9]")
_FEWEST_DIVIDED = 4
_FEWEST_JOINED = 3  # digits of a code that is written without a space behind its word
_SHORT_CODE = re.compile(r"[0-9](?:[\W_ー]{0,3}[0-9]){2,}")
_YEAR = re.compile(r"(?<![0-9A-Za-z])20[2-6][0-9](?![0-9])")
# A word that is told as the passcode: パスワードは hanako, password is hanako.
_TOLD = re.compile(
    r"[ーｰ]?\s{0,3}(?:は|が|:|=|→|is|was|wa)\s{0,3}[\"'「『]?([A-Za-z][A-Za-z0-9!#$%&*+@^-]{3,23})[\"'」』]?\s{0,2}(?:です|だ|$|\n|[^\w\s])",
    re.IGNORECASE,
)
# Digits that are counted aloud, before or behind them: 4桁のやつ→5590, 5590（4桁）, the 4-digit one is 5590.
_COUNTED = re.compile(
    r"(?<![0-9])(?P<count>[3-8三四五六七八])(?:けた|桁|digits?)[^0-9年]{0,16}(?P<code>[0-9]{3,8})(?![0-9年月円才歳番])"
    r"|(?<![0-9])(?P<before>[0-9]{3,8})[^0-9]{0,4}(?P<times>[3-8三四五六七八])(?:けた|桁|digits?)"
    r"|けた数[^0-9]{0,4}(?P<number>[3-8])(?P<digits>[0-9]{3,8})(?![0-9])"
)
_KANJI = {"三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8}
# What has so many digits and is told to everybody.
_COUNTED_PLAIN = re.compile("郵便|ゆうびん|西暦|せいれき|局番|電話|でんわ|zip|postal|year")
# A code that is told by its one digit: 全部7, 3が四つ, all sevens.
_REPEATED = re.compile(
    r"(?:全部|ぜんぶ|すべて|おる|ぞろ目|ぞろめ|同じ|おなじ|all|four)(?:同じ|おなじ|の|で|は|が|数字|すうじ|times){0,4}+[0-9](?![0-9つ個種桁回けコ])s?"
    r"|(?<![0-9])[0-9](?:が|を|の|x|times)[3-6三四五六](?:つ|回|個|こ|かい|times)"
    r"|(?:all|four)(?:zeroe?|one|two|three|four|five|sixe?|seven|eight|nine)s"
)
# What is said about a password, and is none.
_NOT_TOLD = frozenset(
    [
        "needed",
        "required",
        "forgotten",
        "reset",
        "changed",
        "lost",
        "wrong",
        "expired",
        "unknown",
        "known",
        "locked",
        "blocked",
        "written",
        "kept",
        "secret",
        "safe",
        "private",
        "different",
        "missing",
        "enough",
        "allowed",
        "invalid",
        "valid",
        "correct",
        "incorrect",
        "optional",
        "mandatory",
        "never",
        "always",
        "asked",
        "stored",
        "sent",
        "email",
        "mail",
        "line",
        "here",
        "there",
        "home",
        "same",
        "null",
        "none",
        "update",
        "updated",
        "renewed",
        "closed",
    ]
)

_INSURANCE = re.compile(
    "(?:被?保険者証?|保険証|健保|けんぽ|国保|こくほ|保険|医療証|受給者証?|負担者|資格確認書|ほけんしょう?)の?(?:記号|番号|ばんごう|なんば|no)"
    "|(?:被保険者証|保険証|医療証|受給者証|資格確認書)[^0-9]{0,10}(?:番号(?!札)|ばんごう|数字|すうじ)"
    "|hokens?h?o?u?(?:no)?(?:kigo|ban|no(?=[0-9]))|kenpo(?:no)?(?:kigo|ban)|kokuho(?:no)?(?:kigo|ban)"
    "|手帳(?:の?番号)?(?=第?[0-9]{4})|記号・?番号|きごうばんごう|insurancen(?:umber|o)|insurednumber|healthcarenumber"
)
_SYMBOL = re.compile("(?:記号|きごう|kigou?|symbol)[はが:]?(?=[^0-9]{0,3}[0-9])")
_SYMBOL_OF_INSURANCE = re.compile("番号|ばんごう|枝番|bango|number|[0-9]{3}")
_INSURANCE_NEAR = 18
_FEWEST_OF_INSURANCE = 3


def passcode_or_insurance(text: str) -> Secret | None:
    """Return what the text tells: a passcode, the number of an insurance, or neither. `text` in half width."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text
    if not may_name_secret(lower):
        return None
    lower = digit_words.with_digits(lower, is_beside_secret=True)
    compact, places = _compact(lower)
    return _passcode(lower, compact, places) or _insurance(lower, compact, places)


# All of them, and how they begin; a test compares this with the words.
WORDS = (_WORDS, _SHORT_WORDS, _CERTIFICATES, _LATIN_WORDS, _INSURANCE, _SYMBOL)
_BEGINNINGS = re.compile(
    "[暗安案闇証秘内合銀4四署利個券保健国受負資記医被手]|あん|ぱす|ぴん|ひみつ|ないし|あいこ|かど|きゃっ|よん?[けの桁]|けた|桁|digit|いつ|例|鍵|かぎ|きん|金|玄|げん|どあ|裏|うら|せきゅ|りよう|しょめ"
    "|まいな|くれじ|けん|こく|きごう|ほけん|[pcs]|an[ghsy]|hi|atm|ins|hea|ろっく|ぴあ|開|あけ|ひら|電|密|비|암|m[aậ]t|ka|ho|ki|ke|ko"
)


def may_name_secret(lower: str) -> bool:
    """Return quickly whether the text may hold one of the words; in half width and in small letters."""
    return _BEGINNINGS.search(_MARKS.sub("", lower.translate(_HIRAGANA))) is not None


def _compact(lower: str) -> tuple[str, list[int]]:
    """Return the text in hiragana without spaces and marks, and the place of each of its characters."""
    folded = lower.translate(_HIRAGANA)
    places = [place for place, sign in enumerate(folded) if not _MARKS.match(sign)]
    return "".join(folded[place] for place in places), [*places, len(folded)]


def _passcode(lower: str, compact: str, places: list[int]) -> Secret | None:
    if _is_counted(compact):
        return Secret.PASSCODE
    named = [(places[word.start()], places[word.end() - 1] + 1) for word in _WORDS.finditer(compact)]
    named += [word.span() for word in _LATIN_WORDS.finditer(lower)]
    short = [(places[word.start()], places[word.end() - 1] + 1) for word in _SHORT_WORDS.finditer(compact)]
    certificates = [(places[word.start()], places[word.end() - 1] + 1) for word in _CERTIFICATES.finditer(compact)]
    if not (named or short or certificates):
        return None
    masked = ordinary.mask_plain(lower)
    if (
        _are_beside(named, masked, _CODE)
        or _are_beside(short, masked, _SHORT_CODE)
        or (certificates and _are_beside(certificates, _YEAR.sub("    ", ordinary.mask(lower)), _CODE))
        or any(_is_told(lower, end) for _, end in (*named, *short))
        or _are_divided(named, lower)
        or _is_repeated(named, compact, places)
    ):
        return Secret.PASSCODE
    return None


def _are_beside(words: list[tuple[int, int]], masked: str, code: re.Pattern[str]) -> bool:
    """Return whether a code stands at most NEAR characters before or behind one of the words."""
    if not words:
        return False
    words.sort()
    place = 0
    for found in code.finditer(masked):
        start, end = found.span()
        while place < len(words) - 1 and words[place][1] + NEAR < start:
            place += 1
        for word_start, word_end in words[place : place + 2]:
            if word_start - NEAR <= end and start <= word_end + NEAR:
                own = start < word_end and word_start < end
                # PIN1234 is a word with its code, password2 is not.
                if not own or sum(map(str.isdecimal, found[0])) >= _FEWEST_JOINED:
                    return True
    return False


def _are_divided(words: list[tuple[int, int]], lower: str) -> bool:
    """Return whether single digits follow a word that nothing explains, whatever divides them: 47と29."""
    if not words:
        return False
    masked = ordinary.mask(lower)
    return any(len(_SINGLE.findall(masked, end, end + NEAR)) >= _FEWEST_DIVIDED for _, end in words)


def _is_counted(compact: str) -> bool:
    """Return whether digits follow or precede the number of digits that they have."""
    for found in _COUNTED.finditer(compact):
        count = found["count"] or found["times"] or found["number"]
        code = found["code"] or found["before"] or found["digits"]
        is_plain = _COUNTED_PLAIN.search(compact, max(0, found.start() - NEAR), found.end())
        if len(code) == (_KANJI.get(count) or int(count)) and not is_plain:
            return True
    return False


def _is_repeated(words: list[tuple[int, int]], compact: str, places: list[int]) -> bool:
    """Return whether a code is told by the one digit that it repeats, behind one of the words."""
    starts = [places[found.start()] for found in _REPEATED.finditer(compact)]
    return any(word_end <= start <= word_end + NEAR for start in starts for _, word_end in words)


def _is_told(lower: str, end: int) -> bool:
    told = _TOLD.match(lower, end)
    return told is not None and told[1] not in _NOT_TOLD


def _insurance(lower: str, compact: str, places: list[int]) -> Secret | None:
    ends = [word.end() for word in _INSURANCE.finditer(compact)]
    ends += [
        word.end()
        for word in _SYMBOL.finditer(compact)
        if _SYMBOL_OF_INSURANCE.search(compact, word.end(), word.end() + _INSURANCE_NEAR)
    ]
    if not ends:
        return None
    masked = ordinary.mask_dates(lower)
    for end in ends:
        after = places[end - 1] + 1
        if sum(map(str.isdecimal, masked[after : after + _INSURANCE_NEAR])) >= _FEWEST_OF_INSURANCE:
            return Secret.INSURANCE
    return None

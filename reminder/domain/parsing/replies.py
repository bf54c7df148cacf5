"""The intent of a reply to a text: config/replies.toml holds the words, this module the matching."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reminder.errors import SettingsError
from reminder.guard.digit_words import with_digits
from reminder.guard.numbers import LONGEST, LooksLike, forbidden

FILE = "config/replies.toml"
CONSENT, CHOICE = "consent", "choice"


class Intent(StrEnum):
    """The intent of a reply, in the order in which intents are tried.

    NUMBER comes before all, UNKNOWN applies where nothing fits.
    """

    NUMBER = "number"  # a card's number or the like, which must not even be kept
    STOP = "stop"
    START = "start"
    WRONG_PERSON = "wrong_person"
    WHO = "who"
    FAMILY = "family"
    LATER = "later"
    GOING = "going"  # "I will go"
    DONE = "done"
    THANKS = "thanks"  # thanks, greetings, "understood"
    UNKNOWN = "unknown"


class LifeWord(StrEnum):
    """What a reply says that was done, short of the whole: a reply that says so is read as DONE."""

    APPLIED = "applied"
    COME = "come"  # the new one, or the word that it can be collected


class Consent(StrEnum):
    """The answer to a request for consent."""

    YES = "yes"
    NO = "no"


@dataclass(frozen=True)
class ReplyRule:
    """The words that express one intent.

    `whole`: plain replies that mean it. `holds`: found in a reply that means it, `unless` the other is found too.
    """

    intent: Intent | LifeWord
    whole: frozenset[str]
    holds: re.Pattern[str]
    unless: re.Pattern[str]

    def fits(self, plain: str) -> bool:
        """Return whether a reply, as plain() returns it, expresses this intent."""
        return self.holds.search(plain) is not None and self.unless.search(plain) is None


@dataclass(frozen=True)
class ReplyRules:
    """The rules of config/replies.toml.

    `consent`: the plain replies that mean yes, or no, to a request for consent. `both`, `everyone`: those that mean
    each of two, or each of any number, to a question with choices. `life`: what says that only a part is done.
    """

    spoken: tuple[ReplyRule, ...]
    consent: Mapping[Consent, frozenset[str]]
    both: frozenset[str] = frozenset()
    everyone: frozenset[str] = frozenset()
    life: tuple[ReplyRule, ...] = ()


_NEVER = re.compile(r"(?!)")
_SPOKEN = tuple(intent for intent in Intent if intent not in (Intent.NUMBER, Intent.UNKNOWN))


def read_rules(table: Mapping[str, object]) -> ReplyRules:
    """Return the rules of the parsed config/replies.toml; raises SettingsError naming the entry."""
    for name in table:
        if name not in (*_SPOKEN, *LifeWord, CONSENT, CHOICE):
            known = ", ".join((*_SPOKEN, *LifeWord, CONSENT, CHOICE))
            raise SettingsError(f"{FILE}: [{name}]", f"remove it; there are only {known}")
    asked = table.get(CONSENT)
    consent = {}
    for said in Consent:
        consent[said] = _words(asked, CONSENT, said)
    # A file of one's own that was made for an earlier version has no such section.
    choice = table.get(CHOICE, {"both": [], "all": []})
    spoken = tuple(_read_rule(intent, table.get(intent)) for intent in _SPOKEN)
    life = tuple(_read_rule(word, table.get(word, {})) for word in LifeWord)
    return ReplyRules(spoken, consent, _words(choice, CHOICE, "both"), _words(choice, CHOICE, "all"), life)


def _words(section: object, name: str, entry: str) -> frozenset[str]:
    words = section.get(entry) if isinstance(section, Mapping) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SettingsError(f"{FILE}: {name}.{entry}", "make it a list of texts")
    return frozenset(map(plain, words))


def _read_rule(intent: Intent | LifeWord, row: object) -> ReplyRule:
    if not isinstance(row, Mapping):
        raise SettingsError(f"{FILE}: [{intent}]", "add this section")
    lists = {name: row.get(name, []) for name in ("whole", "holds", "unless")}
    for name, entries in lists.items():
        if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
            raise SettingsError(f"{FILE}: {intent}.{name}", "make it a list of texts")
    return ReplyRule(
        intent,
        frozenset(map(plain, lists["whole"])),
        _any_of(lists["holds"], f"{intent}.holds"),
        _any_of(lists["unless"], f"{intent}.unless"),
    )


def _any_of(patterns: Sequence[str], name: str) -> re.Pattern[str]:
    try:
        return re.compile("|".join(patterns)) if patterns else _NEVER
    except re.error as wrong:
        raise SettingsError(f"{FILE}: {name}", f"mend this pattern: {wrong.msg}") from None


def read_consent(text: str, rules: ReplyRules) -> Consent | None:
    """Return whether a reply consents or refuses; None for neither. Silence and doubt are not consent."""
    said = plain(text[:LONGEST])
    words = (said, _LAST_PARTICLE.sub("", said))
    return next((one for one in Consent if not rules.consent[one].isdisjoint(words)), None)


# "1と2", "1、2です": with something between them, because 12 may be a day.
_DIGITS_TOGETHER = re.compile(
    r"\s{0,3}[0-9](?:\s{0,3}番?\s{0,3}(?:と|、|,|・|&|and|\s)\s{0,3}[0-9]){1,8}\s{0,3}番?\s{0,3}(?:です)?[。.]?\s{0,3}",
    re.IGNORECASE,
)
_DIGIT = re.compile("[0-9]")
_ABOUT_THEM = re.compile(r"(?<=.)(のこと)?(です|だよ|だ|よ|ね)?$")


def digits_together(text: str) -> frozenset[int]:
    """Return the single digits that a short reply lists, as "1と2" does; none for any other reply."""
    normal = unicodedata.normalize("NFKC", text[:LONGEST])
    return frozenset(map(int, _DIGIT.findall(normal))) if _DIGITS_TOGETHER.fullmatch(normal) else frozenset()


def means_each(text: str, choices: int, asked: Intent, rules: ReplyRules) -> bool:
    """Return whether an answer to a question with so many choices means each of them, as "両方" and "both" do.

    "両方済みました" does too where that is what was `asked` about. "Both" of three is not understood.
    """
    words = rules.everyone | (rules.both if choices == 2 else frozenset())
    said = plain(text[:LONGEST])
    if said in words or _ABOUT_THEM.sub("", said, count=1) in words:
        return True
    begins = max((word for word in words if said.startswith(word)), key=len, default="")
    rest = said[len(begins) :].removeprefix("とも")
    return bool(begins) and asked is not Intent.UNKNOWN and read(rest, rules) is asked


_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])(?:番|ばん)?\s{0,3}(?:と|、|,|・|&|\s)\s{0,3}(?=[0-9])")
_KANJI_DIGITS = {ord(kanji): str(digit) for digit, kanji in enumerate("一二三四五六七八九", 1)}
# Whoever writes more than this says more than which of them is to stop.
_REST, _DIGITS = "(?P<rest>[^0-9]{1,40})", "(?P<digits>[0-9]{1,3}(?:と[0-9]{1,3}){0,8})"
_LEAVES_FIRST = re.compile(f"{_DIGITS}(?:番目|番|ばん)?(?:を|は|の|が|だけ){{0,3}}{_REST}")
_LEAVES_LAST = re.compile(f"{_REST}{_DIGITS}(?:番目|番|ばん)?(?:だけ|です)?")


def digits_to_leave(text: str, rules: ReplyRules) -> frozenset[int]:
    """Return the digits of those whose texts a reply stops, as "2 停止" and "STOP 2" do; none for any other reply.

    What is left without the digits must be a stop by itself. Digits that stand together are one number, and no choice.
    """
    normal = unicodedata.normalize("NFKC", text[:LONGEST]).translate(_KANJI_DIGITS)
    said = plain(_BETWEEN_DIGITS.sub("と", normal))
    for pattern in (_LEAVES_FIRST, _LEAVES_LAST):
        found = pattern.fullmatch(said)
        if found is not None and read(found["rest"], rules) is Intent.STOP:
            numbers = re.findall("[0-9]+", found["digits"])
            return frozenset(map(int, numbers)) if all(len(one) == 1 for one in numbers) else frozenset()
    return frozenset()


def digit_of(text: str, intent: Intent) -> int | None:
    """Return the digit that is all of a reply, None for any other. `intent`: what `read` made of it."""
    said = plain(text)
    is_digit = len(said) == 1 and said.isascii() and said.isdigit()
    return int(said) if is_digit and intent is not Intent.NUMBER else None


def read(text: str, rules: ReplyRules) -> Intent:
    """Return the intent of a reply.

    Whole words are tried first, then patterns. A reply that says yes and no at once is UNKNOWN: a human reads it. So is
    one of more than LONGEST characters, which is not read.
    """
    looks_like = forbidden(text)
    if looks_like is LooksLike.TOO_LONG:
        return Intent.UNKNOWN
    if looks_like is not None or _holds_long_digits(with_digits(unicodedata.normalize("NFKC", text))):
        return Intent.NUMBER
    said = plain(text)
    if not said:
        # Only a picture or a full stop: a friendly reply without an intent.
        return Intent.THANKS if text.strip() else Intent.UNKNOWN
    for whole in (said, _LAST_PARTICLE.sub("", said)):
        for rule in rules.spoken:
            if whole in rule.whole:
                return Intent(rule.intent)
        if any(whole in rule.whole for rule in rules.life):
            return Intent.DONE
    fitting = [Intent(rule.intent) for rule in rules.spoken if rule.fits(said)]
    if Intent.DONE not in fitting and any(rule.fits(said) for rule in rules.life):
        # In its place among the intents: before thanks.
        fitting = sorted([*fitting, Intent.DONE], key=list(Intent).index)
    if Intent.GOING in fitting and Intent.LATER in fitting:
        fitting.remove(Intent.LATER)  # "not yet, I will go on Monday"
    if Intent.DONE in fitting and {Intent.LATER, Intent.GOING} & {*fitting}:
        return Intent.UNKNOWN
    return fitting[0] if fitting else Intent.UNKNOWN


def life_word(text: str, rules: ReplyRules) -> LifeWord | None:
    """Return what a reply that is read as DONE says was done, None for the whole."""
    said = plain(text[:LONGEST])
    for whole in (said, _LAST_PARTICLE.sub("", said)):
        for rule in rules.life:
            if whole in rule.whole:
                return LifeWord(rule.intent)
    return next((LifeWord(rule.intent) for rule in rules.life if rule.fits(said)), None)


_LAST_PARTICLE = re.compile(r"(?<=.)(よ|ね|よね|わ|わよ|さ)$")

# Four digits alone may be a passcode; times, days and years are not.
_TIME = re.compile(r"\d{1,4}\s*(年|月|日|時|分|歳|才|人|番|階|円|:|/)")


def _holds_long_digits(text: str) -> bool:
    return re.search(r"\d{4}", _TIME.sub(" ", unicodedata.normalize("NFKC", text))) is not None


# Lines that mail programs and carriers add below a text.
_SIGNATURE = re.compile(
    r"\n[^\S\n]*([-_=—])\1[\s\S]*$|(iphone|ipad|android|スマートフォン|スマホ)から送信[\s\S]*$|sent from my[\s\S]*$",
    re.IGNORECASE,
)
_APOLOGY = re.compile(
    r"^(すみません|すいません|済みません|ごめんなさい|ごめんね|ごめん|申し訳ありません)(が|けど)?(?=.)"
)
# A voiced mark typed as a character of its own.
_MARKS = {ord("゛"): "\u3099", ord("゜"): "\u309a"}
_HIRAGANA = {ord("ァ") + place: ord("ぁ") + place for place in range(0x56)}
_SAME_DIGIT = re.compile(r"^(\d)\1+$")


def plain(text: str) -> str:
    """Return the form in which replies are compared.

    It is half width, in hiragana and small letters, without spaces, punctuation, pictures and signature.
    """
    folded = unicodedata.normalize("NFKC", _SIGNATURE.sub("", text).translate(_MARKS)).lower().translate(_HIRAGANA)
    letters = "".join(char for char in folded if char in "?'々ー〜" or unicodedata.category(char)[0] in "LN")
    letters = re.sub(r"[〜]+|ー{2,}", "", re.sub(r"\?+", "?", letters))
    cut = letters.rstrip("っッ")
    letters = cut if cut and "ぁ" <= cut[-1] <= "ん" else letters
    letters = _APOLOGY.sub("", letters)
    return _SAME_DIGIT.sub(r"\1", letters)

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
CONSENT = "consent"


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


class Consent(StrEnum):
    """The answer to a request for consent."""

    YES = "yes"
    NO = "no"


@dataclass(frozen=True)
class ReplyRule:
    """The words that express one intent.

    `whole`: plain replies that mean it. `holds`: found in a reply that means it, `unless` the other is found too.
    """

    intent: Intent
    whole: frozenset[str]
    holds: re.Pattern[str]
    unless: re.Pattern[str]

    def fits(self, plain: str) -> bool:
        """Return whether a reply, as plain() returns it, expresses this intent."""
        return self.holds.search(plain) is not None and self.unless.search(plain) is None


@dataclass(frozen=True)
class ReplyRules:
    """The rules of config/replies.toml.

    `consent`: the plain replies that mean yes, or no, to a request for consent.
    """

    spoken: tuple[ReplyRule, ...]
    consent: Mapping[Consent, frozenset[str]]


_NEVER = re.compile(r"(?!)")
_SPOKEN = tuple(intent for intent in Intent if intent not in (Intent.NUMBER, Intent.UNKNOWN))


def read_rules(table: Mapping[str, object]) -> ReplyRules:
    """Return the rules of the parsed config/replies.toml; raises SettingsError naming the entry."""
    for name in table:
        if name not in (*_SPOKEN, CONSENT):
            raise SettingsError(f"{FILE}: [{name}]", f"remove it; there are only {', '.join((*_SPOKEN, CONSENT))}")
    asked = table.get(CONSENT)
    consent = {}
    for said in Consent:
        words = asked.get(said) if isinstance(asked, Mapping) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SettingsError(f"{FILE}: {CONSENT}.{said}", "make it a list of texts")
        consent[said] = frozenset(map(plain, words))
    return ReplyRules(tuple(_read_rule(intent, table.get(intent)) for intent in _SPOKEN), consent)


def _read_rule(intent: Intent, row: object) -> ReplyRule:
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
                return rule.intent
    fitting = [rule.intent for rule in rules.spoken if rule.fits(said)]
    if Intent.GOING in fitting and Intent.LATER in fitting:
        fitting.remove(Intent.LATER)  # "not yet, I will go on Monday"
    if Intent.DONE in fitting and {Intent.LATER, Intent.GOING} & {*fitting}:
        return Intent.UNKNOWN
    return fitting[0] if fitting else Intent.UNKNOWN


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

"""The texts of each language: read from config/wording/, checked before any use, found by voice, family and step."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from itertools import product
from string import Formatter
from typing import cast

from reminder.domain.model.card_kinds import OTHER, CardKind, RenewalPlace
from reminder.domain.model.languages import LanguageFacts, read_facts
from reminder.domain.model.notices import ALL_NOTICES, ANSWERS
from reminder.domain.model.own_kinds import STAND_INS, Families, read_key
from reminder.domain.model.people import Audience, ConsentHow, Language, Mode, Role
from reminder.domain.rules.next_step import NextAct
from reminder.domain.rules.open_matters import MatterState
from reminder.domain.rules.steps import NEEDED_STAGES, NEEDED_STAGES_OF_GRACE, Stage, StepText, by_fitness
from reminder.domain.text import furigana
from reminder.domain.text.audience import AudienceRules, read_audience
from reminder.errors import SettingsError

# Families of texts. The first four are about a My Number Card and its certificates, `bound` about one that ends with a
# residence period; `procedure` about any other card to be renewed, `arrival` about a card that comes by itself.
CERTIFICATES, CARD = "certificates", "card"
USER_CERTIFICATE, SIGNATURE_CERTIFICATE = "user_certificate", "signature_certificate"
BOUND, PROCEDURE, ARRIVAL = "bound", "procedure", "arrival"
FAMILIES = (CERTIFICATES, USER_CERTIFICATE, SIGNATURE_CERTIFICATE, CARD, BOUND, PROCEDURE, ARRIVAL)
# Families that mention health insurance, and so a grace.
WITH_GRACE = (CERTIFICATES, USER_CERTIFICATE, SIGNATURE_CERTIFICATE, CARD)

# Texts of no step: for an end without health insurance, and for a computed date.
WITHOUT_INSURANCE, COMPUTED = "a7_without_insurance", "computed"
WITHOUT_STEP = (WITHOUT_INSURANCE, COMPUTED)

# Families that share the advice of an e-mail.
MAIL_ADVICE = (CERTIFICATES, CARD, BOUND, PROCEDURE, ARRIVAL)

# After a computed end: what to do at a municipal counter, elsewhere, and about what comes by itself.
COMPUTED_ADVICE = (COMPUTED, f"{COMPUTED}_{PROCEDURE}", f"{COMPUTED}_{ARRIVAL}")

MAIL_PARTS = ("to_do", "proxy", "stops", "sent", "history", "reply", "take", "reached", "done", "about")

VOICES = ("standard", "elderly", "carer")

PLACEHOLDERS = frozenset({"date", "lastopen", "grace", "office", "call", "who", "thing", "both", "helper", "by"})

# The texts of each kind in a language, and their placeholders.
_OFFICE = frozenset({"office"})
KIND_WORDS = {
    **dict.fromkeys(
        ("name", "thing", "asked", "stands", "validity", "place", "bring", "proxy", "stops"), frozenset[str]()
    ),
    **dict.fromkeys(("to_do", "ahead", "late", "after"), _OFFICE),
    **dict.fromkeys(("elder_to_do", "elder_after"), _OFFICE | {"helper"}),
}

_SECTIONS = (
    "called", "presets", "carers_word", "neutral", "reply", "email.line", "email.part", "state", "channel", "trouble",
    "shown", "fields", "looks_like", "errors", "acts",
)  # fmt: skip

# The texts of telephone calls.
CALL_PARTS = ("opening", "marked", "warning", "ask", "voicemail", "practice")
PRESSED = ("pressed_done", "pressed_later", "pressed_family")

# The limits that a group can reach, as sending_limits.HoldReason has them.
LIMITS = ("daily_cap", "repeated", "unusual_day")

# The repeated texts to a carer while a card's new date is awaited.
AGAIN = ("done", "taken")

# The texts once somebody has begun: by stage, and for what is collected by no fixed day.
LIFE_TEXTS = (*(stage for stage in Stage if stage.is_of_life), "collect_any")

# Printed leaflets, and their placeholders.
# Those of a My Number Card are for whom has one.
MY_NUMBER_SHEETS = ("photo", "hospital", "lost")
SHEETS = ("welcome", "letter", "consent", "counter", "fridge", *MY_NUMBER_SHEETS)
_ON_PAPER = frozenset(
    {"service", "operator", "call", "who", "office", "from_", "mark", "sender", "today", "cards", "helper", "stop_line"}
)

# A letter to a resident, and the slip under it.
LETTER_PARTS = ("title", "bring", "others", "late", "renewed", "arrived", "not_yet", "leave_it", "signed")
FILLED_LETTER_PARTS = ("look", "bound", "bound_after", "closed", "computed", "ask", "about", "slip", "how", "post")
_IN_LETTER = frozenset({"service", "operator", "call", "office", "from_", "today", "helper"})

# The texts of the page on which somebody reads everything that is stored about them.
EXPORTED = (
    "contacts", "cards", "messages", "messages_to_members", "replies", "acts", "members", "invitations", "tokens",
    "calendar_feeds", "imports", "none", "kind", "end", "told", "state", "channel", "address", "whose", "own", "family",
    "consent", "at", "to", "text", "said", "act", "by", "name", "role", "language", "reference", "room", "unit", "mark",
    "office",
    "mode", "insurance", "yes", "no", "current", "retired", "forgotten", "of_others", "not_kept", "at_console",
    *(f"role_{role}" for role in Role), *(f"mode_{mode}" for mode in Mode),
    *(f"consent_{how}" for how in ConsentHow),
)  # fmt: skip

# The texts of an e-mail, an assignment page or a leaflet besides those of the steps.
_READ_IN_MAIL = (
    "email", "sign_in", "balance", "sheets", "letter", "neutral", "unsafe_words", "called", "carers_word", "several",
    "notices", "again", "life", "history", "channel", "both_certificates", "export", "limits", "acts", "digest",
    "visits", "helper_family", "helper_staff", "certificate_on_paper",
)  # fmt: skip

# The weekly e-mail to a home's staff: its headings, those with a line below, and the states of unreachable contacts and
# of failed texts.
DIGEST_PARTS = (*MatterState, "unreached")
DIGEST_NOTES = ("unanswered", "ended", "late", "arrives")
DIGEST_STATES = ("unconfirmed", "unreachable", "undelivered", "failed", "not_told")

# The sheet for the visit of the city's staff: its columns, and the texts above and in them.
VISIT_COLUMNS = (
    "unit", "room", "label", "thing", "expires", "may", "counter", "bring", "envelope", "form", "consent", "proxy",
    "received", "done",
)  # fmt: skip
VISIT_WORDS = ("about", "no_numbers", "form_about", "now", "over", "box", "none", "who_goes")

_PERSON = frozenset({"call", "who", "office", "from_", "helper"})
_OF_KIND = frozenset(KIND_WORDS) - {"thing"}
_CARD = PLACEHOLDERS | _PERSON | _OF_KIND | {"full_date"}
_CALL = frozenset({"service", "call", "from_", "mark"})
_NOTICE = _PERSON | {"thing", "date", "channel"}
_DAY = frozenset({"year", "month", "day", "weekday"})
_NONE: frozenset[str] = frozenset()

BALANCE_NUMBERS = frozenset({"due", "arrived", "other_way", "to_human", "open", "not_known", "people", "messages"})

# The other required texts of a language, and their placeholders: an unknown placeholder would break the plan of a
# whole group on the day it is composed.
_SAID = {
    **dict.fromkeys(("service", "operator", "weekdays", "list_separator", "call_suffix"), _NONE),
    "sender": frozenset({"service"}),
    "sender_with_mark": frozenset({"service", "mark"}),
    **dict.fromkeys(("date", "full_date", "short_date", "year_and_month"), _DAY),
    "and_more": frozenset({"n"}),
    "both_certificates": _NONE,
    "about_date": frozenset({"date"}),
    "no_numbers": _NONE,
    **dict.fromkeys(("reply_done", "reply_come"), frozenset({"code"})),
    "to_one": frozenset({"call"}),
    "whose": frozenset({"from_", "call"}),
    "choice": frozenset({"digit", "call"}),
    **dict.fromkeys(("which_person", "which_person_of_two", "left"), frozenset({"choices"})),
    "senders": frozenset({"choices", "digit"}),
    "ask_helper": frozenset({"helper"}),
    **dict.fromkeys(("helper_family", "helper_staff"), _NONE),
    "certificate_on_paper": frozenset({"thing"}),
    **dict.fromkeys(("unsafe_words.subject", "unsafe_words.where", "unsafe_words.group", "unsafe_words.to_do"), _NONE),
    "unsafe_words.said": frozenset({"n"}),
    "unsafe_words.item": frozenset({"place", "field"}),
    **{f"neutral.{name}": _NONE for name in ("call", "who", "from_", "office", "unapproved", "reply")},
    **{f"several.{voice}{which}": _PERSON | {"items"} for voice in VOICES for which in ("", "_passed")},
    **{f"several.{voice}_{act}": frozenset({"helper"}) for voice in VOICES for act in ("do", "late", "arrival")},
    "sentence_separator": _NONE,
    **{f"nearness.{day}": _NONE for day in ("today", "tomorrow", "yesterday")},
    **{f"nearness.{way}": frozenset({"days"}) for way in ("left", "passed", "since_computed")},
    "several.item": frozenset({"thing", "date"}),
    "email.text.about": _PERSON,
    **{f"answers.{name}": _PERSON | {"date", "code"} for name in ANSWERS},
    **{f"notices.{kind}.{part}": _NOTICE for kind in ALL_NOTICES for part in ("subject", "said", "to_do")},
    **{f"again.{name}": _CARD for name in AGAIN},
    **{f"life.{voice}_{name}": _CARD | {"until"} for voice in VOICES for name in LIFE_TEXTS},
    **{f"email.subject.{stage}": _CARD | {"until"} for stage in Stage if stage.is_of_life},
    "email.text.life_done": _CARD,
    **{f"history.{name}": frozenset({"date", "channel", "state", "reply"}) for name in ("sent", "silent", "answered")},
    "history.instead": frozenset({"channel"}),
    **{f"email.subject.{stage}": _CARD for stage in ("opens", "before", "near", "after", "grace", "post", "computed")},
    "email.subject.several": _NONE,
    "email.subject.people": frozenset({"n"}),
    "email.subject.arrival": _CARD,
    **{f"email.part.{part}": _NONE for part in MAIL_PARTS},
    **{f"email.text.to_do_{which}": _CARD for which in (*MAIL_ADVICE, *COMPUTED_ADVICE)},
    **{f"email.text.after_{which}": _CARD for which in MAIL_ADVICE},
    **dict.fromkeys(
        (
            "email.text.proxy",
            "email.text.proxy_of_kind",
            "email.text.stops",
            "email.text.done",
            "email.text.done_staff",
        ),
        _CARD,
    ),
    **dict.fromkeys(("email.text.after_signature", "email.text.stops_with_grace"), _CARD),
    "email.text.signature": frozenset({"service", "operator"}),
    **{
        f"sheets.{sheet}": _ON_PAPER
        | (_OF_KIND | {"thing", "full_date", "end"} if sheet in ("letter", "fridge_card") else _NONE)
        for sheet in (*SHEETS, "fridge_card")
    },
    **{f"letter.{part}": _NONE for part in LETTER_PARTS},
    **{f"letter.{part}": frozenset({"full_date"}) for part in ("until", "was")},
    **{f"letter.{part}": _IN_LETTER for part in FILLED_LETTER_PARTS},
    **{f"letter.{part}": _IN_LETTER | {part} for part in ("opens", "begin", "lastopen", "grace")},
    **{f"letter.next_{act}": _IN_LETTER | {"next_on"} for act in NextAct if act.is_under_way},
    f"letter.next_{NextAct.NEW_DATE}": _IN_LETTER,
    "letter.mark": frozenset({"mark"}),
    "letter.whose": frozenset({"whose"}),
    **{f"call.{part}": _CALL for part in CALL_PARTS},
    **{f"call.{part}": _NONE for part in ("keys", "closing", "again", "goodbye", "practised", "renewal", *PRESSED)},
    **dict.fromkeys(("call.date", "call.about", "call.passed"), _CALL | {"thing", "date"}),
    **dict.fromkeys(("call.lastopen", "call.grace"), frozenset({"date"})),
    **dict.fromkeys(("call.bound", "call.bound_after"), frozenset({"office"})),
    "call.about_day": frozenset({"month", "day"}),
    **{f"call.{part}": _NONE for part in ("months", "days", "weekdays")},
    "call.day": frozenset({"month", "day", "weekday"}),
    **dict.fromkeys(("canary.subject", "canary.said"), frozenset({"date", "hour"})),
    "balance.subject": frozenset({"first", "last"}),
    "balance.about": frozenset({"first", "last"}),
    "balance.whole": BALANCE_NUMBERS,
    "balance.row": BALANCE_NUMBERS | {"day", "channel"},
    **dict.fromkeys(("balance.no_channel", "balance.nothing", "balance.to_do"), _NONE),
    "sign_in.code_subject": _NONE,
    "sign_in.code": frozenset({"code", "long_code"}),
    **dict.fromkeys(("sign_in.invitation_subject", "sign_in.invitation_unnamed"), _NONE),
    "sign_in.invitation": frozenset({"group"}),
    "pictures.title": frozenset({"kind", "stands"}),
    **{f"pictures.{name}": _NONE for name in ("here", "here_by_hand", "not_here")},
    "timeline.title": frozenset({"kind"}),
    **{
        f"timeline.{name}": _NONE
        for name in ("opens", "counter", "expires", "grace", "today", "told", "coming", "footer", *Audience)
    },
    "calendar.name": frozenset({"service", "group"}),
    **dict.fromkeys(
        (
            *("calendar.title", "calendar.opens_title", "calendar.begin_title"),
            *(f"calendar.{act}_title" for act in NextAct if act.is_under_way),
        ),
        frozenset({"label", "thing"}),
    ),
    "calendar.last": frozenset({"last"}),
    "calendar.end": frozenset({"end"}),
    **dict.fromkeys(("calendar.opens", "calendar.begin", "calendar.private"), _NONE),
    "export.title": frozenset({"service"}),
    "export.about_group": frozenset({"group", "at"}),
    "export.about_person": frozenset({"label", "at"}),
    **{f"export.{name}": _NONE for name in EXPORTED},
    **dict.fromkeys(("digest.subject", "digest.subject_nothing"), frozenset({"group", "n", "date"})),
    **dict.fromkeys(("digest.said", "digest.nothing"), frozenset({"group", "n"})),
    **{f"digest.{name}": _NONE for name in (*DIGEST_PARTS, "page", "no_link", "nobody")},
    "digest.heading": frozenset({"title", "n"}),
    "digest.row": frozenset({"day", "place", "things"}),
    "digest.unreached_row": frozenset({"place", "reasons"}),
    "digest.reason": frozenset({"channel", "state"}),
    "digest.more": frozenset({"n"}),
    **{f"digest.about.{name}": _NONE for name in DIGEST_NOTES},
    **{f"digest.states.{state}": _NONE for state in DIGEST_STATES},
    "visits.title": frozenset({"group", "month"}),
    "visits.shred": frozenset({"day"}),
    **{f"visits.{name}": _NONE for name in (*VISIT_COLUMNS, *VISIT_WORDS)},
    "visits.from_day": frozenset({"day"}),
    **{f"limits.{name}": frozenset({"from_", "channel"}) for name in (*LIMITS, "subject", "to_do")},
    "errors.failure": _NONE,
    "errors.choices": frozenset({"choices"}),
}


@dataclass(frozen=True)
class TextKey:
    """The place of a text in config/wording/: [texts.VOICE.FAMILY] NAME."""

    voice: str
    family: str
    name: str


class KindWords(Mapping[str, Mapping[str, str]]):
    """The words of each kind of config/cards.toml, in its order; those of any key of a group's own are found too.

    `own`: the words of such a kind, by its place and who may go for the holder.
    """

    def __init__(
        self, shipped: Mapping[str, Mapping[str, str]], own: Mapping[tuple[str, str], Mapping[str, str]] | None = None
    ) -> None:
        self._shipped, self._own = shipped, own or {}

    def __getitem__(self, key: str) -> Mapping[str, str]:
        """Return the words of a kind. Raises KeyError."""
        if key in self._shipped:
            return self._shipped[key]
        kind = read_key(key)
        if kind is None:
            raise KeyError(key)
        return self._own[kind.done_at, kind.stand_in.apply]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of the file."""
        return iter(self._shipped)

    def __len__(self) -> int:
        """Return the number of kinds in the file."""
        return len(self._shipped)

    def map(self, change: Callable[[str], str]) -> "KindWords":
        """Return the same words, each changed."""

        def changed(said: Mapping[str, str]) -> Mapping[str, str]:
            return {name: change(text) for name, text in said.items()}

        return KindWords(
            {key: changed(said) for key, said in self._shipped.items()},
            {which: changed(said) for which, said in self._own.items()},
        )


@dataclass(frozen=True)
class Catalog:
    """One language: its table, its texts as they are written, and its words for each kind."""

    table: Mapping[str, object]
    texts: Mapping[TextKey, str]
    kinds: "KindWords"  # kind -> KIND_WORDS
    facts: LanguageFacts
    read: Callable[[str], str] = str  # a word typed by a user, with its reading where the language has one

    def section(self, name: str) -> Mapping[str, str]:
        """Return a section of the file; a dot names one inside another."""
        found: object = self.table
        for part in name.split("."):
            found = cast(Mapping[str, object], found)[part]
        return cast(Mapping[str, str], found)

    def text(self, voice: str, family: str, said: StepText | str) -> str:
        """Return the text of a step, or of a name such as COMPUTED; raises SettingsError where there is none."""
        key = self.key_of(voice, family, said)
        if key is None:
            name = said if isinstance(said, str) else said.name
            raise SettingsError(f"texts.{voice}.{family}.{name}", "add this text")
        return self.texts[key]

    def key_of(self, voice: str, family: str, said: StepText | str) -> TextKey | None:
        """Return the place of the text for a step, None where no text fits.

        A voice comes before its fallback, even if the fallback's text is nearer: an elderly person is addressed in the
        voice for elderly people. Of one step a family comes before its fallback.
        """
        asked = (voice, family, said)
        if asked not in self._found:
            self._found[asked] = self._find(voice, family, said)
        return self._found[asked]

    @cached_property
    def _found(self) -> dict[tuple[str, str, StepText | str], TextKey | None]:
        return {}

    def _find(self, voice: str, family: str, said: StepText | str) -> TextKey | None:
        families = (family, CERTIFICATES) if family in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE) else (family,)
        for one_voice in (voice,) if voice == "carer" else (voice, "standard"):
            written = {key.name for key in self.texts if key.voice == one_voice and key.family in families}
            names = [said] if isinstance(said, str) else by_fitness(said, written)
            for key in (TextKey(one_voice, one_family, name) for name in names for one_family in families):
                if key in self.texts:
                    return key
        return None

    def word(self, name: str) -> str:
        """Return a text that precedes all sections."""
        return cast(str, self.table[name])

    def helper(self, mode: Mode) -> str:
        """Return whom an elderly person turns to first: the family, or in a home its staff."""
        return self.word("helper_staff" if mode is Mode.HOME else "helper_family")

    def date(self, day: date, form: str = "date") -> str:
        """Return a day in this language's format. `form`: date, full_date, short_date or year_and_month."""
        weekdays, months = self.word("weekdays"), cast(str, self.table.get("months", ""))
        return self.word(form).format(
            year=day.year,
            month=months.split()[day.month - 1] if months else day.month,
            day=day.day,
            weekday=weekdays.split()[day.weekday()] if " " in weekdays else weekdays[day.weekday()],
        )

    @cached_property
    def in_mail(self) -> "Catalog":
        """The same catalog with readings behind words that are hard to read, where the language has readings."""
        return self._annotated(cast(Sequence[str], self.table.get("readings", ())))

    @cached_property
    def with_furigana(self) -> "Catalog":
        """The same as in_mail, also for a language with readings only on request: those of its letters."""
        if self.has_readings:
            return self.in_mail
        return self._annotated(cast(Sequence[str], self.table.get("furigana", ())))

    @property
    def has_readings(self) -> bool:
        """Whether the language's e-mails show readings."""
        return bool(self.table.get("readings"))

    def _annotated(self, words: Sequence[str]) -> "Catalog":
        annotate = furigana.annotator(words)
        return Catalog(
            table={**self.table, **{name: furigana.everywhere(self.table[name], annotate) for name in _READ_IN_MAIL}},
            texts={key: annotate(text) for key, text in self.texts.items()},
            kinds=self.kinds.map(annotate),
            facts=self.facts,
            read=annotate,
        )


@dataclass(frozen=True)
class Catalogs:
    """The catalog of each language that has a file."""

    languages: Mapping[Language, Catalog]
    kinds: Mapping[str, CardKind]  # in the order of config/cards.toml
    audience: AudienceRules

    @cached_property
    def families(self) -> Mapping[str, str]:
        """The family of texts of each kind of card, in the order of config/cards.toml."""
        return Families(self.kinds)

    def of(self, language: Language) -> Catalog:
        """Return a language's catalog; the Japanese one where its file is gone, so that its readers still get texts."""
        return self.languages.get(language) or self.languages[Language.JAPANESE]

    def signed_by(self, operator: str) -> "Catalogs":
        """Return the same texts with this name as that of who runs the service."""
        languages = {
            language: replace(words, table={**words.table, "operator": operator})
            for language, words in self.languages.items()
        }
        return Catalogs(languages, self.kinds, self.audience)

    @cached_property
    def offered(self) -> Sequence[LanguageFacts]:
        """The languages in the order of lists of choices."""
        return sorted((words.facts for words in self.languages.values()), key=lambda facts: (facts.order, facts.code))

    def require_finished(self) -> None:
        """Raise SettingsError for the first text that is still marked as unfinished."""
        assert self._is_finished

    @cached_property
    def _is_finished(self) -> bool:
        """True; looks once, because a rulebook serves many apps."""
        for language, said in self.languages.items():
            refuse_unfinished(f"config/wording/{language}.toml", said.table)
        return True


def read_audience_of(table: Mapping[str, object]) -> AudienceRules:
    """Return config/audience.toml for the voices, families and parts that there are; raises SettingsError."""
    return read_audience(table, voices=VOICES, families=FAMILIES, parts=MAIL_PARTS)


def read_wording(
    tables: Mapping[Language, Mapping[str, object]], kinds: Mapping[str, CardKind], audience: AudienceRules
) -> Catalogs:
    """Return the catalogs of the parsed config/wording/*.toml, and for whom their sentences are.

    Raises SettingsError, which names the file and the text at fault.
    """
    if Language.JAPANESE not in tables:
        raise SettingsError("config/wording/ja.toml", "keep this file: it stands in for what others lack")
    languages = {}
    # Languages that others inherit from come first, so that the error names the file at fault.
    for language, table in sorted(tables.items(), key=lambda row: "like" in row[1]):
        parent = table.get("like")
        if parent is not None and parent not in tables:
            raise SettingsError(f"config/wording/{language}.toml: like", "name a language that has a file here")
        whole = with_fallback(table, lambda name: tables[Language(name)])
        languages[language] = _read_language(language, whole, kinds)
        if languages[language].facts.sheets not in tables:
            raise SettingsError(
                f"config/wording/{language}.toml: language.sheets", "name a language that has a file here"
            )
    for one in audience.mail:
        for language, words in languages.items():
            if one.name not in words.section("email.text"):
                raise SettingsError(f"config/wording/{language}.toml: email.text.{one.name}", "add this text")
    return Catalogs(languages, kinds, audience)


# The marker before a text that still has to be written or translated.
UNFINISHED = "TODO"


def refuse_unfinished(file: str, table: Mapping[str, object], before: str = "") -> None:
    """Raise SettingsError for the first text of a file that is still marked: it must not reach anybody."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            refuse_unfinished(file, value, f"{before}{name}.")
        elif isinstance(value, str) and value.lstrip().startswith(UNFINISHED):
            raise SettingsError(f"{file}: {before}{name}", f"write it: it still begins with {UNFINISHED}")


def with_fallback(table: Mapping[str, object], table_of: Callable[[str], Mapping[str, object]]) -> Mapping[str, object]:
    """Return a language's table with that of the language it inherits from (`like`) below it."""
    like = table.get("like")
    return _merged(table_of(str(like)), table) if like else table


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> Mapping[str, object]:
    """Merge two tables, the upper one first. Texts are not mixed: a language has all of its own."""
    both = {**below, **above}
    for name in both:
        lower, upper = below.get(name), above.get(name)
        if name != "texts" and isinstance(lower, Mapping) and isinstance(upper, Mapping):
            both[name] = _merged(lower, upper)
    return both


def wrong_in(language: Language, table: Mapping[str, object], kinds: Mapping[str, CardKind]) -> Sequence[SettingsError]:
    """Return every missing or wrong text of a language. `table`: merged with the language that it inherits from."""
    found: list[SettingsError] = []
    try:
        _read_language(language, table, kinds, found.append)
    except SettingsError as wrong:
        found.append(wrong)
    return found


def _refuse(wrong: SettingsError) -> None:
    raise wrong


def _read_language(
    language: Language,
    table: Mapping[str, object],
    kinds: Mapping[str, CardKind],
    refuse: Callable[[SettingsError], None] = _refuse,
) -> Catalog:
    where = f"config/wording/{language}.toml"
    facts = read_facts(language, table)

    def checked(name: str, text: object, placeholders: frozenset[str]) -> str:
        try:
            return _checked(name, text, placeholders)
        except SettingsError as wrong:
            refuse(wrong)
            return ""

    texts = dict(_read_texts(table, where, checked))
    unsaid = Catalog(table, texts, KindWords({}), facts)
    for voice, family in product(VOICES, FAMILIES):
        for each in _needed(family):
            name, found = each if isinstance(each, str) else each.name, unsaid.key_of(voice, family, each)
            if found is None or found.name != name:
                refuse(SettingsError(f"{where}: texts.{voice}.{family}.{name}", "add this text"))
    for section in _SECTIONS:
        if not isinstance(_at(table, section), Mapping):
            refuse(SettingsError(f"{where}: {section}", "add this section"))
    for name, placeholders in _SAID.items():
        checked(f"{where}: {name}", _at(table, name), placeholders)
    for name, line in cast(Mapping[str, object], _at(table, "email.line") or {}).items():
        checked(f"{where}: email.line.{name}", line, _CARD | {"begin"})
    said = {}
    for key, kind in kinds.items():
        needed = {**KIND_WORDS, **({"carrier_renewed": _NONE} if kind.carried_by or kind.bound_by else {})}
        said[key] = {
            name: checked(f"{where}: kinds.{key}.{name}", _at(table, f"kinds.{key}.{name}"), placeholders)
            for name, placeholders in needed.items()
        }
    own: Mapping[tuple[str, str], Mapping[str, str]] = {
        (str(place), str(stand_in)): {
            name: checked(f"{where}: {at}", _at(table, at), placeholders)
            for name, placeholders in KIND_WORDS.items()
            for at in [_own_word(table, name, place, stand_in)]
        }
        for place, stand_in in product(RenewalPlace, STAND_INS)
    }
    return Catalog(table, texts, KindWords(said, own), facts)


def _own_word(table: Mapping[str, object], name: str, place: str, stand_in: str) -> str:
    """Return where a word of a group's own kind stands: by its place, by who may go, or as that of any other card."""
    for at in (f"own_kinds.{place}.{name}", f"own_kinds.{stand_in}.{name}"):
        if _at(table, at) is not None:
            return at
    return f"kinds.{OTHER}.{name}"


def _needed(family: str) -> Iterator[StepText | str]:
    """Yield the required texts of a family in every voice, so that any day of any schedule has a text."""
    yield from map(StepText.of_stage, NEEDED_STAGES)
    if family in WITH_GRACE:
        yield from map(StepText.of_stage, NEEDED_STAGES_OF_GRACE)
        if family != CARD:
            yield WITHOUT_INSURANCE
    yield COMPUTED


def _read_texts(
    table: Mapping[str, object], where: str, checked: Callable[[str, object, frozenset[str]], str]
) -> Iterator[tuple[TextKey, str]]:
    for voice, family in product(VOICES, FAMILIES):
        written = _at(table, f"texts.{voice}.{family}")
        for name, text in written.items() if isinstance(written, Mapping) else ():
            at = f"{where}: texts.{voice}.{family}.{name}"
            yield TextKey(voice, family, name), checked(at, text, PLACEHOLDERS | _OF_KIND)


def _at(table: Mapping[str, object], name: str) -> object:
    found: object = table
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _checked(name: str, text: object, placeholders: frozenset[str]) -> str:
    if not isinstance(text, str):
        raise SettingsError(name, "add this text")
    try:
        # Only {date} can be filled, not {date!r:>9}.
        found = {
            "".join((field, spec or "", conversion or ""))
            for _, field, spec, conversion in Formatter().parse(text)
            if field is not None
        }
    except ValueError:
        raise SettingsError(name, "close every brace; placeholders look like {date}") from None
    strange = sorted(found - placeholders)
    if strange:
        raise SettingsError(name, f"there is no placeholder {', '.join(f'{{{field}}}' for field in strange)} here")
    return text


@lru_cache(maxsize=8)
def _lint_patterns(banned: tuple[str, ...], patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*map(re.escape, banned), *patterns]), re.IGNORECASE)


def lint(text: str, rules: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the forbidden parts of a text message, by the rules of config/wording/lint.toml."""
    words = (*rules["banned"], *rules["relative"])
    return [found[0] for found in _lint_patterns(words, tuple(rules["patterns"])).finditer(text)]

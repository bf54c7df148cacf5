"""The rulebook: all rules read from config/, checked once."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import product

from reminder.domain.model.card_kinds import CardKind, Grace
from reminder.domain.model.own_kinds import days_of_kind
from reminder.domain.model.people import ChannelName, Language, Mode
from reminder.domain.parsing.column_headings import ColumnHeadings
from reminder.domain.parsing.replies import ReplyRules
from reminder.domain.rules import schedule
from reminder.domain.rules.canary_schedule import CanaryEvery
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.quotas import Quotas
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.schedules import Schedules
from reminder.domain.rules.steps import Plan, StepText
from reminder.domain.rules.validity import ONE_DAY
from reminder.domain.text import catalog
from reminder.domain.text.card_pictures import Picture
from reminder.domain.text.catalog import Catalogs
from reminder.domain.text.composer import Composer
from reminder.errors import SettingsError, UnknownChoiceError


@dataclass(frozen=True)
class Rulebook:
    """Everything that config/ defines, with the settings that decide how it is applied."""

    kinds: Mapping[str, CardKind]
    schedules: Schedules
    wording: Catalogs
    replies: ReplyRules
    pictures: Mapping[str, Picture]  # of every kind
    headings: ColumnHeadings  # of the sheets that homes keep
    card_grace: bool
    quotas: Quotas
    two_way: bool = False  # texts can be answered
    expects_receipts: bool = False  # the provider of texts is told where to call us
    channels: Collection[ChannelName] = (ChannelName.SMS, ChannelName.EMAIL)  # those that are in use
    between_texts: timedelta | None = None  # the pace of the sender of texts, where there is one
    canary_channels: Collection[ChannelName] = ()  # by which messages go to the operator's own addresses
    canary_every: CanaryEvery = CanaryEvery.DAY

    @property
    def composer(self) -> Composer:
        """The composer of every text that is sent."""
        return Composer(self.wording)

    def kind(self, key: str) -> CardKind:
        """Return a kind of card by its name; raises UnknownChoiceError."""
        if key not in self.kinds:
            raise UnknownChoiceError(field="kind", choices=list(self.kinds))
        return self.kinds[key]

    def language(self, name: str) -> Language:
        """Return a language that has a file; raises UnknownChoiceError."""
        if name not in self.wording.languages:
            raise UnknownChoiceError(field="language", choices=list(self.wording.languages))
        return Language(name)

    def plan(
        self,
        kind: str,
        expires_on: date,
        mode: Mode,
        *,
        insurance: bool,
        carrier_ends_on: date | None = None,
        is_bound: bool = False,
        preferences: Preferences = DEFAULT_PREFERENCES,
    ) -> tuple[CardDates, Plan]:
        """Return the dates that matter and every step with its day.

        `carrier_ends_on`: the end of the card that carries this one; `is_bound`: it ends with a residence period;
        `preferences`: the choices of the person's group. The rules in force on the day after the end apply, when a new
        card must be there.
        """
        dates = self.dates_of(kind, expires_on, insurance=insurance, carrier_ends_on=carrier_ends_on, is_bound=is_bound)
        card_kind = self.kind(kind).on(expires_on + ONE_DAY)
        return dates, schedule.plan(
            self.schedules.of(mode, card_kind, preferences), dates, mode, preferences.on_holidays
        )

    def preferences_of(self, kind: str, own_days: tuple[int, ...], preferences: Preferences) -> Preferences:
        """Return the preferences for a card: its own days come before those of its kind, these before the group's."""
        return preferences.on_days(own_days or days_of_kind(self.kind(kind)))

    def dates_of(
        self,
        kind: str,
        expires_on: date,
        *,
        insurance: bool,
        carrier_ends_on: date | None = None,
        is_bound: bool = False,
    ) -> CardDates:
        """Return the dates that matter, without the steps; the parameters are those of `plan`."""
        return self._dates(kind, expires_on, insurance, carrier_ends_on, is_bound)

    @cached_property
    def _dates(self) -> Callable[[str, date, bool, date | None, bool], CardDates]:
        """The dates by kind, end and what they depend on: every page of a large home asks for the same thousands."""

        @lru_cache(maxsize=20_000)
        def dates_of(
            kind: str, expires_on: date, insurance: bool, carrier_ends_on: date | None, is_bound: bool
        ) -> CardDates:
            return schedule.dates_of(
                self.kind(kind).on(expires_on + ONE_DAY),
                expires_on,
                insurance=insurance,
                card_grace=self.card_grace,
                carrier_ends_on=carrier_ends_on,
                is_bound=is_bound,
            )

        return dates_of

    def is_bound(self, kind: str, expires_on: date, ends: Mapping[str, date]) -> bool:
        """Return whether a residence period decides this end. `ends`: the ends of the person's cards, by kind.

        A stay is shorter than a My Number Card's ten years, so the card of a person who has one ends with it, also
        where the stay has been renewed since: a new residence card does not extend it (Tokai City). A certificate is
        bound where it ends with such a card; mostly its birthday comes first.
        """
        card_kind = self.kind(kind)
        residence_ends_on = ends.get(card_kind.bound_by)
        if residence_ends_on is None or residence_ends_on < expires_on:
            return False
        return not card_kind.carried_by or expires_on == ends.get(card_kind.carried_by, residence_ends_on)


def refuse_dangling_names(kinds: Mapping[str, CardKind], schedules: Schedules) -> None:
    """Raise SettingsError where one file of config/ refers to something that another does not have."""
    for key, row in kinds.items():
        for kind in (row, *(version.kind for version in row.versions)):
            if kind.texts not in catalog.FAMILIES:
                fix = f"name one of {', '.join(catalog.FAMILIES)}"
                raise SettingsError(f"config/cards.toml: {key}.texts", fix)
            if kind.schedule not in schedules.names:
                fix = f"name one of {', '.join(schedules.names)}"
                raise SettingsError(f"config/cards.toml: {key}.schedule", fix)
            if kind.grace is not Grace.NONE and kind.texts not in catalog.WITH_GRACE:
                fix = f"only {', '.join(catalog.WITH_GRACE)} have words for a grace"
                raise SettingsError(f"config/cards.toml: {key}.grace", fix)


def refuse_missing_texts(schedules: Schedules, wording: Catalogs) -> None:
    """Raise SettingsError where a step has no words in some voice, or a text belongs to no step.

    A step has no words only if no stage of config/wording/ covers it; a text of another name would never be read.
    """
    names = {rule.name for rule in schedules.steps}
    for language, words in wording.languages.items():
        where = f"config/wording/{language}.toml"
        for rule, voice, family in product(schedules.steps, catalog.VOICES, catalog.FAMILIES):
            is_delivered = family in catalog.WITH_GRACE or not rule.text.stage.is_of_grace
            if is_delivered and words.key_of(voice, family, rule.text) is None:
                fix = f"write texts.{voice}.{family}.{rule.name} in {where}, or remove this step"
                raise SettingsError(f"config/schedules.toml: steps.{rule.name}", fix)
        for key in words.texts:
            is_known = key.name in names or key.name in catalog.WITHOUT_STEP or StepText.read(key.name) is not None
            if not is_known:
                fix = "call it as a step of config/schedules.toml, d60, a7 or g7 by days from an end; or remove it"
                raise SettingsError(f"{where}: texts.{key.voice}.{key.family}.{key.name}", fix)


def refuse_unnamed_presets(schedules: Schedules, wording: Catalogs) -> None:
    """Raise SettingsError for a preset that a group may choose and that some language does not name."""
    for language, words_of in wording.languages.items():
        for preset in schedules.presets:
            if preset not in words_of.section("presets"):
                raise SettingsError(f"config/wording/{language}.toml: presets.{preset}", "give this preset its name")

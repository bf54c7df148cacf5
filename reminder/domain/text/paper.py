"""What paper says of a card: its name, its end, and what there is to do. Letters and leaflets share it.

Both are made from the same facts as the pages (rules/next_step.py), so that no two of them differ on one day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from reminder.domain.rules.next_step import NextAct
from reminder.domain.text.catalog import Catalog
from reminder.domain.text.phrases import on_paper


@dataclass(frozen=True)
class Matter:
    """One card on paper. `is_both`: the two certificates of a My Number Card that end on one day.

    `opens_on`: the first day on which something can be done. `begin_by`: the latest day to begin, where a new one takes
    its time; else None. `next_on`: the day of the next act.
    """

    kind: str
    expires_on: date
    act: NextAct
    opens_on: date | None
    last_counter_day: date
    grace_ends_on: date | None
    label: str | None = None
    is_computed: bool = False
    is_bound: bool = False
    is_both: bool = False
    begin_by: date | None = None
    next_on: date | None = None

    @property
    def is_over(self) -> bool:
        """Whether the end has passed."""
        return self.act.is_after_end


@dataclass(frozen=True)
class PaperWords:
    """The words of one language for the matters of one sheet of paper.

    `values`: the placeholders about the person and the sender. `today`: the day, in Japan, on which it is printed.
    """

    words: Catalog
    values: Mapping[str, str]
    today: date

    def thing(self, matter: Matter) -> str:
        """Return the name of the card."""
        if matter.is_both:
            return self.words.word("certificate_on_paper").format(thing=self.words.word("both_certificates"))
        return matter.label or on_paper(self.words, matter.kind)

    def day(self, matter: Matter) -> str:
        """Return the end; a computed date is marked as such."""
        full_date = self.words.date(matter.expires_on, "full_date")
        return self.words.word("about_date").format(date=full_date) if matter.is_computed else full_date

    def end(self, matter: Matter) -> str:
        """Return until when it is valid, or was; a computed date is never described as past."""
        is_said_over = matter.is_over and not matter.is_computed
        return self.words.section("letter")["was" if is_said_over else "until"].format(full_date=self.day(matter))

    def to_do(self, matter: Matter) -> list[str]:
        """Return what is to be done, a sentence a line."""
        filled = {**self.values, **self._dates(matter)}
        return [line.format_map(filled) for line in self._lines(matter)]

    def _dates(self, matter: Matter) -> dict[str, str]:
        dates = {
            "begin": matter.begin_by,
            "lastopen": matter.last_counter_day,
            "opens": matter.opens_on,
            "grace": matter.grace_ends_on,
            "next_on": matter.next_on,
        }
        # The counter's last day comes shortly, and stands beside the end with its year.
        forms = {"lastopen": "date"}
        return {
            name: self.words.date(day, forms.get(name, "full_date")) for name, day in dates.items() if day is not None
        }

    def _lines(self, matter: Matter) -> Iterator[str]:
        said, kind = self.words.section("letter"), self.words.kinds[matter.kind]
        if matter.act is NextAct.NEW_DATE or matter.act.is_under_way:
            yield said[f"next_{matter.act}"]
            return
        if matter.is_over:
            if matter.is_computed:
                yield said["look"]
            yield said["bound_after"] if matter.is_bound else kind["elder_after"]
            if matter.grace_ends_on is not None and not matter.is_computed:
                yield said["grace" if matter.act is NextAct.GRACE else "post"]
            return
        if matter.act is NextAct.OPENS and matter.opens_on is not None:
            yield said["opens"]
        yield said["bound"] if matter.is_bound else kind["elder_to_do"]
        if matter.act is NextAct.CLOSED:
            yield said["closed"]
        if matter.begin_by is not None:
            yield said["begin" if self.today <= matter.begin_by else "late"]
        if self.today <= matter.last_counter_day < matter.expires_on:
            yield said["lastopen"]
        if matter.is_computed:
            yield said["computed"]

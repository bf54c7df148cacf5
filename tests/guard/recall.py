"""The guard measured on its corpora, each in two halves: `python -m tests.guard.recall`.

The recogniser was tuned on one half only, which `--misses` lists; of the other, sealed half nothing but figures is
shown. A text belongs to a half by its own hash, so that new ones fall into both. The later corpora were written when
the recogniser was finished, and without a look at it: they show what it makes of cases that it was not built for.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

from reminder.domain.parsing.addresses import read_email
from reminder.errors import AddressError, ForbiddenNumberError
from reminder.guard.numbers import forbidden, forbidden_in_record

DATA = Path(__file__).parents[1] / "data" / "guard"
TUNED, SEALED = "tuned", "sealed"
FIRST, LATER = "first", "later"
BETWEEN_FIELDS = "⏐"


@dataclass(frozen=True)
class Entry:
    """One text of a corpus, and whether the guard must refuse it."""

    corpus: str
    kind: str
    text: str
    is_hostile: bool

    @property
    def half(self) -> str:
        """The half that it belongs to."""
        return SEALED if sha256(self.text.encode()).digest()[0] % 2 else TUNED

    @property
    def is_refused(self) -> bool:
        """Whether the product refuses it."""
        if self.kind == "address":
            try:
                read_email(self.text)
            except ForbiddenNumberError:
                return True
            except AddressError:
                return False
            return False
        fields = self.text.split(BETWEEN_FIELDS)
        return any(forbidden(one) is not None for one in fields) or (
            len(fields) > 1 and forbidden_in_record(fields) is not None
        )


def entries() -> Iterator[Entry]:
    """Yield all corpora."""
    for corpus, ending in ((FIRST, ""), (LATER, "_later")):
        for name in ("hostile", "ordinary"):
            for line in (DATA / f"{name}{ending}.tsv").read_text(encoding="utf-8").splitlines():
                if line and not line.startswith("#"):
                    kind, _, text = line.partition("\t")
                    yield Entry(corpus, kind, text.replace("\\n", "\n").replace("\\\\", "\\"), name == "hostile")


@dataclass(frozen=True)
class Measured:
    """What the guard does with one half of a corpus of hostile texts and of one of ordinary texts."""

    hostile: int
    caught: int
    ordinary: int
    refused: int

    @property
    def recall(self) -> float:
        """The share of hostile texts that are refused."""
        return self.caught / self.hostile

    @property
    def false_alarms(self) -> float:
        """The share of ordinary texts that are refused."""
        return self.refused / self.ordinary


def measured(corpus: str, half: str) -> Measured:
    """Return the figures of one half of a corpus, FIRST or LATER."""
    mine = [one for one in entries() if one.corpus == corpus and one.half == half]
    hostile = [one.is_refused for one in mine if one.is_hostile]
    ordinary = [one.is_refused for one in mine if not one.is_hostile]
    return Measured(len(hostile), sum(hostile), len(ordinary), sum(ordinary))


def main() -> None:
    """Print the figures, and with --misses what is wrong in the half that may be looked at."""
    for corpus, half in product((FIRST, LATER), (TUNED, SEALED)):
        found = measured(corpus, half)
        print(
            f"{corpus}, {half}: recall {found.caught} of {found.hostile} ({found.recall:.1%}), "
            f"false alarms {found.refused} of {found.ordinary} ({found.false_alarms:.1%})"
        )
    if "--misses" in sys.argv:
        for one in entries():
            if one.half == TUNED and one.is_refused != one.is_hostile:
                print("missed" if one.is_hostile else "false alarm", one.kind, repr(one.text), sep="\t")


if __name__ == "__main__":
    main()

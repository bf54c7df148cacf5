"""A year of a small part of the village is told as it always was; the whole of it in five years is one command."""

from pathlib import Path

from tests.journeys.whole_village import digest, whole

KEPT = Path(__file__).parents[1] / "data" / "a_year_of_the_village.txt"


def test_a_year_of_the_village_is_told_to_the_letter_as_it_was_when_its_digest_was_kept(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Where this fails and a text, a day or an hour was changed on purpose: look at the lines that differ between
    `python -m tests.journeys.whole_village --short --years 1 --out FILE` before and after, and then keep the new digest
    and count, which that command prints, in tests/data/a_year_of_the_village.txt."""
    lines = whole(sqlite_url, tmp_path, 1, is_short=True)

    assert f"{digest(lines)} {len(lines)}" == KEPT.read_text(encoding="utf-8").strip()

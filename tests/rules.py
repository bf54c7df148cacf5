"""The rules and words that are shipped, read once."""

from pathlib import Path

from reminder.domain.cards import read_kinds
from reminder.domain.parsing.column_headings import read_headings
from reminder.domain.people import Language
from reminder.domain.text.card_pictures import read_pictures
from reminder.domain.text.catalog import read_wording
from reminder.settings import read_table

CONFIG = Path(__file__).parents[1] / "config"
TABLES = {
    Language(path.stem): read_table(path)
    for path in sorted((CONFIG / "wording").glob("*.toml"))
    if path.name != "lint.toml"
}
LANGUAGES = tuple(TABLES)
KINDS = read_kinds(read_table(CONFIG / "cards.toml"))
WORDING = read_wording(TABLES, KINDS)
HEADINGS = read_headings(read_table(CONFIG / "headings.toml"))
PICTURES = read_pictures(read_table(CONFIG / "pictures.toml"), KINDS)

"""The rules and words that are shipped, read once."""

from pathlib import Path

from reminder.domain.model.card_kinds import read_kinds
from reminder.domain.model.own_kinds import Kinds
from reminder.domain.model.people import Language
from reminder.domain.parsing.column_headings import read_headings
from reminder.domain.rules.quotas import read_quotas
from reminder.domain.rules.schedule_config import read_schedules
from reminder.domain.rules.steps import StepText
from reminder.domain.text.card_pictures import read_pictures
from reminder.domain.text.catalog import read_audience_of, read_wording
from reminder.domain.text.composer import Composer
from reminder.settings import read_table

CONFIG = Path(__file__).parents[1] / "config"
TABLES = {
    Language(path.stem): read_table(path)
    for path in sorted((CONFIG / "wording").glob("*.toml"))
    if path.name != "lint.toml"
}
LANGUAGES = tuple(TABLES)
KINDS = Kinds(read_kinds(read_table(CONFIG / "cards.toml")))
AUDIENCE = read_audience_of(read_table(CONFIG / "audience.toml"))
WORDING = read_wording(TABLES, KINDS, AUDIENCE)
COMPOSER = Composer(WORDING)
SCHEDULES = read_schedules(read_table(CONFIG / "schedules.toml"))
STEPS = tuple(rule.name for rule in SCHEDULES.steps)
HEADINGS = read_headings(read_table(CONFIG / "headings.toml"))
QUOTAS = read_quotas(read_table(CONFIG / "quotas.toml"))
PICTURES = read_pictures(read_table(CONFIG / "pictures.toml"), KINDS)


def step_text(key: str) -> StepText:
    """Return what is said at a step: opens, d60, lastopen, a7, g30, post, or one of the schedules by its name."""
    found = StepText.read(key) or next((rule.text for rule in SCHEDULES.steps if rule.name == key), None)
    assert found is not None, key
    return found

"""A preview as an SVG file."""

from collections.abc import Sequence
from datetime import date

from reminder.domain.model.people import Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.planning.preview import Preview, PreviewedCard
from reminder.web.drawing.timeline import MarkState, Timeline, TimelineMark, document


def draw(
    rules: Rulebook,
    card: PreviewedCard,
    mode: Mode,
    language: Language,
    planned: Sequence[Preview],
    today: date | None = None,
) -> str:
    """Return the plan as an SVG document."""
    words = rules.wording.of(language)
    dates, _ = rules.plan(card.kind, card.expires_on, mode, insurance=True, is_bound=card.bound)
    texts = tuple(
        TimelineMark(
            row.on, row.audience, MarkState.COMING, f"{row.on.isoformat()} {row.step}: {row.text.splitlines()[0]}"
        )
        for row in planned
    )
    name = card.label or words.kinds[card.kind]["name"]
    return document(Timeline(name, dates, texts, today, rules.kind(card.kind).closes_with_counters), words)

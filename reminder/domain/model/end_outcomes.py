"""What became of an end date of a card."""

from enum import StrEnum


class EndOutcome(StrEnum):
    """What became of an end date. Each end that is counted has exactly one."""

    BEFORE = "before"  # renewed on the last day on which the card was valid, or earlier
    IN_GRACE = "in_grace"  # renewed after it, while the grace lasted
    AFTER = "after"  # renewed later than that
    ENDED = "ended"  # needed no more: returned, lost, moved away, died
    UNKNOWN = "unknown"  # nobody has said anything

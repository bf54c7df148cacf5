"""Whether a login code can leave, as a page says it: of the whole service, and nothing of any address."""

from datetime import datetime, timedelta

# Somebody is told within five seconds: the page asks again after four.
TOLD_AFTER = timedelta(seconds=3)
# The mail server has this many seconds to say that it takes mail.
TRIED_FOR = 2.5
# While it does not, it is tried again so often, as long as somebody may still wait for a code.
TRIED_AGAIN, WAITED_FOR = timedelta(seconds=10), timedelta(minutes=10)


def is_to_be_tried(
    *, is_open: bool, has_failed: bool, asked_at: datetime | None, fails_at: datetime | None, now: datetime
) -> bool:
    """Return whether the mail server is to be tried now."""
    if asked_at is None or now - asked_at > WAITED_FOR:
        return False
    return is_open or (has_failed and fails_at is not None and now - fails_at >= TRIED_AGAIN)


def is_held_up(
    *, is_open: bool, has_failed: bool, asked_at: datetime | None, fails_at: datetime | None, now: datetime
) -> bool:
    """Return whether no mail leaves: the last trial failed lately, or nobody has answered in time."""
    if has_failed and fails_at is not None and now - fails_at <= WAITED_FOR:
        return True
    return is_open and asked_at is not None and TOLD_AFTER <= now - asked_at <= WAITED_FOR

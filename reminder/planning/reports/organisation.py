"""The homes of one organisation side by side, with the number of cards and persons that need attention in each."""

from dataclasses import dataclass
from datetime import timedelta

from reminder.domain.rules.open_matters import MatterState
from reminder.planning.reports.monthly_plan import due, months_from
from reminder.planning.reports.status import group_status
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry.groups import GroupView

UNDONE = (MatterState.LATE, MatterState.BEGIN, MatterState.COUNTER, MatterState.LAST_DAY, MatterState.ARRIVES)


@dataclass(frozen=True)
class HomeCounts:
    """The counts of one home for this month and the next.

    `opens`: cards that can be renewed from a day in it. `nears`: cards that are not done and can be begun by now, or
    are to be begun in it. `ended` and `unanswered`: as of today. `unreached`: persons with a contact that gets nothing.
    """

    residents: int
    opens: int
    nears: int
    ended: int
    unanswered: int
    unreached: int


def counts(uow: UnitOfWork, home: GroupView) -> HomeCounts:
    """Return the counts of the home as of today."""
    rows = group_status(uow, home)
    today = uow.today
    first, _, after = months_from(today, 3)
    found = [one.what for one in due(uow.rules, rows, first, after - timedelta(days=1), today)]
    return HomeCounts(
        residents=len(rows),
        opens=found.count(MatterState.OPENS),
        nears=sum(found.count(state) for state in UNDONE),
        ended=found.count(MatterState.ENDED),
        unanswered=found.count(MatterState.UNANSWERED),
        unreached=sum(1 for row in rows if row.unheard or row.is_out_of_reach),
    )

"""What stands of all that the owner of an address has said: whether a group may write there, and may ask."""

from collections.abc import Iterable
from datetime import datetime

from reminder.domain.model.consent_records import (
    OWN_WORD,
    STOPPED_BY,
    STRENGTH,
    ConsentAct,
    ConsentRecord,
)
from reminder.domain.model.people import ConsentHow, stops_lifted

# A group of which the ledger knows nothing.
_ANY = -1


def refusal_for(records: Iterable[ConsentRecord], group_id: int) -> ConsentRecord | None:
    """Return the refusal that stands for a group, None where it may write. `records`: of one address, oldest first.

    What the owner has said for the whole number holds for every group; a later consent lifts it only in a way that is
    strong enough (`stops_lifted`), and only for its own group.
    """
    stands: ConsentRecord | None = None
    for record in records:
        if record.group_id not in (None, group_id):
            continue
        if record.act in (ConsentAct.WITHDREW, ConsentAct.WRONG_PERSON):
            # A weaker word does not replace a stronger one: what the family enters later is no reason to lift a STOP.
            stands = record if stands is None or not _is_stronger(stands, record) else stands
        elif record.act is ConsentAct.CONSENTED and stands is not None and _lifts(record, stands):
            stands = None
    return stands


def has_refused(records: Iterable[ConsentRecord]) -> bool:
    """Return whether a no of the owner's own stands, to any group: then no stranger may ask them."""
    known = tuple(records)
    groups = {_ANY, *(one.group_id for one in known if one.group_id is not None)}
    refusals = (refusal_for(known, group_id) for group_id in groups)
    return any(one is not None and one.act is ConsentAct.WITHDREW and one.way in OWN_WORD for one in refusals)


def is_stopped_for_all(records: Iterable[ConsentRecord]) -> bool:
    """Return whether a no stands for the whole number, also one that the operator was told."""
    return refusal_for(records, _ANY) is not None


def times_asked(records: Iterable[ConsentRecord], group_id: int) -> tuple[int, datetime | None]:
    """Return how often a group has asked by our fixed question since the owner last agreed to it, and when last.

    It outlives the contact: nobody is pressed by being entered anew.
    """
    times, last = 0, None
    for record in records:
        if record.act is ConsentAct.ASKED and record.group_id == group_id:
            times, last = times + 1, record.at
        elif record.act is ConsentAct.CONSENTED and record.group_id in (None, group_id):
            times, last = 0, None
    return times, last


def has_consented(records: Iterable[ConsentRecord], group_id: int) -> bool:
    """Return whether the owner has ever agreed to messages of this group."""
    return any(one.act is ConsentAct.CONSENTED and one.group_id == group_id for one in records)


def _lifts(consent: ConsentRecord, refusal: ConsentRecord) -> bool:
    if refusal.act is ConsentAct.WRONG_PERSON:
        # It may be somebody else's by now. Whoever has made sure says so.
        return True
    return STOPPED_BY[refusal.way] in stops_lifted(STRENGTH[consent.way])


def _is_stronger(one: ConsentRecord, other: ConsentRecord) -> bool:
    return _strength(one) > _strength(other)


def _strength(refusal: ConsentRecord) -> int:
    """Return how few ways of consenting lift a refusal."""
    if refusal.act is ConsentAct.WRONG_PERSON:
        return 0
    return sum(STOPPED_BY[refusal.way] not in stops_lifted(how) for how in ConsentHow)

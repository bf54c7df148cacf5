"""Bounces: stores what a mail server reports later as a receipt for the next pass. The mail itself is not stored.

Anybody may write a bounce, so it counts only with a reference that we have made: in its return path, or in the
Message-ID that it returns. An id, a time or a Message-ID from before references proves nothing. What is refused is
counted, and kept nowhere.
"""

from reminder.domain.model.messages import BOUNCED, DELAYED
from reminder.domain.model.people import ChannelName
from reminder.domain.parsing.bounces import Bounce
from reminder.storage.auth.signed_links import BOUNCE
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.maintenance import counters
from reminder.storage.outbox import other_copies, queries, receipts
from reminder.storage.outbox.queries import ReferredMessage


def keep(uow: UnitOfWork, bounce: Bounce) -> bool:
    """Store a bounce as a receipt; return False if it is not about a mail of ours, or does not prove it.

    A repeated one changes nothing.
    """
    mail = _proved(uow, bounce)
    if mail is None or mail.channel is not ChannelName.EMAIL or not mail.was_handed_over:
        counters.count_refused_bounce(uow.tx, uow.now)
        return False
    receipts.keep(
        uow.tx,
        # A message whose answer was lost has no provider id yet.
        provider_id=mail.provider_id or f"mail-{mail.id}",
        status=BOUNCED if bounce.is_final else DELAYED,
        error_code=bounce.status,
        message_id=mail.id,
        now=uow.now,
    )
    return True


def _proved(uow: UnitOfWork, bounce: Bounce) -> ReferredMessage | None:
    """Return the message that the bounce names: by its return path, or without one by the Message-ID it returns.

    None where a return path is not ours, or where it names two messages. Servers may put a Message-ID of their own in
    the place of ours, but not that of another mail of ours.
    """
    by_path = [other_copies.referred(uow.tx, uow.keys, one) for one in bounce.paths]
    by_path += [_of_before(uow, *one) for one in bounce.old_paths]
    returned = [other_copies.referred(uow.tx, uow.keys, one) for one in bounce.mail_ids]
    named = by_path + [one for one in returned if one is not None]
    return named[0] if named and all(one == named[0] for one in named) else None


def _of_before(uow: UnitOfWork, message_id: int, mark: str) -> ReferredMessage | None:
    """Return the message of a return path from before references, which the key ring has signed."""
    if not uow.keys.is_signed(str(message_id), BOUNCE, mark):
        return None
    mail = queries.by_id(uow.tx, message_id)
    return mail if mail is not None and uow.keys.references.is_older(mail.created_at) else None

"""Bounces: stores what a mail server reports later as a receipt for the next pass. The mail itself is not stored."""

from reminder.domain.model.messages import BOUNCED, DELAYED
from reminder.domain.parsing.bounces import Bounce
from reminder.storage.auth.signed_links import BOUNCE
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queries, receipts


def keep(uow: UnitOfWork, bounce: Bounce) -> bool:
    """Store a bounce as a receipt; return False if it is about no mail of ours. A repeated one changes nothing."""
    about = str(bounce.message_id)
    if bounce.mark is not None and not uow.keys.is_signed(about, BOUNCE, bounce.mark):
        return False
    mail = queries.sent_mail(uow.tx, bounce.message_id)
    if mail is None or (bounce.mark is None and bounce.mail_id != mail.provider_id):
        return False
    receipts.keep(
        uow.tx,
        # A message whose answer was lost has no provider id yet.
        provider_id=mail.provider_id or f"mail-{bounce.message_id}",
        status=BOUNCED if bounce.is_final else DELAYED,
        error_code=bounce.status,
        message_id=bounce.message_id,
        now=uow.now,
    )
    return True

"""Bounces: what a mail server says later, kept as a receipt that the next pass applies. Of the mail itself nothing is
kept."""

from reminder.domain.model.messages import BOUNCED, DELAYED
from reminder.domain.parsing.bounces import Bounce
from reminder.storage.auth.signed_links import BOUNCE
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queries, receipts


def keep(uow: UnitOfWork, bounce: Bounce) -> bool:
    """False for what speaks of no mail that we have sent. A repeated one changes nothing."""
    about = str(bounce.message_id)
    if bounce.mark is not None and not uow.keys.is_signed(about, BOUNCE, bounce.mark):
        return False
    mail = queries.sent_mail(uow.tx, bounce.message_id)
    if mail is None or (bounce.mark is None and bounce.mail_id != mail.provider_id):
        return False
    receipts.keep(
        uow.tx,
        # One whose answer was lost has no name yet.
        provider_id=mail.provider_id or f"mail-{bounce.message_id}",
        status=BOUNCED if bounce.is_final else DELAYED,
        error_code=bounce.status,
        message_id=bounce.message_id,
        now=uow.now,
    )
    return True

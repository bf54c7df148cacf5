"""E-mails to the owner of an account, and to the owners of a group, about what somebody else may have done.

Each is queued in the transaction of the act: who is told, the act has happened, and the other way round. They belong to
no group, so that no quota, trial or suspension holds them back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from reminder.clock import JAPAN
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, Language, Role
from reminder.domain.parsing import addresses
from reminder.storage.auth import accounts
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import groups

# A mail server that is down for some days must not swallow it.
TRUE_FOR = timedelta(days=7)


@dataclass(frozen=True)
class _Reader:
    address: str
    language: Language


def tell_account(uow: UnitOfWork, act: AccountAct, account_id: int, *, device: str, about: int | None = None) -> None:
    """Tell the owner of an account. `device`: where it was done; `about`: the id of what it was done to."""
    account = accounts.find(uow.tx, uow.keys, account_id)
    if account is not None:
        _tell(uow, act, [_Reader(account.address, account.language)], f"a{account_id}", device, about, None)


def tell_group(
    uow: UnitOfWork,
    act: AccountAct,
    group_id: int,
    *,
    device: str,
    by: int | None = None,
    whom: int | None = None,
    about: int | None = None,
    but: int | None = None,
) -> None:
    """Tell the owners of a group, the member who did it (`by`), and the one to whom it was done (`whom`).

    `but`: a member who is not told. Whoever reads it by one address reads it once. It is to be called before a member
    is removed.
    """
    group = groups.find(uow.tx, group_id)
    members = accounts.members(uow.tx, uow.keys, group_id)
    told = [
        _Reader(one.address, one.language)
        for one in members
        if one.address is not None and one.is_proved and one.id != but
        if one.role is Role.OWNER or one.id in (by, whom)
    ]
    # A stranger has named a group on trial, and may have invited the reader.
    name = group.name if group is not None and not group.is_on_trial else None
    _tell(uow, act, told, f"g{group_id}", device, about if whom is None else whom, name)


def _tell(
    uow: UnitOfWork,
    act: AccountAct,
    told: Iterable[_Reader],
    whose: str,
    device: str,
    about: int | None,
    group: str | None,
) -> None:
    drafts = []
    for number, reader in enumerate({addresses.address_identity(one.address): one for one in told}.values()):
        said = uow.rules.composer.account_act(reader.language, act, uow.now.astimezone(JAPAN), device, group)
        drafts.append(
            MessageDraft(
                # Twice in a moment, as by a second press of a button, is once.
                key=f"act:{act}:{whose}:{about or ''}:{uow.now:%Y%m%d%H%M%S}:{number}",
                kind=MessageKind.NOTICE,
                group_id=None,
                contact_id=None,
                address=reader.address,
                audience=Audience.CARER,
                channel=ChannelName.EMAIL,
                subject=said.subject,
                text=said.text,
                segments=0,
                scheduled_at=uow.now,
                expires_at=uow.now + TRUE_FOR,
                urgency=Urgency.ANSWER,
                language=reader.language,
            )
        )
    queue.add_new(uow.tx, uow.keys, drafts, uow.now)

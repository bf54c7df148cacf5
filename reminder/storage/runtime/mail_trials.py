"""Whether mail can leave now: somebody waits for a code, and a worker has found out since, or has not."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from reminder.storage.runtime import heartbeats

_ASKED, _WORKS, _FAILS = "code_asked", "mail_works", "mail_fails"


@dataclass(frozen=True)
class MailTrial:
    """What is known, of the whole service. `asked_at`: since when somebody waits to know. Instants are aware UTC."""

    asked_at: datetime | None
    works_at: datetime | None
    fails_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether somebody has asked since the last answer."""
        known = [at for at in (self.works_at, self.fails_at) if at is not None]
        return self.asked_at is not None and all(self.asked_at > at for at in known)

    @property
    def has_failed(self) -> bool:
        """Whether the last answer was that no mail leaves."""
        return self.fails_at is not None and (self.works_at is None or self.fails_at > self.works_at)


def find(tx: Session) -> MailTrial:
    """Return what is known."""
    return MailTrial(*(heartbeats.last(tx, name) for name in (_ASKED, _WORKS, _FAILS)))


def want(tx: Session, now: datetime) -> None:
    """Record that somebody waits for a code, unless somebody waits already."""
    if not find(tx).is_open:
        heartbeats.record(tx, _ASKED, now)


def record(tx: Session, *, works: bool, now: datetime) -> None:
    """Record whether mail can leave."""
    heartbeats.record(tx, _WORKS if works else _FAILS, now)

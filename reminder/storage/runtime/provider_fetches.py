"""How far the lists of providers have been read, and the gaps that are to be read again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, case, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName
from reminder.storage.db.statements import insert_or_ignore, put
from reminder.storage.db.tables import ProviderFetch


@dataclass(frozen=True)
class FetchView:
    """How far the list of a channel has been read; see db/tables.ProviderFetch. Instants are aware UTC."""

    channel: ChannelName
    fetched_until: datetime | None = None
    wanted_since: datetime | None = None
    since: datetime | None = None
    began_at: datetime | None = None
    next_page: str | None = None
    tried_at: datetime | None = None
    failure: str | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is a gap to read, or a reading to go on with."""
        return self.wanted_since is not None or self.began_at is not None


_COLUMNS = (
    ProviderFetch.channel,
    ProviderFetch.fetched_until,
    ProviderFetch.wanted_since,
    ProviderFetch.since,
    ProviderFetch.began_at,
    ProviderFetch.next_page,
    ProviderFetch.tried_at,
    ProviderFetch.failure,
)
# Built once: a worker asks it every few seconds.
_OF = select(*_COLUMNS).where(ProviderFetch.channel == bindparam("channel"))


def want(tx: Session, channels: Collection[ChannelName], since: datetime) -> None:
    """Record a gap: what the providers of these channels have said since then may not have reached us."""
    for channel in channels:
        if insert_or_ignore(tx, ProviderFetch, channel=channel, wanted_since=since):
            continue
        is_earlier = or_(ProviderFetch.wanted_since.is_(None), ProviderFetch.wanted_since > since)
        tx.execute(update(ProviderFetch).where(ProviderFetch.channel == channel, is_earlier).values(wanted_since=since))


def of(tx: Session, channel: ChannelName) -> FetchView:
    """Return how far the list of a channel has been read."""
    row = tx.connection().execute(_OF, {"channel": channel}).one_or_none()
    return FetchView(channel) if row is None else FetchView(channel, *row[1:])


def begin(tx: Session, channel: ChannelName, *, since: datetime, now: datetime) -> None:
    """Record that the list is being read from then on; a gap that is found later is read afterwards."""
    values = {
        "since": since,
        "began_at": now,
        "next_page": None,
        "wanted_since": None,
        "tried_at": now,
        "failure": None,
    }
    put(tx, ProviderFetch, {"channel": channel}, values)


def go_on(tx: Session, channel: ChannelName, page: str, now: datetime) -> None:
    """Record the page with which the reading goes on."""
    these = update(ProviderFetch).where(ProviderFetch.channel == channel)
    tx.execute(these.values(next_page=page, tried_at=now))


def finish(tx: Session, channel: ChannelName, began_at: datetime, now: datetime) -> None:
    """Record that everything until the beginning of this reading has been read."""
    until = case(
        (or_(ProviderFetch.fetched_until.is_(None), ProviderFetch.fetched_until < began_at), began_at),
        else_=ProviderFetch.fetched_until,
    )
    ended = {"since": None, "began_at": None, "next_page": None, "tried_at": now, "failure": None}
    tx.execute(update(ProviderFetch).where(ProviderFetch.channel == channel).values(fetched_until=until, **ended))


def fail(tx: Session, channel: ChannelName, reason: str, now: datetime) -> None:
    """Record that the provider could not be asked. The reading begins anew, from where it began."""
    values = {"next_page": None, "tried_at": now, "failure": reason[:40]}
    tx.execute(update(ProviderFetch).where(ProviderFetch.channel == channel).values(**values))

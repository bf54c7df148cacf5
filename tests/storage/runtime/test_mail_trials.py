"""Whether mail leaves: asked once by all who wait, and answered for all of them."""

from reminder.storage.runtime import mail_trials
from reminder.storage.runtime.mail_trials import MailTrial
from tests.storage.conftest import HOUR, NOW, Rows


def test_who_asks_while_somebody_waits_changes_nothing(rows: Rows) -> None:
    assert mail_trials.find(rows.tx) == MailTrial(None, None, None)
    assert not mail_trials.find(rows.tx).is_open

    mail_trials.want(rows.tx, NOW)
    mail_trials.want(rows.tx, NOW + HOUR)

    assert mail_trials.find(rows.tx) == MailTrial(NOW, None, None)
    assert mail_trials.find(rows.tx).is_open


def test_an_answer_holds_until_somebody_asks_again(rows: Rows) -> None:
    mail_trials.want(rows.tx, NOW)
    mail_trials.record(rows.tx, works=False, now=NOW + HOUR)
    failed = mail_trials.find(rows.tx)
    mail_trials.want(rows.tx, NOW + 2 * HOUR)
    mail_trials.record(rows.tx, works=True, now=NOW + 3 * HOUR)
    works = mail_trials.find(rows.tx)

    assert (failed.is_open, failed.has_failed) == (False, True)
    assert (works.is_open, works.has_failed, works.asked_at) == (False, False, NOW + 2 * HOUR)

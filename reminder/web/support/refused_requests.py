"""Counting of refused requests by cause, so that the operator learns of an attack that nobody else notices.

A process counts in memory and stores its counts every few seconds, so that a flood costs no writes. Nothing of a
request is kept.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from fastapi import Request

from reminder.errors import DatabaseNotReadyError, KigenError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import counters

STORED_EVERY = 10.0  # seconds
# Where the code of a refusal stands in the state of its request.
REFUSED_CODE, CLIENT_GONE = "refused_code", "client_gone"


class Cause(StrEnum):
    """Why a request was refused, or for login codes: what was asked for."""

    FORGED_MESSAGES = "forged_messages"
    WRONG_TOKENS = "wrong_tokens"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    MALFORMED = "malformed"
    HIDDEN_NUMBERS = "hidden_numbers"
    REFUSED_SHEETS = "refused_sheets"
    QUOTA_REACHED = "quota_reached"
    LOGIN_CODES = "login_codes"


_BY_STATUS = {
    400: Cause.MALFORMED,
    408: Cause.TOO_SLOW,
    413: Cause.TOO_LARGE,
    414: Cause.TOO_LARGE,
    429: Cause.TOO_MANY_REQUESTS,
    431: Cause.TOO_LARGE,
}


def cause_of(method: str, path: str, status: int, code: str) -> Cause | None:
    """Return what an answer is counted as, None for most. `code`: of the refusal, "" if there is none."""
    if status == 401 and path.startswith("/api/"):
        return Cause.WRONG_TOKENS
    if status == 403 and path.startswith("/webhooks/"):
        return Cause.FORGED_MESSAGES
    if method == "POST" and path == "/sign-in" and status < 400:
        return Cause.LOGIN_CODES
    if status < 400 or code == CLIENT_GONE:
        return None
    if code.startswith("quota_"):
        return Cause.QUOTA_REACHED
    if code.startswith("sheet_") and status == 422:
        return Cause.REFUSED_SHEETS
    if code in ("forbidden_number", "text_too_long"):
        return Cause.HIDDEN_NUMBERS
    if code in ("request_malformed", "form_too_large"):
        return Cause.MALFORMED
    return _BY_STATUS.get(status)


def note_refusal(request: Request, refused: KigenError) -> None:
    """Let the count of this request know its refusal, also one that is shown within a page."""
    setattr(request.state, REFUSED_CODE, refused.code)


class RefusedRequests:
    """The requests that this process has refused and not stored yet."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changing = threading.Lock()

    def count(self, cause: Cause) -> None:
        """Count one request."""
        with self._changing:
            self._counts[cause] += 1

    def store(self, units: UnitsOfWork, now: datetime) -> None:
        """Store the counts; while the database is away they wait."""
        with self._changing:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with units.writing(now) as uow:
                counters.count_requests(uow.tx, counts)
        except DatabaseNotReadyError:
            self._add(counts)

    def _add(self, counts: Mapping[str, int]) -> None:
        with self._changing:
            self._counts.update(counts)

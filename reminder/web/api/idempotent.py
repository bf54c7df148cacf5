"""Idempotent requests: a request that is repeated with the same key does nothing and gets the first answer again.

The act and its answer are stored in one transaction, so that a crash cannot separate them.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from fastapi.responses import Response
from pydantic import BaseModel

from reminder.domain.model.people import Language
from reminder.errors import ConflictError, KigenError, RefusedInputError
from reminder.storage.auth import idempotency
from reminder.storage.auth.idempotency import KEPT_FOR, IdempotentRequest, StoredResponse
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.web.api import problems
from reminder.wiring import App

# Longer than any answer takes: after this time the request that began it is given up.
GIVEN_UP_AFTER = timedelta(minutes=1)


def answer(
    app: App, asked: IdempotentRequest, language: Language, status: int, act: Callable[[UnitOfWork], BaseModel]
) -> Response:
    """Return the answer that `act` gives in one unit of work, or the one that is stored under the same key.

    Raises ConflictError while another request with the key runs, RefusedInputError if the key belongs to a different
    one.
    """
    began = app.clock.now()
    kept = _begin(app, asked, began)
    if kept is not None:
        return kept
    try:
        with app.writing() as uow:
            body = act(uow).model_dump_json()
            if not idempotency.keep(uow.tx, uow.keys, asked, began, status=status, body=body):
                raise ConflictError("being_answered", field="Idempotency-Key")
    except RefusedInputError as refused:
        problem = problems.problem_of(app, refused, language)
        status, body = problem.status, problem.model_dump_json(exclude_none=True)
        with app.writing() as uow:
            idempotency.keep(uow.tx, uow.keys, asked, began, status=status, body=body)
    except Exception:
        with suppress(KigenError), app.writing() as uow:
            idempotency.give_up(uow.tx, asked, began)
        raise
    return _response(status, body)


def _begin(app: App, asked: IdempotentRequest, now: datetime) -> Response | None:
    """Return the stored answer, or None if this request is to be answered now."""
    with app.units.writing(now) as uow:
        kept = idempotency.find(uow.tx, uow.keys, asked)
        if kept is None and idempotency.begin(uow.tx, asked, now):
            return None
        # Another request may have begun or been given up meanwhile.
        kept = kept or idempotency.find(uow.tx, uow.keys, asked)
        if kept is not None and _is_over(kept, now) and idempotency.begin_again(uow.tx, kept, asked, now):
            return None
    if kept is not None and not kept.is_same:
        raise RefusedInputError("idempotency_key_reused", field="Idempotency-Key")
    if kept is None or kept.status is None or kept.body is None:
        raise ConflictError("being_answered", field="Idempotency-Key")
    return _response(kept.status, kept.body)


def _is_over(kept: StoredResponse, now: datetime) -> bool:
    """Return whether a stored answer is past its time, or its request began and never ended."""
    since = now - kept.created_at
    return since >= KEPT_FOR or (kept.status is None and kept.is_same and since >= GIVEN_UP_AFTER)


def _response(status: int, body: str) -> Response:
    return Response(body, status, media_type="application/json" if status < 400 else problems.MEDIA_TYPE)

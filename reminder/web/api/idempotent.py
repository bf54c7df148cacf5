"""A request that a program sends again under the same key does nothing, and is answered as it was the first time.

What was done and the answer are kept in one transaction, so that a crash between the two is none.
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

# Longer than any answer takes: who began to answer it does so no more.
GIVEN_UP_AFTER = timedelta(minutes=1)


def answer(
    app: App, asked: IdempotentRequest, language: Language, status: int, act: Callable[[UnitOfWork], BaseModel]
) -> Response:
    """Return the answer that `act` gives in one unit of work, or the one that was kept under the same key.

    Raises ConflictError while another one is being answered, RefusedInputError where the key named another one.
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
    """None where this request is to be answered now, by us."""
    with app.units.writing(now) as uow:
        kept = idempotency.find(uow.tx, uow.keys, asked)
        if kept is None and idempotency.begin(uow.tx, asked, now):
            return None
        # Another one may have begun meanwhile, or given up.
        kept = kept or idempotency.find(uow.tx, uow.keys, asked)
        if kept is not None and _is_over(kept, now) and idempotency.begin_again(uow.tx, kept, asked, now):
            return None
    if kept is not None and not kept.is_same:
        raise RefusedInputError("idempotency_key_reused", field="Idempotency-Key")
    if kept is None or kept.status is None or kept.body is None:
        raise ConflictError("being_answered", field="Idempotency-Key")
    return _response(kept.status, kept.body)


def _is_over(kept: StoredResponse, now: datetime) -> bool:
    """Kept long enough, or begun by somebody who has not been heard of since."""
    since = now - kept.created_at
    return since >= KEPT_FOR or (kept.status is None and kept.is_same and since >= GIVEN_UP_AFTER)


def _response(status: int, body: str) -> Response:
    return Response(body, status, media_type="application/json" if status < 400 else problems.MEDIA_TYPE)

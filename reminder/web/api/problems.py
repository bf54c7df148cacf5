"""Refusals of the API: RFC 9457 problem details with a stable code, the field, and what to do; never what was sent."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from reminder.domain.model.people import Language
from reminder.domain.parsing.language_tags import best_match
from reminder.domain.text.error_messages import explain
from reminder.errors import (
    ConflictError,
    DatabaseNotReadyError,
    DateError,
    KigenError,
    NeedsConfirmationError,
    NotFoundError,
    RefusedInputError,
    TooBusyError,
    TooManyRequestsError,
    UnknownChoiceError,
)
from reminder.web.support.authorization import GroupSuspendedError, NotAllowedError
from reminder.web.support.refused_requests import note_refusal
from reminder.wiring import App

MEDIA_TYPE = "application/problem+json"
# A program that is wrong in more places mends these first.
_MOST_NAMED = 50
# The section of config/wording/ that addresses programmers, not people at a command line.
WORDS = "errors_api"


class NoTokenError(KigenError):
    """The request has no token."""

    code = "token_needed"


class WrongTokenError(KigenError):
    """The token was never made, was revoked, or its maker has left."""

    code = "token_wrong"


class ScopeTooSmallError(KigenError):
    """The token has too small a scope."""

    code = "scope_too_small"


class InvalidField(BaseModel):
    """A field that is not as the document says."""

    field: str
    code: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details.

    `code` is stable; `detail` is a sentence for people, in the language of `Accept-Language`. Nothing that was refused
    is repeated in it.
    """

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    choices: list[str] | None = None
    confirm: dict[str, bool] | None = None
    errors: list[InvalidField] | None = None


_STATUS: Mapping[type[KigenError], int] = {
    NoTokenError: 401,
    WrongTokenError: 401,
    ScopeTooSmallError: 403,
    NotAllowedError: 403,
    GroupSuspendedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooBusyError: 503,
    TooManyRequestsError: 429,
    RefusedInputError: 422,
    DatabaseNotReadyError: 503,
}
_CHALLENGES = {
    NoTokenError: 'Bearer realm="kigen"',
    WrongTokenError: 'Bearer realm="kigen", error="invalid_token"',
    ScopeTooSmallError: 'Bearer realm="kigen", error="insufficient_scope"',
}
# The API's name of each field that the use cases call differently.
_FIELDS = {"ref": "reference", "card_label": "label", "group_name": "name", "contact": "contact_id", "card": "card_id",
           "person": "person_id"}  # fmt: skip
# Repeated with this value, the request is taken.
_YES = {"confirmed": True}


def problem_of(
    app: App, refused: KigenError, language: Language, invalid: Sequence[InvalidField] = ()
) -> ProblemDetails:
    """Return the problem details of a refusal in this language."""
    status = next((code for kind, code in _STATUS.items() if isinstance(refused, kind)), 500)
    field = refused.field if isinstance(refused, RefusedInputError) else None
    choices = refused.choices if isinstance(refused, DateError | UnknownChoiceError) else ()
    return ProblemDetails(
        title=refused.code,
        status=status,
        code=refused.code,
        detail=explain(app.rules.wording, refused, language, own=WORDS),
        field=None if field is None else _FIELDS.get(field, field),
        choices=[str(choice) for choice in choices] or None,
        confirm=_YES if isinstance(refused, NeedsConfirmationError) else None,
        errors=list(invalid) or None,
    )


def answer(request: Request, refused: KigenError, invalid: Sequence[InvalidField] = ()) -> JSONResponse:
    """Return the response to a refusal."""
    note_refusal(request, refused)
    problem = problem_of(request.app.state.app, refused, language_of(request), invalid)
    challenge = _CHALLENGES.get(type(refused))
    headers = {} if challenge is None else {"www-authenticate": challenge}
    if isinstance(refused, TooManyRequestsError | DatabaseNotReadyError):
        headers["retry-after"] = str(refused.retry_after)
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, headers, media_type=MEDIA_TYPE)


def language_of(request: Request) -> Language:
    """Return the language of sentences: the one of config/wording/ that Accept-Language likes best, else Japanese."""
    liked = best_match(request.headers.get("accept-language", ""), request.app.state.app.rules.wording.offered)
    return liked.code if liked is not None else Language.JAPANESE


def malformed(request: Request, wrong: RequestValidationError) -> JSONResponse:
    """Return the response that names our fields that are wrong.

    An unknown field is not named: its name is part of what was sent.
    """
    found = dict.fromkeys(
        (_field(row), _CODES.get(_family(row["type"]), "malformed")) for row in islice(wrong.errors(), _MOST_NAMED)
    )
    invalid = [InvalidField(field=field, code=code) for field, code in found]
    return answer(request, RefusedInputError("request_malformed"), invalid)


def _field(row: Mapping[str, Any]) -> str:
    place, *inside = row["loc"]
    if row["type"] in ("extra_forbidden", "json_invalid"):
        inside = inside[:-1]
    return ".".join(map(str, inside)) or str(place)


def _family(type_: str) -> str:
    return type_.removesuffix("_type").removesuffix("_parsing") if type_ not in _CODES else type_


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "json_invalid": "not_json",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "string_pattern_mismatch": "wrong_form",
    "enum": "unknown_choice",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "int_parsing_size": "out_of_range",
    **dict.fromkeys(
        ("string", "int", "bool", "model", "model_attributes", "string_unicode", "int_from_float"), "wrong_type"
    ),
}


# The meaning of each status, for the document.
_MEANINGS = {
    401: "No token was shown, or one that opens nothing.",
    403: "The token was made for less (`scope_too_small`), or its maker's role has become less (`role_too_small`), "
    "or the operator has suspended the group (`group_suspended`).",
    404: "There is none such in this group.",
    409: "It is there already, no longer in the state that this needs, or more than the group may have (`quota_…`).",
    413: "The body is too long.",
    422: "What was sent cannot be taken: malformed (`errors` names the fields), a number that is never kept "
    "(`forbidden_number`), or unusual and to be confirmed (`confirm` says how).",
    429: "Too many requests of this token, or wrong tokens from this address: `Retry-After` says when to try again.",
    500: "Something went wrong on our side.",
    503: "The data cannot be read or stored now (`database_…`), or too many sheets come in (`too_many_sheets`): "
    "`Retry-After` says when to try again.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these statuses as problems, for the document."""
    shape = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": shape}}} for status in statuses
    }

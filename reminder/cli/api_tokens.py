"""Commands for API tokens, which programs use instead of a sign-in."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Group, Id
from reminder.cli.output import AsJson, print_answer, print_rows
from reminder.domain.model.access import Actor, Scope

if TYPE_CHECKING:
    from reminder.storage.db.unit_of_work import UnitOfWork


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "What programs show instead of a sign-in. Example: reminder token make --help"
    sub = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    for name, command in (("make", make_token), ("list", list_tokens), ("revoke", revoke_token)):
        sub.command(name)(command)
    app.add_typer(sub, name="token")


def make_token(
    group: Group,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[
        Scope, typer.Option(help="read; write: also change; erase: also what only an owner may.")
    ] = Scope.READ,
    as_json: bool = AsJson,
) -> None:
    """Make a token in the name of the group's first owner. It is shown this once; only a hash of it is stored.

    Example: reminder token make --group 1 --name 表計算 --scope write
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.identity import api_tokens

    with opened_app() as app, app.writing() as uow:
        token = api_tokens.make_token(uow, who=_first_owner(uow, group), name=name, scopes=[scope])
    print_answer({"token": token, "scope": scope}, as_json=as_json, plain=token)


def list_tokens(group: Group, as_json: bool = AsJson) -> None:
    """List the tokens of a group that still work, and when each was last used.

    Example: reminder token list --group 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.identity import api_tokens

    with opened_app() as app, app.reading() as uow:
        found = api_tokens.tokens_of(uow, _first_owner(uow, group))
    print_rows(({**vars(token), "scopes": " ".join(token.scopes)} for token in found), as_json=as_json)


def revoke_token(token: Id, as_json: bool = AsJson) -> None:
    """Revoke a token at once.

    Example: reminder token revoke 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.identity import api_tokens
    from reminder.errors import NotFoundError
    from reminder.storage.auth import api_tokens as tokens_kept

    with opened_app() as app, app.writing() as uow:
        group_id = tokens_kept.group_of(uow.tx, token)
        if group_id is None:
            raise NotFoundError(field="token")
        api_tokens.revoke_token(uow, who=_first_owner(uow, group_id), token_id=token)
    print_answer({"id": token, "state": "revoked"}, as_json=as_json, plain=f"token {token} opens nothing any more")


def _first_owner(uow: "UnitOfWork", group_id: int) -> Actor:
    """Return the owner in whose name it is made. Raises RefusedInputError for a group without one."""
    from reminder.domain.model.account_acts import OPERATORS_TERMINAL
    from reminder.domain.model.people import Role
    from reminder.errors import NotFoundError, RefusedInputError
    from reminder.storage.auth import accounts
    from reminder.storage.registry import groups

    if groups.find(uow.tx, group_id) is None:
        raise NotFoundError(field="group")
    owners = [one for one in accounts.members(uow.tx, uow.keys, group_id) if one.role is Role.OWNER and one.is_proved]
    if not owners:
        raise RefusedInputError("no_owner", field="group")
    return Actor(group_id, owners[0].id, Role.OWNER, owners[0].language, OPERATORS_TERMINAL)

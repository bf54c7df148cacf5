"""The mail to the operator about a week: how many were told, and how many were not. It names nobody."""

from collections.abc import Sequence
from datetime import date

from reminder.domain.rules.evening_balance import DayBalance, total
from reminder.domain.text.catalog import BALANCE_NUMBERS, Catalog
from reminder.domain.text.model import Composed


def compose_balance(words: Catalog, first: date, last: date, balances: Sequence[DayBalance]) -> Composed:
    """Return the mail about these days in Japan; `balances` in the order in which they are shown."""
    said, plain = words.in_mail.section("balance"), words.section("balance")
    week = {"first": words.date(first), "last": words.date(last)}
    whole = total(balances, last)
    blocks = [said["about"].strip().format(**week)]
    blocks.append(said["whole"].format(**_numbers(whole)))
    blocks += ["\n".join(_row(words, one) for one in balances if one.due) or said["nothing"]]
    if not whole.is_settled or whole.to_human:
        blocks.append(said["to_do"].strip())
    return Composed(plain["subject"].format(**week), "\n\n".join(blocks) + "\n")


def _row(words: Catalog, balance: DayBalance) -> str:
    said, channels = words.in_mail.section("balance"), words.in_mail.section("channel")
    named = channels.get(balance.channel, said["no_channel"])
    return said["row"].format(day=words.date(balance.day), channel=named, **_numbers(balance))


def _numbers(balance: DayBalance) -> dict[str, int]:
    return {name: getattr(balance, name) for name in BALANCE_NUMBERS}

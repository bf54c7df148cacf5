"""Every refusal is a sentence: for each code that is raised anywhere, in each language, without what was refused."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Formatter

import pytest

from reminder import errors
from reminder.domain.model.people import Language
from reminder.domain.parsing import addresses, dates
from reminder.domain.text.error_messages import explain, explain_from
from reminder.errors import (
    DateError,
    ForbiddenNumberError,
    KigenError,
    NeedsConfirmationError,
    NotFoundError,
    RefusedInputError,
    SettingsError,
    TemporaryChannelError,
    UnknownChoiceError,
)
from reminder.guard.numbers import LooksLike
from reminder.guard.text import clean_label
from tests.rules import LANGUAGES, TABLES, WORDING

ROOT = Path(__file__).parents[3]
JA, EASY, EN = Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH
SPOKEN_ALONE = (JA, EN)  # the command line reads one of these files and no other

ERRORS = {
    name: error for name, error in vars(errors).items() if isinstance(error, type) and issubclass(error, KigenError)
}
# Whose first word is a code; the others bring what their parameters are called.
BRINGS = {
    **{name: {"reason"} for name, error in ERRORS.items() if issubclass(error, errors.ChannelError)},
    "SettingsError": {"setting", "fix"},
    "KeysMissingError": {"keys", "place"},
    "ForbiddenNumberError": {"field", "looks_like"},
    "UnknownChoiceError": {"field", "choices"},
}
SAYS_CODE_FIRST = set(ERRORS) - set(BRINGS)

SOURCES = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "reminder").rglob("*.py"))]


@dataclass(frozen=True)
class Raised:
    """One place in the source where an error is made: the codes it may have, and what is told with them."""

    error: str
    codes: frozenset[str]
    brings: frozenset[str]


def values_of(node: ast.AST | None, source: ast.Module) -> set[str]:
    """The texts an expression may have: looked up in tables and followed through names, as far as a file shows."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return values_of(one, source) | values_of(other, source)
        case ast.Dict(values=values):
            return {text for value in values for text in values_of(value, source)}
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[_, *other]):
            return {text for part in (table, *other) for text in values_of(part, source)}
        case ast.Subscript(value=table):
            return values_of(table, source)
        case ast.Name(id=name):
            given = [part.value for part in ast.walk(source) if isinstance(part, ast.Assign) and named(part, name)]
            return {text for value in given for text in values_of(value, source)}
    return set()


def named(assigned: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assigned.targets)


def raised() -> Iterator[Raised]:
    for source in SOURCES:
        for call in ast.walk(source):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS:
                name = call.func.id
                said = values_of(call.args[0], source) if call.args and name in SAYS_CODE_FIRST else set()
                brings = {keyword.arg for keyword in call.keywords if keyword.arg} | BRINGS.get(name, set())
                yield Raised(name, frozenset(said or {ERRORS[name].code}), frozenset(brings))


def documented() -> set[str]:
    """Codes that a class of errors.py says it has."""
    listed = [re.search(r"Codes: ([a-z_,\s]+)\.", error.__doc__ or "") for error in ERRORS.values()]
    return {code.strip() for found in listed if found for code in found[1].split(",")}


CODES = sorted(
    {code for place in raised() for code in place.codes} | documented() | {error.code for error in ERRORS.values()}
)


def fields() -> Iterator[str]:
    """What is passed as `field` anywhere: by its name, by its place, or as the name of a parameter of the command line."""
    takers = {
        function.name: [argument.arg for argument in function.args.args].index("field")
        for source in SOURCES
        for function in ast.walk(source)
        if isinstance(function, ast.FunctionDef) and "field" in [argument.arg for argument in function.args.args]
    }
    for source in SOURCES:
        for node in ast.walk(source):
            match node:
                case ast.Call(func=function, args=given, keywords=keywords):
                    yield from (
                        text for word in keywords if word.arg == "field" for text in values_of(word.value, source)
                    )
                    place = takers.get(getattr(function, "id", ""))
                    if place is not None and place < len(given):
                        yield from values_of(given[place], source)
                case ast.For(
                    target=ast.Tuple(elts=[ast.Name(id="field"), *_]),
                    iter=ast.Call(func=ast.Attribute(value=ast.Name(id=table))),
                ):
                    yield from keys_of(table, source)
                case ast.arg(arg=name, annotation=ast.AST() as annotation):
                    if ast.unparse(annotation) == "Id" or "callback=_kept" in ast.unparse(annotation):
                        yield name


def keys_of(name: str, source: ast.Module) -> set[str]:
    given = [part.value for part in ast.walk(source) if isinstance(part, ast.Assign) and named(part, name)]
    return {
        key.value
        for table in given
        if isinstance(table, ast.Dict)
        for key in table.keys
        if isinstance(key, ast.Constant)
    }


def section(language: Language, name: str) -> Mapping[str, str]:
    found = TABLES[language][name]
    assert isinstance(found, dict)
    return found


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field is not None}


def test_the_source_is_read_far_enough_to_see_codes_and_fields_in_every_disguise() -> None:
    found, named_fields = {code for place in raised() for code in place.codes}, set(fields())

    in_tables_and_choices = {"phone_tollfree", "page_not_found", "usage_option", "usage", "database_ahead", "refused"}
    assert found >= in_tables_and_choices | {"label_empty", "not_found", "setting_wrong", "channel_temporary"}
    assert documented() >= {"phone_pager", "database_ahead", "date_incomplete"}
    assert named_fields >= {"expires", "issued", "today", "card", "contact", "label", "state", "residence_until"}


@pytest.mark.parametrize("language", SPOKEN_ALONE)
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_sentence_that_ends(code: str, language: Language) -> None:
    sentence = section(language, "errors").get(code, "")

    assert sentence.endswith(("。" if language == JA else ".", "}")), f"add errors.{code} to {language}.toml"
    assert "\n" not in sentence


@pytest.mark.parametrize("language", SPOKEN_ALONE)
def test_every_field_and_every_kind_of_number_has_a_word(language: Language) -> None:
    assert set(fields()) - set(section(language, "fields")) == set()
    assert set(LooksLike) - set(section(language, "looks_like")) == set()


@pytest.mark.parametrize("language", SPOKEN_ALONE)
def test_a_sentence_asks_for_nothing_that_its_error_does_not_bring(language: Language) -> None:
    asked = section(language, "errors")
    # A date is read first and told later whose it is; choices may be none.
    missing = {
        (code, name)
        for place in raised()
        for code in place.codes
        for name in placeholders(asked[code]) - place.brings - {"choices"}
        if not (place.error == "DateError" and name == "field")
    }

    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_said_but_what_we_know_ourselves(language: Language) -> None:
    ours = {
        "field",
        "looks_like",
        "choices",
        "longest",
        "most_digits",
        "most",
        "furthest",
        "first",
        "last",
        "card",
        "setting",
        "fix",
        "reason",
        "command",
        "option",
        "left",
        "megabytes",
        "n",
        "row",
        "rows",
        "retry_after",
        "limit",
        "adding",
    }
    # A date that was understood, how many boxes were ticked; a heading and the names of sheets, where the guard has nothing against them.
    allowed = {
        "date_past": {"date"},
        "date_far": {"date"},
        "sheet_heading_twice": {"heading"},
        "sheet_name_unknown": {"names"},
        "column_asked": {"columns"},
        # Somebody whose name is kept already, and which of its characters cannot be printed.
        "letters_unprintable": {"people"},
        # The name of a kind, language or channel that config/ has already.
        "name_taken": {"name"},
        # The operator's words, which were checked when they were given.
        "group_suspended": {"why"},
        # The names of keys, which reveal nothing of them, and paths of files of ours.
        "keys_missing": {"keys", "place"},
        "files_open_to_others": {"files"},
        "activity_log_changed": {"position"},
        # The day on which a database was closed, and where its operator says that its data are.
        "database_moved": {"at", "to"},
        # The ids of rows.
        "roles_unproved": {"members"},
    }

    asked = {code: placeholders(sentence) for code, sentence in WORDING.languages[language].section("errors").items()}

    assert {code: names for code, names in asked.items() if names - ours} == allowed


DIGITS = "1234" * 3


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (lambda: clean_label(DIGITS, field="label"), "呼び名"),
        (lambda: clean_label("花子暗証9876", field="mark"), "しるしの言葉"),
        (lambda: clean_label("9876花子", field="label"), "呼び名"),
        (lambda: dates.read_typed(DIGITS, field="expires"), "期限"),
        (lambda: dates.read_typed("いつか9876", field="expires"), "期限"),
        (lambda: addresses.read_phone(f"{DIGITS}9876", field="address"), "電話番号"),
        (lambda: addresses.read_phone("03-9876-98", field="address"), "電話番号"),
        (lambda: addresses.read_email("hanako9876@", field="email"), "メールアドレス"),
    ],
)
def test_a_sentence_names_the_place_and_never_what_was_refused(refuse: Callable[[], object], said: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        refuse()

    for language in LANGUAGES:
        sentence = explain(WORDING, refused.value, language)
        assert not re.search("1234|9876|花子|いつか|hanako9876", sentence)
    assert said in explain(WORDING, refused.value, JA)


# Most sentences are as easy in Japanese as they can be; of these there is one of its own.
SAID_EASILY = {
    "呼び名にマイナンバーのようなものが入っています。期限の日だけをお預かりします。番号を消して、もう一度入れてください。": (
        "呼び名に マイナンバーの ような ものが あります。番号を 消して、もう一度 入れて ください。"
    ),
    "期限はない日です。カードの日付をもう一度見てください。近いのは 2026-02-28, 2026-03-01 です。": (
        "期限は ない 日です。カードを もう一度 見て ください。これですか: 2026-02-28, 2026-03-01"
    ),
    "期限はない日です。カードの日付をもう一度見てください。": "期限は ない 日です。カードを もう一度 見て ください。",
}


@pytest.mark.parametrize(
    ("error", "japanese", "english"),
    [
        (
            ForbiddenNumberError(field="label", looks_like="my_number"),
            "呼び名にマイナンバーのようなものが入っています。期限の日だけをお預かりします。番号を消して、もう一度入れてください。",
            "In the label: this looks like a My Number. We only keep dates. Delete the number and try again.",
        ),
        (
            DateError("date_impossible", field="expires", choices=[date(2026, 2, 28), date(2026, 3, 1)]),
            "期限はない日です。カードの日付をもう一度見てください。近いのは 2026-02-28, 2026-03-01 です。",
            "In the end date: there is no such day. Look at the card again. It may be 2026-02-28, 2026-03-01.",
        ),
        (
            DateError("date_impossible", field="expires"),
            "期限はない日です。カードの日付をもう一度見てください。",
            "In the end date: there is no such day. Look at the card again.",
        ),
        (
            NeedsConfirmationError("date_past", field="expires", date="2020-01-01"),
            "2020-01-01はもう過ぎています。このまま登録する時は --yes を付けてください。",
            "2020-01-01 is in the past. To keep it anyway, add --yes.",
        ),
        (
            UnknownChoiceError(field="kind", choices=["a", "b"]),
            "種類には次のどれかを入れてください: a, b",
            "For the kind, give one of: a, b",
        ),
        (
            NotFoundError(field="card"),
            "カードが見つかりません。`reminder list` で番号を確かめてください。",
            "Not found: the card. `reminder list` shows the numbers.",
        ),
        (
            SettingsError("REMINDER_CONFIG", "name a folder"),
            "設定 REMINDER_CONFIG を直してください: name a folder",
            "Setting REMINDER_CONFIG: name a folder",
        ),
        (
            TemporaryChannelError("503"),
            "送信できませんでした（503）。あとでもう一度送ります。",
            "It could not be sent (503) and will be tried again later.",
        ),
    ],
)
def test_a_sentence_says_where_and_what_to_do_next(error: KigenError, japanese: str, english: str) -> None:
    assert explain(WORDING, error, JA) == japanese
    assert explain(WORDING, error, EASY) == SAID_EASILY.get(japanese, japanese)
    assert explain(WORDING, error, EN) == english


def test_of_many_days_that_may_be_meant_three_are_offered() -> None:
    error = DateError("date_ambiguous", field="expires", choices=[date(2026, 1, day) for day in range(1, 10)])

    assert re.findall("2026-01-..", explain(WORDING, error, JA)) == ["2026-01-01", "2026-01-02", "2026-01-03"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KigenError("never_heard_of"), "a code that came in after the words were written"),
        (RefusedInputError("never_heard_of", field="label", value="x"), "with anything in it"),
    ],
)
def test_a_code_without_a_sentence_falls_back_on_a_plain_one(error: KigenError, why: str) -> None:
    assert explain(WORDING, error, JA) == "うまくいきませんでした。もう一度お試しください。", why
    assert explain(WORDING, error, EN) == "Something went wrong. Please try again.", why


def test_a_place_without_a_word_is_named_as_its_owner_names_it() -> None:
    error = ForbiddenNumberError(field="備考", looks_like="long_number")

    assert explain(WORDING, error, JA).startswith("備考に長い番号のようなものが入っています。")


def test_what_an_error_does_not_bring_leaves_no_brace_behind() -> None:
    for language, code in ((language, code) for language in LANGUAGES for code in CODES):
        assert not re.search("[{}]", explain(WORDING, KigenError(code), language)), code


def test_the_command_line_can_speak_from_one_file_before_all_of_config_is_read() -> None:
    error = NotFoundError(field="group")

    assert explain_from(TABLES[EN], error) == explain(WORDING, error, EN)

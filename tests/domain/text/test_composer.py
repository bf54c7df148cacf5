"""Every message in every combination: what it must hold, and what none may."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import permutations, product

import pytest

from reminder.domain.model.notices import ALL_NOTICES, ANSWERS, NoticeKind, UntoldKind
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.text import sms_segments
from reminder.domain.text.catalog import VOICES, WITH_GRACE, lint, read_wording
from reminder.domain.text.composer import Composer
from reminder.domain.text.forms_of_address import address_of, carers_word
from reminder.domain.text.model import About, Composed, Copy, EarlierOutcome, Reader, ReminderContent
from reminder.domain.text.sms import MOST_SEGMENTS
from reminder.guard.numbers import forbidden_at_length as forbidden
from reminder.settings import read_table
from tests.rules import AUDIENCE, COMPOSER, CONFIG, KINDS, LANGUAGES, STEPS, WORDING, step_text

# The matrix of all messages, below.
pytestmark = pytest.mark.made_once

LINT = read_table(CONFIG / "wording" / "lint.toml")

STEPS_OF_GRACE = tuple(step for step in STEPS if step_text(step).stage.is_of_grace)
AFTER_END = {step for step in STEPS if step_text(step).stage.is_after_end}

USER, SIGNATURE, CARD = "mynumber_user_certificate", "mynumber_signature_certificate", "mynumber_card"
PERSON, CARER, STAFF = Audience.PERSON, Audience.CARER, Audience.STAFF
SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL
JA, EASY, EN = Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH

# Dates that cannot be written longer, and names as long as they usually are.
END, LAST_OPEN, GRACE = date(2026, 12, 23), date(2026, 12, 22), date(2027, 10, 31)
LABEL, MARK, OFFICE = "長谷川花子", "つばめや", "市役所"

KINDS_TOGETHER = (
    *((kind,) for kind in KINDS),
    (USER, SIGNATURE), (CARD, USER), (CARD, USER, SIGNATURE),
    (CARD, "smartphone_certificate", "residence_card"), ("passport", "driving_licence"), ("other", "jiritsu_iryo", USER),
)  # fmt: skip
OWN_LABEL = "老人パスカード"  # of the kind that has none of its own


def reminder(
    kind: str = USER, step: str = "d7", end: date = END, *, computed: bool = False, insurance: bool = True,
    card_grace: bool = False, bound: bool = False,
) -> ReminderContent:  # fmt: skip
    has_grace = insurance and not bound and (kind == USER or (kind == CARD and card_grace))
    label = OWN_LABEL if kind == "other" else None
    return ReminderContent(
        kind, end, computed, label, step=step_text(step), last_counter_day=LAST_OPEN,
        grace_ends_on=GRACE if has_grace else None, bound=bound,
    )  # fmt: skip


def reader(
    audience: Audience = PERSON, channel: ChannelName = SMS, language: Language = JA, mode: Mode = Mode.ELDERLY,
    *, label: str = LABEL, mark: str | None = MARK, office: str = OFFICE,
) -> Reader:  # fmt: skip
    return Reader(audience, channel, language, mode, label, mark, office, "田中家")


@dataclass(frozen=True)
class Case:
    """One cell of the matrix: what is told, to whom, and the words that came of it."""

    told: tuple[ReminderContent, ...]
    reader: Reader
    composed: Composed

    @property
    def is_of_several(self) -> bool:
        different = len(self.told) > 1 and not {one.kind for one in self.told} <= {USER, SIGNATURE, CARD}
        return different or len({(one.expires_on, one.computed) for one in self.told}) > 1

    @property
    def is_of_my_number(self) -> bool:
        return {one.kind for one in self.told} <= {USER, SIGNATURE, CARD}

    @property
    def whole(self) -> str:
        return f"{self.composed.subject or ''}\n{self.composed.text}"


def told_together(step: str) -> Iterator[tuple[ReminderContent, ...]]:
    """Every set of cards, read and computed, of one date and of several, with every promise of a grace."""
    promises: tuple[dict[str, bool], ...] = ({}, {"card_grace": True}, {"insurance": False})
    for kinds, computed, promise in product(KINDS_TOGETHER, (False, True), promises):
        told = tuple(reminder(kind, step, computed=computed, **promise) for kind in kinds if has_step(kind, step))
        # No step of a grace comes where none is promised.
        told = tuple(one for one in told if one.grace_ends_on or step not in STEPS_OF_GRACE)
        if told:
            yield told
        if len(told) > 1:
            yield tuple(replace(one, expires_on=END.replace(day=21 + place)) for place, one in enumerate(told))
            yield (replace(told[0], computed=not computed), *told[1:])
    if step not in STEPS_OF_GRACE:
        for kinds, computed in product(((CARD,), (USER,), (CARD, USER, SIGNATURE)), (False, True)):
            yield tuple(reminder(kind, step, computed=computed, bound=True) for kind in kinds)


def has_step(kind: str, step: str) -> bool:
    return step not in STEPS_OF_GRACE or KINDS[kind].texts in WITH_GRACE


def composed_for(readers: Sequence[Reader]) -> Sequence[Case]:
    return [
        Case(told, to, COMPOSER.reminder(told, to))
        for step in STEPS
        for told in dict.fromkeys(told_together(step))
        for to in readers
    ]


@cache
def texts() -> Sequence[Case]:
    return composed_for(
        [reader(who, SMS, language, mode) for who, language, mode in product(Audience, LANGUAGES, Mode)]
    )


@cache
def mails() -> Sequence[Case]:
    return composed_for(
        [reader(who, EMAIL, language, mode) for who, language, mode in product(Audience, LANGUAGES, Mode)]
    )


@pytest.fixture(scope="module", autouse=True)
def _matrix() -> Iterator[None]:
    """Forget the matrix after the last test of it: it takes half a gigabyte, and every later test would be slower."""
    yield
    texts.cache_clear()
    mails.cache_clear()


def holding(pattern: str, cases: Iterable[Case]) -> set[str]:
    """The messages in which the pattern is found, each once."""
    found = re.compile(pattern, re.IGNORECASE)
    return {whole for whole in {case.whole for case in cases} if found.search(whole)}


def test_the_matrix_holds_every_step_of_every_kind_for_every_reader() -> None:
    seen = {
        (one.kind, one.step.name, case.reader.audience, case.reader.language, case.reader.mode)
        for case in texts()
        for one in case.told
    }

    no_grace = product(set(KINDS) - {CARD, USER}, STEPS_OF_GRACE, Audience, LANGUAGES, Mode)
    assert seen == set(product(KINDS, STEPS, Audience, LANGUAGES, Mode)) - set(no_grace)


def test_no_kind_lacks_a_text_at_any_step_in_any_voice_of_any_language() -> None:
    missing = [
        (language, kind, voice, step)
        for language, kind, voice, step in product(LANGUAGES, KINDS, VOICES, STEPS)
        if has_step(kind, step) and not WORDING.of(language).key_of(voice, KINDS[kind].texts, step_text(step))
    ]

    assert missing == []


def test_no_message_has_a_gap_or_a_placeholder_in_it() -> None:
    unfilled = r"[{}]|(?-i:None)|until [.,)]|（）|\(\)|のは、?まで|: *\.|[、，]{2}"

    assert holding(unfilled, texts()) == set()
    assert holding(unfilled, mails()) == set()


def test_a_text_to_a_person_about_one_date_is_one_message_even_with_the_longest_names() -> None:
    own = [case for case in texts() if case.reader.audience is PERSON and not case.is_of_several]
    # A date that was only worked out says so, which may take the room of a second message; to elders it never does.
    short = [case for case in own if case.reader.mode is not Mode.STANDARD or not case.told[0].computed]

    assert {case.composed.text for case in short if case.composed.segments != 1} == set()


def test_a_text_to_a_carer_is_one_message_where_the_name_is_written_as_the_text_is() -> None:
    japanese = [case for case in texts() if case.reader.language != EN and case.reader.audience is not PERSON]
    english = composed_for([reader(CARER, language=EN, label="Hanako", mark="Kiku")])

    usual = [
        case
        for case in (*japanese, *english)
        if case.is_of_my_number and not (case.is_of_several or case.told[0].bound or case.told[0].computed)
    ]
    assert {case.composed.text for case in usual if case.composed.segments != 1} == set()


def test_no_text_is_ever_more_than_two_messages() -> None:
    names = {"label": "長谷川" * 6 + "花子", "mark": "つばめ" * 3 + "や", "office": "西東京市" * 2 + "役所"}
    longest_allowed = composed_for(
        [reader(PERSON, language=language, mode=mode, **names) for language in LANGUAGES for mode in list(Mode)[:2]]
        + [reader(CARER, language=language, **names) for language in (JA, EASY)]
    )

    assert {case.composed.text for case in texts() if case.composed.segments > MOST_SEGMENTS} == set()
    assert {case.composed.text for case in longest_allowed if case.composed.segments > MOST_SEGMENTS} == set()


def test_no_text_message_holds_what_fraud_would_say() -> None:
    assert {text: lint(text, LINT) for text in {case.composed.text for case in texts()} if lint(text, LINT)} == {}  # type: ignore[arg-type]


def test_no_text_message_holds_anything_to_follow_or_to_call() -> None:
    assert (
        holding(r"://|www|@|\.[a-z]{2,}|[0-9０-９][-‐−ー(][0-9０-９]|電話番号|フリーダイヤル|call us|call the", texts())
        == set()
    )


def test_no_text_message_becomes_wrong_when_it_is_read_a_day_later() -> None:
    relative = (
        r"今日|本日|明日|明後日|昨日|きょう|あした|あす|あさって|きのう|今週|来週|今月|来月|今夜|[0-9]日前|[0-9]日後|あと[ 　]?[0-9]"
        r"|today|tomorrow|yesterday|tonight|this (week|month)|next (week|month)|[0-9] days?\b|days? left|weeks? left"
    )

    assert holding(relative, texts()) == set()


def test_no_message_claims_that_a_date_which_was_only_worked_out_has_passed() -> None:
    after_the_end = [
        case for case in (*texts(), *mails()) if any(one.computed for one in case.told) and case.told[0].is_after_end
    ]

    claims = r"過ぎました|すぎました|過ぎた|すぎた|切れ|終わりました|使えなく|has passed|(has|have) expired|expired|no longer"
    assert after_the_end
    assert holding(claims, after_the_end) == set()


def test_a_date_that_was_read_from_the_card_is_said_to_have_passed() -> None:
    # The other side of the rule above: its pattern does find a claim.
    texts_of_a7 = [case for case in texts() if case.told == (reminder(CARD, "a7"),)]

    assert len(holding("過ぎました|すぎました|has passed|has expired", texts_of_a7)) >= len(LANGUAGES)


def test_no_message_holds_a_number_and_our_own_guard_lets_every_one_through() -> None:
    assert holding(r"[0-9０-９]{6}", (*texts(), *mails())) == set()
    # Mails share most of their paragraphs, and each costs the guard a millisecond.
    paragraphs = {part for case in mails() for part in case.whole.split("\n\n")}
    assert len(paragraphs) < len(mails()) / 4
    assert {part: forbidden(part) for part in {case.whole for case in texts()} | paragraphs if forbidden(part)} == {}


@pytest.mark.parametrize(
    ("mark", "why"),
    [(MARK, "of usual length"), ("つばめつばめつばめや", "as long as allowed: rather a second message")],
)
def test_every_japanese_text_to_an_elderly_person_carries_the_familys_mark(mark: str, why: str) -> None:
    cases = composed_for([reader(language=language, mark=mark, office="西東京市保谷庁舎") for language in (JA, EASY)])

    assert {
        case.composed.text for case in cases if not case.composed.text.startswith(f"【期限だより・{mark}】")
    } == set(), why


def test_an_english_text_to_a_person_stays_in_the_latin_alphabet_whatever_the_mark() -> None:
    own = [case.composed.text for case in texts() if case.reader.language == EN and case.reader.audience is PERSON]
    with_latin_mark = COMPOSER.reminder([reminder()], reader(language=EN, mark="Kiku"))

    assert {sms_segments.encoding(text) for text in own} == {sms_segments.Encoding.GSM_7}
    assert with_latin_mark.text.startswith("Kigen Dayori (Kiku): ")


@pytest.mark.parametrize("channel", [SMS, EMAIL])
def test_the_order_in_which_cards_were_registered_changes_nothing(channel: ChannelName) -> None:
    for step, audience, kinds in product(STEPS, Audience, KINDS_TOGETHER):
        to = reader(audience, channel)
        told = [reminder(kind, step) for kind in kinds if has_step(kind, step)]

        assert len({COMPOSER.reminder(order, to) for order in permutations(told) if told}) == bool(told), (step, kinds)


@pytest.mark.parametrize("channel", [SMS, EMAIL])
@pytest.mark.parametrize(
    ("told", "is_promised", "why"),
    [
        ([reminder(SIGNATURE, "a7"), reminder(USER, "a7")], True, "hospitals read the one of the two that has a grace"),
        ([reminder(USER, "a7", insurance=False)], False, "who does not use the card so is promised nothing"),
        ([reminder(SIGNATURE, "a7")], False, "no grace exists for it"),
        ([reminder(USER, "a7"), reminder(CARD, "a7")], False, "no source says that it outlives the card"),
        ([reminder(USER, "a7", computed=True)], False, "nor that a date that was worked out has passed"),
    ],
)
def test_a_day_until_which_hospitals_take_the_card_is_named_only_where_it_is_sure(
    channel: ChannelName, told: list[ReminderContent], is_promised: bool, why: str
) -> None:
    for audience, mode in product(Audience, Mode):
        composed = COMPOSER.reminder(told, reader(audience, channel, JA, mode))

        assert ("10月31日" in composed.text) is is_promised, why


def test_who_does_not_use_the_card_at_hospitals_is_told_nothing_of_them_after_the_end() -> None:
    without = [
        case
        for case in texts()
        if {one.step.name for one in case.told} == {"a7"} and not any(one.grace_ends_on for one in case.told)
    ]

    assert without
    of_my_number = [case for case in without if case.is_of_my_number]
    assert holding("病院|保険|受診|insurance|doctor", of_my_number) == set()


def test_several_dates_are_told_soonest_first_and_what_has_no_room_is_counted() -> None:
    ends = [END, date(2026, 12, 21), date(2026, 12, 22)]
    told = [reminder(kind, end=end) for kind, end in zip((CARD, USER, SIGNATURE), ends, strict=True)]
    listed = ["電子証明書 12月21日（月）", "署名用電子証明書 12月22日（火）", "マイナンバーカード 12月23日（水）"]

    usual = COMPOSER.reminder(told, reader())
    crowded = COMPOSER.reminder(
        told, reader(label="長谷川" * 6 + "花子", mark="つばめ" * 3 + "や", mode=Mode.STANDARD, audience=CARER)
    )

    assert "、".join(listed) in usual.text
    assert listed[0] in crowded.text
    assert crowded.segments <= MOST_SEGMENTS


def test_two_certificates_of_one_day_are_one_thing_in_a_list() -> None:
    told = [reminder(USER), reminder(SIGNATURE), reminder(CARD, end=date(2026, 12, 30))]

    text = COMPOSER.reminder(told, reader()).text

    assert "電子証明書 12月23日（水）、マイナンバーカード 12月30日（水）" in text
    assert "署名用" not in text


PARTS = WORDING.languages[JA].section("email.part")
BEFORE, AFTER = ["to_do", "proxy", "stops", "done", "about"], ["to_do", "done", "about"]


def test_every_heading_of_a_mail_stands_alone_above_its_text_and_the_subject_is_one_line() -> None:
    for case in mails():
        headings = {f"■ {part}" for part in WORDING.of(case.reader.language).in_mail.section("email.part").values()}
        lines = case.composed.text.split("\n")
        for line, below in zip(lines, [*lines[1:], ""], strict=True):
            assert "■" not in line or (line in headings and below.strip() and "■" not in below), case
        assert case.composed.subject
        assert case.composed.subject.splitlines() == [case.composed.subject]
        assert case.composed.text.endswith("\n")


@pytest.mark.parametrize(
    ("step", "copied", "brief", "parts", "why"),
    [
        ("d30", None, False, BEFORE, "a proxy needs time to prepare"),
        ("a7", None, False, AFTER, "the form in the envelope no longer saves a visit"),
        ("post", None, False, AFTER, "the same"),
        ("d30", "本人への文", False, ["sent", *BEFORE], "what the person read comes before what to do"),
        (
            "d30",
            "本人への文",
            True,
            ["sent", "about"],
            "among several persons the advice would be said again and again",
        ),
        ("d30", None, True, ["about"], "the same"),
    ],
)
def test_a_mail_has_the_parts_that_help_at_its_step(
    step: str, copied: str | None, brief: bool, parts: list[str], why: str
) -> None:
    mail = COMPOSER.reminder([reminder(step=step)], reader(CARER, EMAIL), copy=Copy(copied), brief=brief)

    assert re.findall("^■ (.*)$", mail.text, re.MULTILINE) == [PARTS[part] for part in parts], why


@pytest.mark.parametrize(
    ("told", "family", "why"),
    [
        ([reminder(USER)], "to_do_certificates", "a certificate is renewed at the counter"),
        ([reminder(CARD)], "to_do_card", "a card is applied for weeks before"),
        ([reminder(USER), reminder(CARD)], "to_do_card", "who gets a new card gets new certificates with it"),
        ([reminder(USER, "g7")], "after_certificates", "what to do now"),
        ([reminder(CARD, bound=True)], "to_do_bound", "the residence comes first"),
        ([reminder("shikaku_kakuninsho_75plus", "a7")], "after_arrival", "it may have come"),
        ([reminder(CARD, "a7", computed=True)], "to_do_computed", "look at the card first"),
    ],
)
def test_a_mail_gives_the_advice_for_what_ends(told: list[ReminderContent], family: str, why: str) -> None:
    advice = WORDING.of(JA).section("email.text")[family].strip().split("{")[0]

    assert advice in COMPOSER.reminder(told, reader(CARER, EMAIL)).text, why


def test_a_mail_names_the_last_day_a_counter_is_open_until_the_end_has_come() -> None:
    named = {step: "12月22日" in COMPOSER.reminder([reminder(step=step)], reader(CARER, EMAIL)).text for step in STEPS}

    assert {step for step, is_named in named.items() if not is_named} == AFTER_END


@pytest.mark.parametrize(
    "copied", ["【期限だより】{date}、{0}まで{", "100% }{ {{x}} %s", "一行目\n二行目", "  空けた  "]
)
def test_what_the_person_was_sent_is_quoted_to_the_carer_as_it_is(copied: str) -> None:
    mail = COMPOSER.reminder([reminder()], reader(CARER, EMAIL), copy=Copy(copied))

    assert f"\n\n■ {PARTS['sent']}\n{copied}\n\n" in mail.text


@pytest.mark.parametrize("name", ["{date}", "}{", "{0}"])
def test_a_name_with_braces_is_a_name(name: str) -> None:
    to = reader(CARER, label=name, mark=name, office=name)

    assert f"{name}さんの" in COMPOSER.reminder([reminder()], to).text
    assert f"{name}さん" in COMPOSER.reminder([reminder()], replace(to, channel=EMAIL, from_=name)).text
    assert f"{name}さん" in COMPOSER.notice(replace(to, channel=EMAIL), NoticeKind.UNDELIVERED, About()).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_several_persons_share_one_mail_that_says_once_who_we_are(language: Language) -> None:
    labels = ["母", "203 佐藤", "花子さん"]
    each = [
        COMPOSER.reminder([reminder()], reader(STAFF, EMAIL, language, label=label), brief=True) for label in labels
    ]

    mail = COMPOSER.together(each, language)

    assert mail.subject is not None
    assert "3" in mail.subject
    places = [mail.text.index(one.body.strip()) for one in each]
    assert places == sorted(places)
    assert mail.text.endswith(each[0].closing)
    assert mail.text.count(each[0].closing.strip()) == 1


def test_one_person_alone_has_the_mail_unchanged() -> None:
    mail = COMPOSER.reminder([reminder()], reader(CARER, EMAIL))

    assert COMPOSER.together([mail], JA) == mail


SPOKEN_OF = About(reminder(), SMS, reply="あした行くよ", link="https://kigen.example.jp/take/1/2/abc")


@pytest.mark.parametrize("kind", ALL_NOTICES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_carer_is_told_what_has_happened_and_what_to_do(kind: NoticeKind | UntoldKind, language: Language) -> None:
    words = WORDING.languages[language].in_mail

    text = COMPOSER.notice(reader(CARER, SMS, language), kind, SPOKEN_OF)
    mail = COMPOSER.notice(reader(CARER, EMAIL, language), kind, SPOKEN_OF)

    assert text.subject is None
    assert text.segments <= 2
    assert lint(text.text, LINT) == []  # type: ignore[arg-type]
    assert mail.subject is not None
    if kind not in (NoticeKind.REACH, NoticeKind.LOST_MEMBER):
        assert LABEL in text.text + mail.subject
        assert LABEL in mail.body
    assert words.section(f"notices.{kind}")["to_do"].strip().split("{")[0] in mail.body
    assert words.section("email.part")["about"] in mail.closing
    assert "あした行くよ" in mail.body
    assert str(SPOKEN_OF.link) in mail.body
    assert str(SPOKEN_OF.link) not in text.text
    for whole in (text.text, mail.subject + mail.text.replace(str(SPOKEN_OF.link), "")):
        assert not re.search("[{}]", whole)
        assert forbidden(whole) is None


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_is_one_text_that_breaks_no_rule(name: str, mode: Mode, language: Language) -> None:
    answer = COMPOSER.answer(reader(PERSON, SMS, language, mode), name, day=END)

    assert answer.segments == 1, answer.text
    assert lint(answer.text, LINT) == []  # type: ignore[arg-type]
    assert not re.search("[{}]", answer.text)
    assert forbidden(answer.text) is None
    assert MARK in answer.text or language == EN


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_that_can_be_answered_says_how_where_there_is_room(language: Language) -> None:
    words = WORDING.languages[language]
    to = reader(PERSON, SMS, language, Mode.STANDARD, mark=None)
    said = words.word("reply_done").format(code=3)
    told = [reminder(step=step, kind=kind) for step, kind in product(("d60", "d30", "d7"), (USER, "passport", "other"))]

    texts = [COMPOSER.reminder([one], replace(to, reply_code=3)) for one in told]

    assert any(said in text.text for text in texts)
    assert not any(said in COMPOSER.reminder([one], to).text for one in told)
    assert all(text.segments == 1 for text in texts)


def test_an_elder_whose_texts_cannot_be_answered_reads_whom_to_ask() -> None:
    told = [reminder(step=step, kind="passport") for step in ("d60", "d30", "d7")]

    assert all("ご家族" in COMPOSER.reminder([one], reader(label="母")).text for one in told)
    assert all("職員" in COMPOSER.reminder([one], reader(label="母", mode=Mode.HOME)).text for one in told)


def test_a_notice_may_name_the_person() -> None:
    table = read_table(CONFIG / "wording" / "ja.toml")
    notices = table["notices"]
    assert isinstance(notices, dict)
    named = {**notices, "undelivered": {**notices["undelivered"], "to_do": "{who}へ、{office}のことも。"}}
    wording = read_wording({JA: {**table, "notices": named}}, KINDS, AUDIENCE)

    told = Composer(wording).notice(reader(CARER, EMAIL), NoticeKind.UNDELIVERED, About())

    assert "長谷川花子さんへ、市役所のことも。" in told.body


def test_a_carer_sees_what_became_of_the_latest_texts_and_what_was_answered() -> None:
    outcomes = [
        EarlierOutcome(date(2027, 1, 4), SMS, "delivered"),
        EarlierOutcome(date(2027, 1, 29), SMS, "undelivered", "later"),
    ]

    mail = COMPOSER.reminder(
        [reminder()], reader(CARER, EMAIL), copy=Copy("文", outcomes, "https://kigen.example.jp/x")
    )

    assert (
        "■ これまでのお知らせ\n1月4日（月）　SMS　届きました\n1月29日（金）　SMS　届きませんでした　返事「あとで」"
        in mail.text
    )
    assert "https://kigen.example.jp/x" in mail.text


def test_only_a_text_message_is_counted_in_segments() -> None:
    assert COMPOSER.reminder([reminder()], reader(CARER, EMAIL)).segments == 0
    assert [Composed(None, "期" * length).segments for length in (70, 71)] == [1, 2]


@pytest.mark.parametrize(
    ("audience", "mode", "voice", "why"),
    [
        (PERSON, Mode.STANDARD, "standard", "speaks of certificates by their names"),
        (PERSON, Mode.ELDERLY, "elderly", "one action, with the family"),
        (PERSON, Mode.HOME, "elderly", "a home's residents are elders"),
        (CARER, Mode.STANDARD, "carer", "speaks of another"),
        (CARER, Mode.ELDERLY, "carer", "whatever the person's mode"),
        (STAFF, Mode.HOME, "carer", "staff are spoken to as carers are"),
    ],
)
def test_who_reads_decides_the_voice(audience: Audience, mode: Mode, voice: str, why: str) -> None:
    assert reader(audience, mode=mode).voice == voice, why


@pytest.mark.parametrize(
    ("label", "language", "called", "spoken_of", "why"),
    [
        ("母", JA, "お母さん", "お母さま", "a relation"),
        ("祖父", EASY, "おじいさん", "おじいさま", "the same in plain Japanese"),
        ("佐藤", JA, "佐藤さん", "佐藤さん", "a name"),
        ("花子さん", JA, "花子さん", "花子さん", "a name with its form of address"),
        ("佐藤様", JA, "佐藤様", "佐藤様", "another form"),
        ("203 佐藤", JA, "佐藤さん", "203 佐藤", "nobody is addressed by a room; staff know people by it"),
        ("203 母", JA, "お母さん", "203 母", "the same"),
        ("佐藤 花子", JA, "佐藤 花子さん", "佐藤 花子さん", "two names"),
        ("203", JA, "203さん", "203さん", "no name at all"),
        ("Hanako", EN, "Hanako", "Hanako", "English adds nothing"),
        ("母", EN, "母", "母", "and translates no names"),
    ],
)
def test_a_person_is_addressed_as_the_family_says_and_spoken_of_politely(
    label: str, language: Language, called: str, spoken_of: str, why: str
) -> None:
    words = WORDING.languages[language]

    assert (address_of(label, words), carers_word(label, words)) == (called, spoken_of), why


def test_a_name_too_long_for_one_message_is_left_out_of_the_address_and_the_mark_stays() -> None:
    short = COMPOSER.reminder([reminder(step="d30")], reader(label="母"))
    long = COMPOSER.reminder([reminder(step="d30")], reader(label="長谷川花子"))

    assert short.text.startswith(f"【期限だより・{MARK}】お母さん、")
    assert long.text == short.text.replace("お母さん、", "")
    assert long.segments == 1


def test_where_a_mark_is_an_ornament_it_is_left_out_rather_than_sent_as_a_second_message() -> None:
    told = [reminder(step="opens")]

    fits = COMPOSER.reminder(told, reader(mode=Mode.STANDARD, mark="菊"))
    does_not = COMPOSER.reminder(told, reader(mode=Mode.STANDARD, mark="つばめつばめつばめや"))

    assert fits.text.startswith("【期限だより・菊】")
    assert does_not.text == fits.text.replace("・菊", "")
    assert does_not.segments == 1


@pytest.mark.parametrize(
    ("label", "called"),
    [
        ("母", "お母さん"),
        ("花子さん", "花子さん"),
        ("203 佐藤", "佐藤さん"),
        ("佐藤203号室", "佐藤さん"),
        ("佐藤（203）", "佐藤さん"),
        ("母（昭和16年生）", "お母さん"),
        ("母（入院中）", "お母さん"),
        ("田中先生", "田中先生"),
        ("１階 佐藤", "佐藤さん"),
    ],
)
def test_a_person_is_addressed_by_name_without_rooms_and_remarks(label: str, called: str) -> None:
    assert address_of(label, WORDING.languages[Language.JAPANESE]) == called


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_date_that_was_worked_out_is_said_to_be_one_in_text_and_mail(language: Language) -> None:
    words = WORDING.of(language)
    about = words.word("about_date").format(date=words.date(END, "short_date"))

    text = COMPOSER.reminder(
        [reminder("passport", "d30", computed=True)], reader(language=language, mode=Mode.STANDARD)
    )
    mail = COMPOSER.reminder([reminder("passport", "d30", computed=True)], reader(CARER, EMAIL, language))

    assert about in text.text
    assert about in (mail.subject or "")
    assert words.in_mail.section("email.line")["computed"] in mail.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_with_room_says_that_nobody_is_asked_for_a_number(language: Language) -> None:
    promise = WORDING.of(language).word("no_numbers")
    roomy = COMPOSER.reminder([reminder("other", "d30")], reader(language=language, mark=None, mode=Mode.STANDARD))
    full = COMPOSER.reminder([reminder(CARD, "opens")], reader(language=language))

    assert roomy.text.endswith(promise)
    assert (sms_segments.count(full.text), sms_segments.count(full.text + promise)) == (1, 2) or full.text.endswith(
        promise
    )


def test_a_card_of_no_known_kind_is_called_what_its_owner_calls_it() -> None:
    assert OWN_LABEL in COMPOSER.reminder([reminder("other", "d30")], reader()).text
    assert OWN_LABEL in COMPOSER.reminder([reminder("other", "d30")], reader(CARER, EMAIL, EN)).text


def test_a_japanese_label_stays_out_of_an_english_text() -> None:
    text = COMPOSER.reminder([reminder("other", "d30")], reader(language=EN, mark=None)).text

    assert text.isascii()
    assert "The card you registered" in text


def test_what_ends_with_a_residence_period_speaks_of_the_stay_first() -> None:
    mail = COMPOSER.reminder([reminder(CARD, "d60", bound=True)], reader(CARER, EMAIL))

    assert "在留の更新のあと" in mail.body
    assert "入管に申請する" in mail.body


def test_a_rare_kanji_counts_as_two_units_and_is_never_replaced() -> None:
    text = COMPOSER.reminder([reminder("other", "d7")], reader(label="𠮷野髙﨑")).text

    assert "𠮷野髙﨑さん" in text
    assert sms_segments.count("𠮷" * 35) == 1
    assert sms_segments.count("𠮷" * 36) == 2


def test_an_english_text_to_a_carer_that_a_japanese_name_makes_too_long_says_less() -> None:
    told = reminder("residence_card", "d30")

    text = COMPOSER.reminder([told], reader(CARER, language=EN, label="長谷川花子さくら")).text

    assert sms_segments.count(text) <= MOST_SEGMENTS
    assert text.endswith(".")


@pytest.mark.parametrize("case", ["text", "mail"])
def test_no_kind_has_texts_that_ask_for_a_number_or_to_bring_one(case: str) -> None:
    told = [one for one in (texts() if case == "text" else mails()) if not one.is_of_several]
    asks = r"(番号|暗証|パスワード)(を|が)(入れ|教え|送|書|必要|お持ち|持って)|\b(send|bring|enter|write) (us )?(your |the )?(number|PIN)"

    assert holding(asks, told) == set()

"""Whole products for an elder: our program on a stepped clock, a Twilio over real sockets whose phones fail the test on
any text they do not expect, answers and receipts by signed webhooks, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN, SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, ContactState, Mode, Role
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.enrolment import cards, consent
from reminder.errors import ConflictError
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.registry import cards as kept
from reminder.wiring import build_app, make_channels, read_settings
from tests.fakes import twilio as fake
from tests.fakes.twilio import Callback, FakeTwilio, Phone
from tests.rules import WORDING
from tests.village import SIGNATURE_CERTIFICATE, Village, japan
from tests.web.asking import visitor

# A Wednesday. For elders: opens 01-04, d60 01-29, d30 02-22, d14 03-17, d7 03-24, d1 03-30, a7 04-07.
END = date(2027, 3, 31)
PUBLIC = "https://kigen.example.jp"
MOTHER = "+819000000001"


@dataclass
class Street:
    """A family, its elder's telephone at the provider, and the provider's way back to us."""

    village: Village
    twilio: FakeTwilio
    mother: Phone
    _texts: Iterator[int] = field(default_factory=count)
    _receipts: int = 0

    def until(self, moment: str) -> None:
        self.village.run_until(moment)

    def delivered(self, status: str = "delivered", error_code: int | None = None) -> None:
        for text in self.twilio.texts[self._receipts :]:
            assert self._post(self.twilio.callback(text.sid, status, error_code)) == 204
        self._receipts = len(self.twilio.texts)
        self._a_minute()

    def mother_says(self, text: str, at: str) -> None:
        self.until(at)
        fields = [
            ("MessageSid", f"SM{next(self._texts):032x}"),
            ("From", MOTHER),
            ("To", "+815000000001"),
            ("Body", text),
        ]
        assert self._post(self.twilio.signed(f"{PUBLIC}/webhooks/twilio/sms", fields)) == 200
        self._a_minute()

    def _post(self, callback: Callback) -> int:
        parts = urlsplit(callback.url)
        web = visitor(self.village, local_pages=False)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return web.post(target, callback.body, {name.lower(): value for name, value in callback.headers.items()}).status

    def _a_minute(self) -> None:
        self.village.run_until(f"{self.village.now.astimezone(JAPAN) + timedelta(minutes=1):%Y-%m-%d %H:%M}")

    def daughter_read(self, words: str) -> int:
        return sum(words in text for text in self.village.words_to("長女"))

    def card(self, end: date = END, kind: str = "mynumber_user_certificate") -> int:
        return self.village.card("母", end, kind)


OpenStreet = Callable[..., AbstractContextManager[Street]]


@pytest.fixture
def street(database_url: str, tmp_path: Path) -> OpenStreet:
    """Opens one, with what the operator has switched on."""

    @contextmanager
    def opened(*, mobile: bool = True, agreed: bool = True, **switched_on: object) -> Iterator[Street]:
        clock = SteppedClock(japan("2026-12-01 08:00"))
        with FakeTwilio(now=lambda: clock.now().astimezone(UTC)) as twilio:
            twilio.arrives_after = timedelta(minutes=5)
            settings = read_settings(
                database_url=database_url,
                data_dir=tmp_path,
                secret_keys=(new_key(),),
                public_url=PUBLIC,
                twilio_account_sid=fake.ACCOUNT_SID,
                twilio_auth_token=(fake.AUTH_TOKEN,),
                twilio_from="+815000000009",
                twilio_base_url=twilio.url,
                twilio_voice_base_url=twilio.url,
                twilio_voice_from="+815000000001",
                **switched_on,
            )
            memory = {name: MemoryChannel() for name in registered()}
            real = make_channels(settings, print, WORDING)
            channels = {**memory, **{name: real[name] for name in real if name in (ChannelName.SMS, ChannelName.VOICE)}}
            with build_app(settings, clock=clock, channels=channels) as app:
                village = Village(SimulatedWorld(app, clock, memory))
                village.member("長女", "chojo@example.jp")
                village.person("母", mode=Mode.ELDERLY, mark="つばめ")
                if mobile:
                    village.contact("母", ChannelName.SMS, "090-0000-0001", consent=agreed)
                yield Street(village, twilio, twilio.phone(MOTHER))

    return opened


def about(*words: str) -> Callable[[str], bool]:
    return lambda text: all(word in text for word in (*words, "【期限だより・つばめ】"))


def test_an_eighty_three_year_old_who_answers_1(street: OpenStreet) -> None:
    with street(two_way_sms=True) as home:
        card = home.card()
        home.mother.expect(about("青い封筒", "済んだら1と返信"))
        home.mother.expect(about("行く日を", "3月31日（水）"))
        home.mother.expect("【期限だより・つばめ】お母さん、ご連絡ありがとうございます。手続き、おつかれさまでした。")
        home.until("2027-01-29 12:00")
        home.delivered()

        home.mother_says("１", at="2027-01-30 19:40")
        assert home.daughter_read("新しい期限を確かめて、登録してください") == 1
        home.village.renew(card, date(2032, 3, 31))
        home.until("2027-12-31 00:00")


def test_the_same_where_texts_cannot_be_answered(street: OpenStreet) -> None:
    with street() as home:
        card = home.card()
        home.mother.expect(about("青い封筒"))
        home.mother.expect(about("行く日を", "ご家族"))
        home.until("2027-01-29 12:00")
        home.delivered()
        assert not any("返信" in text for text in home.mother.texts)

        # She tells her daughter, who reads in the mail what to do and enters the new date.
        assert home.daughter_read("新しい期限を登録してください") >= 1
        home.village.renew(card, date(2032, 3, 31))
        home.until("2027-12-31 00:00")


def test_one_who_never_answers_until_the_second_daughter_acts(street: OpenStreet) -> None:
    with street(two_way_sms=True) as home:
        home.village.member("次女", "jijo@example.jp", role=Role.EDITOR)
        card = home.card()
        home.mother.expect(about("青い封筒"))
        home.mother.expect(about("行く日を"))
        home.mother.expect(about("電子証明書の更新"))
        home.until("2027-02-22 12:00")
        home.delivered()
        asked = [text for text in home.village.words_to("次女") if "「済んだ」の連絡がまだありません" in text]
        assert len(asked) == 1

        with home.village.app.writing() as uow:
            cards.assign_card(uow, card_id=card, contact_id=3)
        heard = len(home.village.texts_to("長女"))
        home.mother.expect(about("3月31日（水）"), times=1)  # d14
        home.until("2027-03-18 00:00")
        assert len(home.village.texts_to("長女")) == heard, "it is her sister's now"
        assert "これまでのお知らせ" in home.village.words_to("次女")[-1]
        assert "届きました" in home.village.words_to("次女")[-1]
        home.village.renew(card, date(2032, 3, 31))
        home.until("2027-12-31 00:00")


def test_one_with_a_landline_only_is_called_where_the_family_wishes(street: OpenStreet) -> None:
    with street(mobile=False, voice_enabled=True) as home:
        home.village.contact("母", ChannelName.VOICE, "03-3500-0001")
        home.card()

        home.until("2027-04-30 00:00")

        rang = [f"{ring.created_at.astimezone(JAPAN):%m-%d %H:%M}" for ring in home.twilio.rings]
        assert rang == ["02-22 10:00", "03-24 10:00", "03-30 10:00"]
        assert {ring.to for ring in home.twilio.rings} == {"+81335000001"}


def test_one_with_a_landline_only_is_the_family_s_where_calls_are_off(street: OpenStreet) -> None:
    with street(mobile=False) as home:
        home.village.contact("母", ChannelName.VOICE, "03-3500-0001")
        home.card()

        home.until("2027-12-31 00:00")

        assert home.twilio.rings == []
        assert len(home.village.texts_to("長女")) >= 10


def test_one_whose_consent_is_never_recorded_hears_nothing_but_the_question(street: OpenStreet) -> None:
    with street(agreed=False, two_way_sms=True) as home:
        home.card()
        app = home.village.app
        home.mother.expect(about("受け取る時は1、いらない時は2"))
        with app.units.writing(home.village.now) as uow:
            consent.ask(uow, contact_id=2, told_by="長女")

        home.until("2027-12-31 00:00")

        assert len(home.village.texts_to("長女")) >= 10


def test_one_who_writes_back_her_twelve_digits(street: OpenStreet, tmp_path: Path) -> None:
    with street(two_way_sms=True) as home:
        home.card()
        home.mother.expect(about("青い封筒"))
        home.mother.expect(about("番号は送らないでください"))

        home.mother_says("これですか　１２３４ ５６７８ ９０１８", at="2027-01-04 12:00")  # invented

        assert home.daughter_read("番号のような返事") == 1
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or b"9018" not in file.read_bytes()


def test_one_who_says_stop_and_later_start(street: OpenStreet) -> None:
    with street(two_way_sms=True) as home:
        home.card()
        home.mother.expect(about("青い封筒"))
        home.mother.expect(about("お知らせを止めました", "「再開」"))
        home.mother_says("もうとめてください", at="2027-01-05 12:00")
        home.until("2027-03-01 00:00")
        assert home.daughter_read("ご本人へのお知らせを止めました") == 1

        home.mother.expect(about("お知らせを再開しました"))
        home.mother.expect(about("電子証明書の更新"))  # the most urgent of what was missed
        home.mother.expect(about("3月31日（水）"), times=3)  # d14, d7, d1
        home.mother.expect(about("更新がまだの時"))
        home.mother_says("再開", at="2027-03-01 12:00")
        home.until("2027-04-20 00:00")


def test_a_wrong_number(street: OpenStreet) -> None:
    with street(two_way_sms=True) as home:
        home.card()
        home.mother.expect(about("青い封筒"))
        home.mother.expect(about("もうお送りしません"))

        home.mother_says("人違いですよ", at="2027-01-04 12:00")
        home.until("2027-12-31 00:00")

        assert home.village.contacts()[MOTHER] is ContactState.UNREACHABLE
        assert home.daughter_read("「人ちがい」と返事") == 1


def test_a_provider_that_reports_undelivered_on_every_text(street: OpenStreet) -> None:
    with street() as home:
        home.card()
        home.mother.allow_all()
        day = date(2027, 1, 4)
        while day < date(2027, 3, 31):
            home.until(f"{day} 12:00")
            home.delivered("undelivered", 30003)
            day += timedelta(days=1)

        told = [text.created_at.astimezone(JAPAN).date() for text in home.twilio.texts]
        assert len(told) == len(set(told))
        assert max(sum(one <= other < one + timedelta(days=31) for other in told) for one in told) <= 8
        assert home.daughter_read("電話にお知らせが届きませんでした") == len(told)


def test_two_cards_at_once_are_one_text_and_one_answer(street: OpenStreet) -> None:
    with street(two_way_sms=True) as home:
        first = home.card(END, "passport")
        second = home.card(END, "driving_licence")
        home.village.card("母", END, SIGNATURE_CERTIFICATE)
        home.mother.allow_all()
        home.until("2027-03-24 12:00")
        texts = [text.created_at.astimezone(JAPAN).date() for text in home.twilio.texts]
        assert len(texts) == len(set(texts))

        home.mother_says("おわった", at="2027-03-24 13:00")

        done = [home.village.card_of(card).acknowledged_on for card in (first, second)]
        assert done == [date(2027, 3, 24)] * 2


def test_two_carers_answering_at_the_same_minute(street: OpenStreet) -> None:
    with street() as home:
        home.village.member("次女", "jijo@example.jp", role=Role.EDITOR)
        card = home.card()
        home.mother.allow_all()
        home.until("2027-02-04 12:00")

        with home.village.app.writing() as uow:
            cards.assign_card(uow, card_id=card, contact_id=1)
        with pytest.raises(ConflictError), home.village.app.writing() as uow:
            cards.assign_card(uow, card_id=card, contact_id=3)
        with home.village.app.database.reading() as tx:
            assert kept.assigned_to(tx, card, END) == 1
        assert home.village.card_of(card).escalation_level != NOBODY_LEFT


def test_the_provider_s_own_opt_out_is_honoured_as_hers(street: OpenStreet) -> None:
    with street() as home:
        home.card()
        home.twilio.script(fake.refuse(400, 21610))

        home.until("2027-12-31 00:00")

        assert home.village.contacts()[MOTHER] is ContactState.OPTED_OUT
        assert home.daughter_read("ご本人へのお知らせを止めました") == 1

"""The composer of every text that is sent: it combines the contents, the reader, and the texts of config/wording/."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from reminder.domain.model.account_acts import OPERATORS_TERMINAL, AccountAct
from reminder.domain.model.devices import is_known_device
from reminder.domain.model.notices import NoticeKind, UntoldKind
from reminder.domain.model.people import ChannelName, Language
from reminder.domain.rules import hours
from reminder.domain.rules.evening_balance import DayBalance
from reminder.domain.text import furigana
from reminder.domain.text.balances import compose_balance
from reminder.domain.text.call_scripts import CallComposer, CallScript, read_script
from reminder.domain.text.catalog import Catalogs
from reminder.domain.text.digest import Digest, DigestComposer, safe_digest, without_words
from reminder.domain.text.email import EmailComposer
from reminder.domain.text.model import About, Composed, Copy, Reader, ReminderContent, WordPlace
from reminder.domain.text.phrases import Phrases
from reminder.domain.text.safe_words import (
    MessageWords,
    safe_about,
    safe_card,
    safe_place,
    safe_reader,
    safe_sender,
    without_label,
)
from reminder.domain.text.sms import SmsComposer
from reminder.guard.outgoing import foreign_links


@dataclass(frozen=True)
class Composer:
    """A composer of texts in each language, in the form that each channel carries."""

    catalogs: Catalogs

    def reminder(
        self, contents: Sequence[ReminderContent], reader: Reader, *, copy: Copy | None = None, brief: bool = False
    ) -> Composed:
        """Return one message about all of these reminders.

        `copy` adds the part for a carer; `brief` leaves out the advice, for an e-mail about several persons.
        """
        words, shown = self.catalogs.of(reader.language), [safe_card(one) for one in contents]
        added = copy or Copy()

        def compose(cards: Sequence[ReminderContent], reads: Reader) -> Composed:
            phrases = Phrases.of(self.catalogs, reads)
            if reads.channel.is_mail:
                return EmailComposer(phrases).reminder(cards, added, brief=brief)
            return SmsComposer(phrases).reminder(cards)

        return MessageWords(words, safe_reader(words, reader), shown).checked(
            partial(compose, shown), partial(compose, [without_label(one) for one in shown]), [added.take_link]
        )

    def notice(self, reader: Reader, kind: NoticeKind | UntoldKind, about: About) -> Composed:
        """Return a notice to a carer or a member of staff about a person's reminders."""
        words = self.catalogs.of(reader.language)
        shown = safe_about(words, about)
        neutral = replace(shown, card=shown.card and without_label(shown.card), reply=None)

        def compose(subject: About, reads: Reader) -> Composed:
            phrases = Phrases.of(self.catalogs, reads)
            if reads.channel.is_mail:
                return EmailComposer(phrases).notice(kind, subject)
            return SmsComposer(phrases).notice(kind, subject)

        cards = [] if shown.card is None else [shown.card]
        return MessageWords(words, safe_reader(words, reader), cards, shown.reply).checked(
            partial(compose, shown), partial(compose, neutral), [shown.link]
        )

    def unsafe_words(self, reader: Reader, places: Sequence[WordPlace], count: int) -> Composed:
        """Return the notice to those of a group that some of its words cannot stand in messages, `count` in all."""
        words = self.catalogs.of(reader.language)
        phrases = Phrases.of(self.catalogs, safe_reader(words, reader))
        shown = [replace(one, place=safe_place(words, one.place, is_name=one.is_name)) for one in places]
        if reader.channel.is_mail:
            return EmailComposer(phrases).unsafe_words(shown, count)
        return SmsComposer(phrases).unsafe_words(count)

    def limit(self, reader: Reader, name: str, channel: ChannelName) -> Composed:
        """Return the notice to a member that their group has reached a limit. `name`: of catalog.LIMITS."""
        words = self.catalogs.of(reader.language)

        def compose(reads: Reader) -> Composed:
            phrases = Phrases.of(self.catalogs, reads)
            of_form = EmailComposer(phrases) if reads.channel.is_mail else SmsComposer(phrases)
            return of_form.limit(name, channel)

        return MessageWords(words, safe_reader(words, reader)).checked(compose, compose, [])

    def answer(self, reader: Reader, name: str, *, day: date | None = None, is_named: bool = True) -> Composed:
        """Return one text to somebody who has just answered, or who is asked for consent.

        `name`: of notices.ANSWERS. `is_named`: it addresses the person, who is known.
        """
        words = self.catalogs.of(reader.language)

        def compose(reads: Reader) -> Composed:
            return SmsComposer(Phrases.of(self.catalogs, reads)).answer(name, day, is_named=is_named)

        return MessageWords(words, safe_reader(words, reader)).checked(compose, compose, [])

    def choice(self, reader: Reader, names: Mapping[int, str]) -> Composed:
        """Return the text that asks whom an answer is about. `names`: of each person, by the digit that means them.

        The names are those of `name_of`.
        """
        words = self.catalogs.of(reader.language)
        neutral = dict.fromkeys(names, words.section("neutral")["call"])

        def compose(said: Mapping[int, str], reads: Reader) -> Composed:
            return SmsComposer(Phrases.of(self.catalogs, reads)).choice(said)

        listed = MessageWords(words, safe_reader(words, reader), others=tuple(names.values()))
        return listed.checked(partial(compose, names), partial(compose, neutral), [])

    def senders(self, reader: Reader, names: Mapping[int, str], more: int) -> Composed | None:
        """Return the text that lists who has written to a telephone, by the digit with which each is stopped.

        `more`: of so many there is no room. None: it is too long, and some have to be left out.
        """
        return self._listed(reader, names, more, SmsComposer.senders)

    def left(self, reader: Reader, names: Mapping[int, str]) -> Composed | None:
        """Return the text that confirms that these write no more. None: it is too long."""
        return self._listed(reader, names, 0, SmsComposer.left)

    def _listed(
        self,
        reader: Reader,
        names: Mapping[int, str],
        more: int,
        say: Callable[[SmsComposer, Mapping[int, str], int], str | None],
    ) -> Composed | None:
        words = self.catalogs.of(reader.language)
        neutral = dict.fromkeys(names, words.section("neutral")["from_"])

        def compose(said: Mapping[int, str], reads: Reader) -> Composed:
            return Composed(None, say(SmsComposer(Phrases.of(self.catalogs, reads)), said, more) or "")

        listed = MessageWords(words, safe_reader(words, reader), others=tuple(names.values()))
        composed = listed.checked(partial(compose, names), partial(compose, neutral), [])
        return composed if composed.text else None

    def name_of(self, reader: Reader, *, with_group: bool = False) -> str:
        """Return how a person is called in that text; `with_group`: by the name of their group too."""
        phrases = Phrases.of(self.catalogs, safe_reader(self.catalogs.of(reader.language), reader))
        return phrases.words.word("whose").format_map(phrases.of_person) if with_group else phrases.of_person["call"]

    def reading_of(self, name: str, language: Language) -> str:
        """Return a name as it is read aloud, where the language has readings: お母さん is おかあさん."""
        return furigana.read_aloud(self.catalogs.of(language).with_furigana.read(name))

    def call(self, contents: Sequence[ReminderContent], reader: Reader) -> CallScript:
        """Return the script of a telephone call about these cards."""
        shown = [safe_card(one) for one in contents]

        def compose(cards: Sequence[ReminderContent], reads: Reader) -> CallScript:
            return CallComposer(Phrases.of(self.catalogs, reads)).reminder(cards)

        return self._spoken(
            reader, shown, partial(compose, shown), partial(compose, [without_label(one) for one in shown])
        )

    def practice_call(self, reader: Reader) -> CallScript:
        """Return the script of the call in which somebody tries the keys out."""

        def compose(reads: Reader) -> CallScript:
            return CallComposer(Phrases.of(self.catalogs, reads)).practice()

        return self._spoken(reader, [], compose, compose)

    def _spoken(
        self,
        reader: Reader,
        shown: Sequence[ReminderContent],
        compose: Callable[[Reader], CallScript],
        neutral: Callable[[Reader], CallScript],
    ) -> CallScript:
        words = self.catalogs.of(reader.language)
        checked = MessageWords(words, safe_reader(words, reader), shown).checked(
            lambda reads: Composed(None, compose(reads).text), lambda reads: Composed(None, neutral(reads).text), []
        )
        return read_script(checked.text)

    def digest(self, language: Language, digest: Digest, link: str | None = None) -> Composed:
        """Return the weekly e-mail to a home's staff. `link`: of the page, where the operator allows links."""
        shown = safe_digest(self.catalogs.of(language), digest)
        composer, ours = DigestComposer(self.catalogs, language), [link] if link else []
        composed = composer.compose(shown, link)
        # Rooms are numbers; a link can appear only where one word meets another.
        if foreign_links(f"{composed.subject}\n{composed.text}", ours):
            plain = composer.compose(without_words(self.catalogs.of(language), shown), link)
            return composed if foreign_links(f"{plain.subject}\n{plain.text}", ours) else plain
        return composed

    def login_code(self, language: Language, code: str, long_code: str) -> Composed:
        """Return the e-mail with a login code, and the long one that works where it does not."""
        said = self.catalogs.of(language).in_mail.section("sign_in")
        return Composed(said["code_subject"], said["code"].strip().format(code=code, long_code=long_code))

    def confirm_code(self, language: Language, code: str) -> Composed:
        """Return the e-mail with the code by which somebody who is signed in shows once more who they are."""
        said = self.catalogs.of(language).in_mail.section("sign_in")
        return Composed(said["confirm_subject"], said["confirm"].strip().format(code=code))

    def fault(self, code: str, sentence: str) -> Composed:
        """Return what the operator is told of a fault of the service: its code, and what it means and what to do."""
        return Composed(code, f"{code}: {sentence}")

    def balance(self, language: Language, first: date, last: date, balances: Sequence[DayBalance]) -> Composed:
        """Return the mail to the operator about what became of what was due from one day in Japan to another."""
        return compose_balance(self.catalogs.of(language), first, last, balances)

    def canary(self, language: Language, at: datetime) -> Composed:
        """Return the message that goes to the operator's own address to try a channel; `at`: for which instant."""
        words = self.catalogs.of(language)
        said, local = words.section("canary"), hours.japan(at)
        about = {"date": words.date(local.date()), "hour": local.hour}
        return Composed(said["subject"].format(**about), said["said"].format(**about))

    def account_act(
        self, language: Language, act: AccountAct, at: datetime, device: str, group: str | None
    ) -> Composed:
        """Return the e-mail about something that was done to an account or a group, in case it was somebody else.

        `at`: in Japan. `device`: what its owner calls it, or one of the names in account_acts. `group`: its name, None
        to leave it out.
        """
        words = self.catalogs.of(language)
        said, name = words.in_mail.section("account"), safe_sender(words, group or "")
        of_ours = said["terminal"] if device == OPERATORS_TERMINAL else said["unknown_device"]
        where = device if is_known_device(device) else of_ours
        when = f"{words.in_mail.date(at.date(), 'full_date')} {at:%H:%M}"
        text = (
            said["act"]
            .strip()
            .format(what=said[act], when=when, device=where, group=said["group"].format(group=name) if name else "")
        )
        return Composed(said["subject"], re.sub("\n{3,}", "\n\n", text))

    def invitation(self, language: Language, group: str | None) -> Composed:
        """Return the e-mail that invites somebody to a group.

        It goes to any address that a member types, so its subject is ours alone, and a name that may not leave us is
        left out. None for a group whose name no stranger may read.
        """
        words = self.catalogs.of(language)
        said, name = words.in_mail.section("sign_in"), safe_sender(words, group or "")
        text = said["invitation"] if group and name == group else said["invitation_unnamed"]
        return Composed(said["invitation_subject"], text.strip().format(group=name))

    def consent_request(self, language: Language, link: str | None) -> Composed:
        """Return the message that asks a stranger for consent: a text, or an e-mail with a link of ours.

        It holds no word of the group that asks.
        """
        words = self.catalogs.of(language)
        said = (words if link is None else words.in_mail).section("sign_in")
        if link is None:
            return Composed(None, said["consent_text"])
        return Composed(said["consent_subject"], said["consent"].strip().format(link=link))

    def together(self, composed: Sequence[Composed], language: Language) -> Composed:
        """Return several messages to one human as one; a single one as it is."""
        if len(composed) == 1:
            return composed[0]
        body = "\n――――――――――\n\n".join(one.body for one in composed)
        words = self.catalogs.of(language)
        subject = words.section("email.subject")["people"].format(n=len(composed))
        counted = [(abs(one.days_left), one.days_left < 0, one) for one in composed if one.days_left is not None]
        nearest = min(counted, key=lambda row: row[:2])[2] if counted else composed[0]
        return Composed(nearest.nearness + subject, body, composed[0].closing, nearest.days_left, nearest.nearness)

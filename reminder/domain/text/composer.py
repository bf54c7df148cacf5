"""The composer of every text that is sent: it combines the contents, the reader, and the texts of config/wording/."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Language
from reminder.domain.text import furigana
from reminder.domain.text.call_scripts import CallComposer, CallScript
from reminder.domain.text.catalog import Catalogs
from reminder.domain.text.digest import Digest, DigestComposer
from reminder.domain.text.email import EmailComposer
from reminder.domain.text.model import About, Composed, Copy, Reader, ReminderContent
from reminder.domain.text.phrases import Phrases
from reminder.domain.text.sms import SmsComposer


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
        phrases = Phrases.of(self.catalogs, reader)
        if reader.channel.is_mail:
            return EmailComposer(phrases).reminder(contents, copy or Copy(), brief=brief)
        return SmsComposer(phrases).reminder(contents)

    def notice(self, reader: Reader, kind: NoticeKind, about: About) -> Composed:
        """Return a notice to a carer or a member of staff about a person's reminders."""
        phrases = Phrases.of(self.catalogs, reader)
        if reader.channel.is_mail:
            return EmailComposer(phrases).notice(kind, about)
        return SmsComposer(phrases).notice(kind, about)

    def answer(self, reader: Reader, name: str, *, day: date | None = None, is_named: bool = True) -> Composed:
        """Return one text to somebody who has just answered, or who is asked for consent.

        `name`: of notices.ANSWERS. `is_named`: it addresses the person, who is known.
        """
        return SmsComposer(Phrases.of(self.catalogs, reader)).answer(name, day, is_named=is_named)

    def choice(self, reader: Reader, names: Mapping[int, str]) -> Composed:
        """Return the text that asks whom an answer is about. `names`: of each person, by the digit that means them."""
        return SmsComposer(Phrases.of(self.catalogs, reader)).choice(names)

    def name_of(self, reader: Reader, *, with_group: bool = False) -> str:
        """Return how a person is called in that text; `with_group`: by the name of their group too."""
        phrases = Phrases.of(self.catalogs, reader)
        return phrases.words.word("whose").format_map(phrases.of_person) if with_group else phrases.of_person["call"]

    def reading_of(self, name: str, language: Language) -> str:
        """Return a name as it is read aloud, where the language has readings: お母さん is おかあさん."""
        return furigana.read_aloud(self.catalogs.of(language).with_furigana.read(name))

    def call(self, contents: Sequence[ReminderContent], reader: Reader) -> CallScript:
        """Return the script of a telephone call about these cards."""
        return CallComposer(Phrases.of(self.catalogs, reader)).reminder(contents)

    def practice_call(self, reader: Reader) -> CallScript:
        """Return the script of the call in which somebody tries the keys out."""
        return CallComposer(Phrases.of(self.catalogs, reader)).practice()

    def digest(self, language: Language, digest: Digest, link: str | None = None) -> Composed:
        """Return the weekly e-mail to a home's staff. `link`: of the page, where the operator allows links."""
        return DigestComposer(self.catalogs, language).compose(digest, link)

    def login_code(self, language: Language, code: str) -> Composed:
        """Return the e-mail with a login code."""
        said = self.catalogs.of(language).in_mail.section("sign_in")
        return Composed(said["code_subject"], said["code"].strip().format(code=code))

    def invitation(self, language: Language, group: str | None) -> Composed:
        """Return the e-mail that invites somebody to a group; None for a group whose name strangers may not read."""
        said = self.catalogs.of(language).in_mail.section("sign_in")
        group = group or said["unnamed_group"]
        return Composed(said["invitation_subject"].format(group=group), said["invitation"].strip().format(group=group))

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
        subject = self.catalogs.of(language).section("email.subject")["people"].format(n=len(composed))
        return Composed(subject, body, composed[0].closing)

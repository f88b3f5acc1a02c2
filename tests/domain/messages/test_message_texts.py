"""The texts of messages: every rule in each language, the clinic's own copies, and what stops the start."""

import shutil
from pathlib import Path

import pytest

from service.config.settings import Settings, SettingsError
from service.domain.accounts import user_tokens
from service.domain.outbox import message_rules
from service.language import message_texts
from service.wiring import connect
from tests.house import House

LANGUAGES = ("en", "en_GB", "de")
GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà{}[]~|€"
)
EXAMPLES = {
    "clinic_name": "Practice at the Park",
    "clinic_phone": "+49 30 1234567",
    "by_phone": " (+49 30 1234567)",
    "cancelled_by": "This appointment was canceled as you asked",
    "visits_short": "Wed, 23 Sep 2026, 14:00",
    "date": "Wed, 23 Sep 2026",
    "time": "14:00",
    "until": "14:20",
    "manage_link": "",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", message_rules.RULES)
def test_every_rule_has_its_words_in_every_language(rule: str, language: str) -> None:
    values = {name: f"<{name}>" for name in message_rules.variables()[rule]}
    subject, body = message_texts.fill(rule, language, values)
    assert "<clinic_name>" in subject + body
    assert "<clinic_name>" in body
    assert len(body.splitlines()) > 4
    assert "{" not in subject + body
    assert ("<contact_link>" in body) == ("contact_link" in values)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", [one for one in message_rules.RULES.values() if "contact_link" in one.says])
def test_an_sms_is_one_segment_besides_its_link(rule: message_rules.Rule, language: str) -> None:
    _subject, body = message_texts.fill(f"{rule.name}.sms", language, EXAMPLES)
    assert len(body.strip()) <= 160
    assert set(body) <= GSM7


def test_there_is_a_text_for_each_template_and_no_other() -> None:
    assert sorted(file.name.removesuffix(".txt") for file in message_texts.OURS.iterdir()) == sorted(
        message_rules.texts()
    )


def test_a_template_without_its_text_does_not_start(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(message_texts.OURS, tmp_path / "ours")
    (tmp_path / "ours" / "visit_moved.sms.txt").unlink()
    monkeypatch.setattr(message_texts, "OURS", tmp_path / "ours")
    with pytest.raises(SettingsError, match=r"^There is no message text visit_moved\.sms\.txt\.$"):
        connect(house.settings, "test")


@pytest.mark.parametrize("template", message_rules.texts())
def test_german_has_a_text_of_its_own_for_each_template(template: str) -> None:
    values = {name: f"<{name}>" for names in message_rules.variables().values() for name in names}
    assert message_texts.fill(template, "de", values) != message_texts.fill(template, "en", values)


@pytest.mark.parametrize("rule", message_rules.RULES.values(), ids=lambda rule: rule.name)
def test_a_rule_that_names_a_link_says_where_it_leads(rule: message_rules.Rule) -> None:
    about_a_visit_or_an_offer = rule.is_for_patients and not rule.is_notice
    assert bool(rule.page) != (about_a_visit_or_an_offer or rule.name == "account_changed")
    assert not rule.one_time or (rule.one_time in user_tokens.LASTING and "{key}" in rule.page and not rule.wanted)
    assert not rule.calendar or rule.still


@pytest.fixture(name="folder")
def own_texts(tmp_path: Path) -> Path:
    (tmp_path / "texts" / "en").mkdir(parents=True)
    return tmp_path / "texts"


def started(house: House, folder: Path) -> None:
    messages = house.settings.messages.model_copy(update={"templates": str(folder)})
    connect(Settings(**{**dict(house.settings), "messages": messages}), "test").database.close()


def test_the_clinics_own_copy_wins_and_the_others_stay(house: House, folder: Path) -> None:
    (folder / "en" / "invite.txt").write_text("\ufeffCome in, {name}\n\n{manage_link}\n", encoding="utf-8")
    values = dict.fromkeys(message_rules.variables()["invite"], "x")
    try:
        started(house, folder)
        assert message_texts.fill("invite", "en", values) == ("Come in, x", "x\n")
        assert message_texts.fill("invite", "de", values)[0] == "Ihr Konto bei x"
    finally:
        message_texts.use(None, {})
    assert message_texts.fill("invite", "en", values)[0] == "Your account at x"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("en/invite.txt", b"Hello {nmae}\n\n{manage_link}\n", "no variable {nmae}"),
        ("en/daily_reminder.txt", b"Hello\n\nYour {month}", "no variable {month}"),
        ("en/invite.txt", b"\n\nHello {name}\n", "first line"),
        ("en/invite.txt", b"", "first line"),
        ("en/invite.txt", b"Gr\xfc\xdfe\n\n{name}\n", "not in UTF-8"),
        ("en/invitation.txt", b"Hello\n", "no text of Rounds"),
        ("xx/invite.txt", b"Hello\n", "no text of Rounds"),
        ("invite.txt", b"Hello\n", "no text of Rounds"),
    ],
)
def test_a_text_that_cannot_be_used_stops_the_start(
    house: House, folder: Path, file: str, text: bytes, words: str
) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(text)
    with pytest.raises(SettingsError, match=r"messages\.templates") as refused:
        started(house, folder)
    assert words in str(refused.value)
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_missing_stops_the_start(house: House, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no folder"):
        started(house, tmp_path / "nowhere")

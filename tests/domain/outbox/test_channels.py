"""The table of channels: each one has all its parts, and a name that is none is an error."""

import pytest
from sqlalchemy import inspect

from service.config.settings import Email, Settings, Sms
from service.domain.outbox import channels
from service.domain.outbox.channels import CHANNELS, WAYS
from service.notifications.channels import Channels, choose
from service.storage.models import Channel, Patient
from tests.recording import Recording


@pytest.mark.parametrize("name", Channel)
def test_a_channel_has_its_words_its_address_and_its_consent(name: Channel) -> None:
    kind = CHANNELS[name]
    assert kind.name == name
    assert all((kind.title, kind.word, kind.wish, kind.carries, kind.nowhere))
    columns = inspect(Patient).columns
    assert {kind.address.key, kind.allowed.key} <= set(columns.keys())
    way = CHANNELS[kind.way]
    assert (way.way, way.address, way.allowed) == (kind.way, kind.address, kind.allowed)


def test_no_two_ways_share_a_consent() -> None:
    assert len({CHANNELS[way].allowed.key for way in WAYS}) == len(WAYS)


def test_a_name_that_is_no_channel_is_an_error() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        channels.of("pigeon")


def test_a_message_by_sms_never_leaves_by_e_mail() -> None:
    with pytest.raises(LookupError):
        Channels(Recording()).of(Channel.SMS)


@pytest.mark.parametrize("mail", [True, False])
def test_every_way_of_the_clinic_has_something_that_takes_its_messages(mail: bool) -> None:
    email = Email(enabled=mail, host="mail.example", sender="Clinic <desk@clinic.example>")
    settings = Settings(email=email, sms=Sms(enabled=True, url="https://sms.example/send", body="{to} {text}"))
    chosen = choose(settings)
    assert channels.ways(settings) == WAYS
    for way in WAYS:
        assert CHANNELS[chosen.of(way).name].way == way
    assert chosen.of(Channel.CONSOLE).name == Channel.CONSOLE

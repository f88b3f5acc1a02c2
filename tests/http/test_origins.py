"""Where requests come from: addresses behind a proxy, the names a service answers to, and the pages of forms."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import TestResponse

from service.http import origins
from service.storage.models import AuditEntry
from tests.house import PASSWORD, House

HTTPS = "https://rounds.clinic.example"


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """A clinic behind a proxy, with a receptionist signed in."""
    made = make_house(clinic={"public_url": HTTPS}, server={"trusted_proxy": "127.0.0.1"})
    made.user("receptionist", "rita@clinic.example", "Rita Tresen")
    return made


def seen_address(house: House, passed_on: str, peer: str = "127.0.0.1") -> str | None:
    """Return the address in the audit log of a failed sign-in."""
    wrong = {"email": f"{len(passed_on)}@clinic.example", "password": "wrong"}
    house.browser().post("/sign-in", wrong, headers={"X-Forwarded-For": passed_on}, environ_base={"REMOTE_ADDR": peer})
    with house.reading() as session:
        last = select(AuditEntry.address).where(AuditEntry.act == "session.refused").order_by(AuditEntry.id.desc())
        return session.scalars(last.limit(1)).first()


PASSED_ON = [
    ("[2001:db8::1]:4711", "2001:db8::1"),
    ("[2001:DB8:0::1]", "2001:db8::1"),
    ("2001:db8::1", "2001:db8::1"),
    ('"[2001:db8::1]:4711"', "2001:db8::1"),
    ("1.2.3.4:4711", "1.2.3.4"),
    ('"1.2.3.4"', "1.2.3.4"),
    ("[fe80::1%eth0]:4711", "fe80::1"),
    ("fe80::1%25eth0", "fe80::1"),
    ("::ffff:1.2.3.4", "1.2.3.4"),
    ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
    ("198.51.100.7, 203.0.113.9", "203.0.113.9"),
    ("198.51.100.7,[2001:db8::2]:1", "2001:db8::2"),
    ("unknown", ""),
    ("_hidden", ""),
    ("", ""),
    ("[2001:db8::1", ""),
    ("x" * 5000, ""),
]


def test_p6_a_client_is_its_address_and_no_port(house: House) -> None:
    assert [(passed_on, seen_address(house, passed_on)) for passed_on, _address in PASSED_ON] == PASSED_ON


def test_p6_only_the_trusted_proxy_is_believed(house: House) -> None:
    assert seen_address(house, "203.0.113.9", peer="198.51.100.7") == "198.51.100.7"
    assert seen_address(house, "203.0.113.9", peer="::ffff:127.0.0.1") == "203.0.113.9"


@given(st.ip_addresses(), st.integers(1, 65535), st.sampled_from(["", "eth0", "1"]))
def test_p6_every_address_is_read_in_every_form(address: object, port: int, zone: str) -> None:
    text, forms = str(address), [str(address), f'"{address}"']
    wanted = origins.bare_address(text)
    if ":" in text:
        named = f"{text}%{zone}" if zone else text
        forms += [f"[{text}]", f"[{named}]:{port}", f'"[{named}]:{port}"']
    else:
        forms += [f"{text}:{port}", f'"{text}:{port}"', f"::ffff:{text}"]
    assert {origins.bare_address(form) for form in forms} == {wanted}
    assert wanted


HOSTS = [
    ("rounds.clinic.example", 200),
    ("rounds.clinic.example.", 200),
    ("ROUNDS.Clinic.Example", 200),
    ("Rounds.clinic.example.:443", 200),
    ("rounds.clinic.example:4711", 200),
    ("127.0.0.1", 200),
    ("[::1]:8000", 200),
    ("localhost.", 200),
    ("rounds.clinic.example..", 400),
    ("rounds.clinic.example.evil.example", 400),
    ("evil.example", 400),
    (".", 400),
]


def test_p6_a_name_is_the_same_with_a_dot_at_its_end_in_capitals_and_with_a_port(house: House) -> None:
    client = house.app.test_client()
    asked = [(host, client.get("/sign-in", headers={"Host": host}).status_code) for host, _status in HOSTS]
    assert asked == HOSTS


def signs_in(client: FlaskClient, headers: dict[str, str], base_url: str = HTTPS, **fields: str | None) -> TestResponse:
    """Open the sign-in page under TLS and send its form with these headers."""
    page = client.get("/sign-in", base_url=base_url).get_data(as_text=True)
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": "rita@clinic.example", "password": PASSWORD, **fields}
    sent = {name: value for name, value in form.items() if value is not None}
    return client.post("/sign-in", base_url=base_url, headers=headers, data=sent)


def test_p3_the_token_and_the_page_s_origin_are_enough(house: House) -> None:
    for headers, base_url in (
        ({"Origin": HTTPS}, HTTPS),
        ({"Referer": f"{HTTPS}/sign-in"}, HTTPS),
        ({"Origin": f"{HTTPS}:443"}, HTTPS),
        ({"Origin": "https://ROUNDS.clinic.example"}, HTTPS),
        ({"Origin": "null", "Referer": f"{HTTPS}/sign-in"}, HTTPS),
        ({"Origin": HTTPS}, f"{HTTPS}."),
        ({"Origin": f"{HTTPS}."}, f"{HTTPS}."),
        ({"Origin": "https://192.0.2.9"}, "https://192.0.2.9"),
        ({"Origin": HTTPS}, "https://192.0.2.9"),
    ):
        assert signs_in(house.app.test_client(), headers, base_url).status_code == 303, (headers, base_url)


REFUSED: list[tuple[dict[str, str], dict[str, str | None], str]] = [
    ({"Origin": HTTPS}, {"csrf_token": None}, "without its security token"),
    ({"Origin": HTTPS}, {"csrf_token": ""}, "without its security token"),
    ({"Origin": HTTPS}, {"csrf_token": "made-up"}, "This form was open too long"),
    ({"Origin": "https://evil.example"}, {}, "sent from another site"),
    ({"Origin": "https://evil.example", "Referer": f"{HTTPS}/sign-in"}, {}, "sent from another site"),
    ({"Origin": HTTPS.replace("https", "http")}, {}, "sent from another site"),
    ({"Origin": f"{HTTPS}:8443"}, {}, "sent from another site"),
    ({"Origin": f"{HTTPS}.evil.example"}, {}, "sent from another site"),
    ({"Origin": "https://["}, {}, "sent from another site"),
    ({"Referer": "https://evil.example/"}, {}, "sent from another site"),
    ({}, {}, "say which page this form came from"),
    ({"Origin": "null"}, {}, "say which page this form came from"),
]


def test_p3_a_refusal_says_what_is_wrong(house: House) -> None:
    for headers, fields, sentence in REFUSED:
        answer = signs_in(house.app.test_client(), headers, HTTPS, **fields)
        assert (answer.status_code, sentence in answer.get_data(as_text=True)) == (400, True), (headers, fields)


def test_p3_a_browser_that_takes_no_cookies_is_told_so(house: House) -> None:
    client = house.app.test_client(use_cookies=False)
    answer = signs_in(client, {"Origin": HTTPS})
    assert (answer.status_code, "Allow cookies" in answer.get_data(as_text=True)) == (400, True)


def test_p3_a_form_from_before_signing_in_in_another_tab_was_open_for_too_long(house: House) -> None:
    browser = house.browser()
    stale = browser.token()
    browser.sign_in("rita@clinic.example")
    answer = browser.client.post("/account/name", data={"csrf_token": stale, "name": "Rita"})
    assert (answer.status_code, "signed in or out in the meantime" in answer.get_data(as_text=True)) == (400, True)

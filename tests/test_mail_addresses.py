"""E-mail addresses: what makes two spellings one address, and what a mail server is told."""

import json
import os
import shutil
import subprocess
import unicodedata

import email_validator
import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.mail_addresses import LONGEST_KEY, address_key, as_folded_before, as_sent, ascii_domain

SAME = (
    ("max@straße.de", "MAX@STRAßE.DE", "max@xn--strae-oqa.de", "Max@XN--STRAE-OQA.de", " max@straße.de\n"),
    ("νικος@νίκος.gr", "ΝΙΚΟΣ@νίκος.gr", "νικος@ΝΊΚΟς.GR"),
    ("zoë@example.com", "ZOË@example.com", unicodedata.normalize("NFD", "zoë@example.com")),
    ("a@example.com", "a@ｅｘａｍｐｌｅ.com", "A@example。com"),
    ("a@ශ්\u200dරී.example", "a@xn--10cl1a0b660p.example"),
    ("İrem@example.com", "i̇rem@example.com"),
)
DIFFERENT = (
    ("max@straße.de", "max@strasse.de"),
    ("Groß@example.com", "gross@example.com"),
    ("νικος@example.gr", "νικοσ@example.gr"),
    ("a@νίκος.gr", "a@νίκοσ.gr"),
    ("İrem@example.com", "irem@example.com", "ırem@example.com"),
    ("oﬃce@example.com", "office@example.com"),
    ("ſam@example.com", "sam@example.com"),
    ("a@ශ්\u200dරී.example", "a@ශ්රී.example"),
    ("a.b@example.com", "ab@example.com", "a.b+c@example.com"),
)
domains = st.from_regex(r"[a-zäöüßςσéıłа-яא-ת0-9]{1,12}(-[a-zß0-9]{1,6})?\.(de|example|gr)", fullmatch=True)


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_i1_spellings_of_one_address_share_a_key(spellings: tuple[str, ...]) -> None:
    assert len({address_key(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("addresses", DIFFERENT, ids=lambda addresses: addresses[0])
def test_i1_addresses_of_different_people_have_different_keys(addresses: tuple[str, ...]) -> None:
    assert len({address_key(address) for address in addresses}) == len(addresses)


@given(st.text(max_size=260))
@example("\0")
@example("lena@mail.example\0")
def test_any_text_has_a_key_that_fits_and_is_its_own_key(text: str) -> None:
    key = address_key(text)
    assert len(key) <= LONGEST_KEY
    assert "\0" not in key
    assert address_key(key) == key


@given(st.emails(domains=domains))
def test_a_key_keeps_the_domain_that_the_address_is_sent_to(address: str) -> None:
    try:
        sent = as_sent(address)
    except ValueError:
        return  # no such domain can be registered
    assert sent.rpartition("@")[0] == address.rpartition("@")[0]
    assert address_key(address).rpartition("@")[2] == sent.rpartition("@")[2]
    assert address_key(sent) == address_key(address)


@given(domains)
def test_the_ascii_form_of_a_domain_is_that_of_email_validator_and_reads_back(domain: str) -> None:
    try:
        found = email_validator.validate_email(f"a@{domain}", check_deliverability=False)
    except email_validator.EmailNotValidError:
        return
    assert ascii_domain(domain) == found.ascii_domain
    assert idna.decode(ascii_domain(domain)) == found.domain


@pytest.mark.parametrize("domain", ["", "a..ß", "-ß.de", "ß-.de", "a_ß.de", f"{'ß' * 64}.de", "ا1a.example"])
def test_what_no_registry_would_accept_is_no_domain(domain: str) -> None:
    if domain:
        with pytest.raises(ValueError, match=r"."):
            ascii_domain(domain)
    assert address_key(f"a@{domain}")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Max@Straße.de", "max@strasse.de"),
        ("max@xn--strae-oqa.de", "max@strasse.de"),
        ("Groß@example.com", "gross@example.com"),
        ("νίκος@νίκος.gr", "νίκοσ@νίκοσ.gr"),
        ("oﬃce@example.com", "office@example.com"),
        ("lena@mail.example", "lena@mail.example"),
    ],
)
def test_i1_the_form_of_earlier_releases_is_known(typed: str, stored: str) -> None:
    assert as_folded_before(typed) == stored


@pytest.mark.foreign
@given(st.lists(domains, min_size=200, max_size=200))
def test_i1_another_implementation_of_idna_sends_to_the_same_domains(found: list[str]) -> None:
    node = shutil.which("node")
    if node is None:
        if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
            pytest.fail("node is needed")
        pytest.skip("no node")
    script = "const u=require('url');console.log(JSON.stringify(JSON.parse(process.argv[1]).map(u.domainToASCII)))"
    done = subprocess.run([node, "-e", script, json.dumps(found)], check=True, capture_output=True, timeout=60)
    for domain, theirs in zip(found, json.loads(done.stdout), strict=True):
        try:
            ours = ascii_domain(domain)
        except ValueError:
            continue  # IDNA 2008 allows fewer domains than browsers do
        assert theirs in (ours, ""), domain

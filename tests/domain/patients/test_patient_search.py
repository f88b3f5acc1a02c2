"""Finding patients: in any script and writing, by birth date and phone, each by those who may see them."""

from datetime import date, timedelta

import pytest

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from service.domain.patients import patient_records, patient_search
from service.domain.patients.details import PatientDetails
from service.language.typed_dates import Order
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")
NOW = at("2026-05-04 06:00")


@pytest.fixture
def desk(house: House) -> Actor:
    return house.user("receptionist", "desk@clinic.example", "Rita Tresen")


@pytest.fixture
def doctor(house: House) -> Actor:
    return house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg")


def found(house: House, actor: Actor, text: str, order: Order = Order.DAY) -> list[str]:
    with house.reading() as session:
        return [patient.name for patient in patient_search.search(session, actor, text, order).patients]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Elif Öztürk", "ozturk"),
        ("Elif Öztürk", "ÖZTÜRK elif"),
        ("Łukasz Żółć", "lukasz zolc"),
        ("Jürgen Groß", "GROSS"),
        ("Jürgen Groß", "groß jur"),
        ("İpek Işık", "ipek isik"),
        ("Siobhán O'Connor-Smith", "o connor smith"),
        ("Ольга Иванова", "ИВАНОВА"),
        ("王小明", "小明"),
        ("محمد العلي", "العلي"),
        ("Ｆｕｌｌ Width", "full"),
        ("Maria  Anna\tBerg", "maria anna berg"),
    ],
)
def test_a_name_is_found_in_any_script_case_and_accent(house: House, desk: Actor, name: str, typed: str) -> None:
    house.patient("Somebody Else")
    house.patient(name)
    assert found(house, desk, typed) == [name]


@pytest.mark.parametrize(
    ("name", "other"),
    [("สุดา", "สดา"), ("रामा देवी", "राम देवी"), ("क़मर", "कमर"), ("がく", "かく"), ("ড়লি", "ডলি"), ("김밖", "김박")],
)
def test_i3_a_mark_that_is_part_of_its_letter_is_searched_for(house: House, desk: Actor, name: str, other: str) -> None:
    house.patient(name, birth_date=date(1985, 5, 4))
    house.patient(other, birth_date=date(1985, 5, 4))
    assert found(house, desk, name) == [name]
    with house.reading() as session:
        details = PatientDetails(name, date(1985, 5, 4))
        assert [one.name for one in patient_search.likely_duplicates(session, desk, details)] == [name]


@pytest.mark.parametrize(
    ("name", "typed"), [("Anna Berg", "ann"), ("सुनीता", "सुन"), ("रामा देवी", "राम"), ("วิชัย", "วิช"), ("김민준", "기")]
)
def test_i3_the_beginning_of_a_name_finds_it_in_every_script(house: House, desk: Actor, name: str, typed: str) -> None:
    house.patient(name)
    assert found(house, desk, typed) == [name]


@pytest.mark.parametrize(
    "typed", ["%", "_", "%%%", "a%z", "🙂", "'; --", "\0", "\ud800", " , ", "31.6.1985", "x" * 5000]
)
def test_w2_signs_that_mean_nothing_find_nobody(house: House, desk: Actor, typed: str) -> None:
    house.patient("Ab Cd", phone="+49301234567", birth_date=date(1985, 6, 30))
    assert found(house, desk, typed) == []


@pytest.mark.parametrize(
    "typed", ["1985-05-04", "4.5.1985", "04.05.1985", "4-5-1985", "4. 5. 1985", "4.5.85", "vogt 4.5.1985"]
)
def test_a_birth_date_is_read_as_people_write_it_the_day_first(house: House, desk: Actor, typed: str) -> None:
    house.patient("Lena Vogt", birth_date=date(1985, 5, 4))
    house.patient("Lars Vogt", birth_date=date(1985, 4, 5))
    assert found(house, desk, typed) == ["Lena Vogt"]


@pytest.mark.parametrize("typed", ["04/05/1985", "4/5/85", "٤/٥/١٩٨٥", "४-५-१९८५", "Vogt 4.5.1985"])
def test_a_birth_date_is_read_in_the_readers_order(house: House, desk: Actor, typed: str) -> None:
    house.patient("Lena Vogt", birth_date=date(1985, 5, 4))
    house.patient("Lars Vogt", birth_date=date(1985, 4, 5))
    assert found(house, desk, typed, Order.DAY) == ["Lena Vogt"]
    assert found(house, desk, typed, Order.MONTH) == ["Lars Vogt"]


def test_where_the_year_comes_first_a_date_that_ends_with_it_finds_both_days(house: House, desk: Actor) -> None:
    house.patient("Lena Vogt", birth_date=date(1985, 5, 4))
    house.patient("Lars Vogt", birth_date=date(1985, 4, 5))
    assert found(house, desk, "1985/5/4", Order.YEAR) == found(house, desk, "85/5/4", Order.YEAR) == ["Lena Vogt"]
    assert sorted(found(house, desk, "4/5/1985", Order.YEAR)) == ["Lars Vogt", "Lena Vogt"]


def test_a_birth_date_that_can_only_be_one_day_finds_that_day(house: House, desk: Actor) -> None:
    house.patient("Lena Vogt", birth_date=date(1985, 5, 31))
    assert found(house, desk, "31/5/1985") == found(house, desk, "5/31/1985") == ["Lena Vogt"]
    assert found(house, desk, "31/6/1985") == []


@pytest.mark.parametrize(
    "typed", ["030 1234567", "+49 30 1234567", "0049301234567", "+49 (0)30 1234567", "030/123-4567", "2345", "٠٣٠ ١٢٣٤"]
)
def test_a_phone_is_found_by_any_part_however_it_is_written(house: House, desk: Actor, typed: str) -> None:
    house.patient("Lena Vogt", phone="+49301234567")
    house.patient("Lars Vogt", phone="+498976543")
    assert found(house, desk, typed) == ["Lena Vogt"]


def test_two_digits_are_no_phone(house: House, desk: Actor) -> None:
    house.patient("Lena Vogt", phone="+49301234567")
    assert found(house, desk, "12") == []


def test_z5_a_doctor_finds_only_people_who_have_a_visit_with_them(house: House, desk: Actor, doctor: Actor) -> None:
    mine, _theirs = house.patient("Lena Vogt"), house.patient("Lars Vogt")
    house.visit(doctor.doctor_id, mine, NOW - timedelta(days=3))
    assert found(house, doctor, "vogt") == ["Lena Vogt"]
    assert found(house, desk, "vogt") == ["Lars Vogt", "Lena Vogt"]
    with house.reading() as session:
        assert [one.name for one in patient_search.latest(session, doctor)] == ["Lena Vogt"]
        assert patient_search.to_confirm(session, doctor) == []


@pytest.mark.parametrize("typed", ["an", "030 55"])
def test_pages_of_a_search_have_no_gap_and_no_repetition(house: House, desk: Actor, typed: str) -> None:
    for number in range(60):
        house.patient(f"Anna {number % 7}", phone=f"+493055{number:05}")
    seen: list[int] = []
    after = None
    with house.reading() as session:
        while True:
            page = patient_search.search(session, desk, typed, Order.DAY, after=after)
            assert len(page.patients) <= 25
            seen += [one.id for one in page.patients]
            if (after := page.after) is None:
                break
    assert len(set(seen)) == len(seen) == 60


def test_z2_a_page_behind_someone_elses_patient_is_not_found(house: House, doctor: Actor) -> None:
    with house.reading() as session:
        for after in (house.patient("Lena Vogt"), 4711, 2**62):
            with pytest.raises(NotFound):
                patient_search.search(session, doctor, "vogt", Order.DAY, after=after)


def test_archived_people_are_found_and_merged_ones_are_not(house: House, desk: Actor) -> None:
    kept = house.patient("Lena Vogt")
    house.patient("Lea Vogt", archived_at=NOW)
    house.patient("Leni Vogt", archived_at=NOW, merged_into_id=kept)
    assert found(house, desk, "vogt") == ["Lea Vogt", "Lena Vogt"]
    with house.reading() as session:
        assert [one.name for one in patient_search.latest(session, desk)] == ["Lena Vogt"]


@pytest.mark.parametrize("name", ["x", "ﷺ" * 200, "🙂", "x" * 200])
def test_the_search_text_of_any_name_can_be_kept(house: House, desk: Actor, name: str) -> None:
    with house.writing() as session:
        details = PatientDetails.checked(name, None, "", "", house.settings.clinic)
        assert patient_records.add(session, desk, details).name == name

"""Appointments keep their local time when the law about a clinic's clock changes, or its zone is corrected."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service.domain.appointments import promises
from service.domain.clinic import zone_changes
from service.storage.models import Appointment, AuditEntry, Cover, Installation, Message, ZoneChange
from tests.crowd import together
from tests.house import House, at

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER, WINTER = at("2026-07-01 08:00"), at("2026-12-15 09:00")
"""Ten o'clock in Berlin on both days."""


def by_law_of(other: str, key: str = "Europe/Berlin") -> ZoneInfo:
    """A zone after its parliament took over the clock of another place."""
    data = files("tzdata").joinpath("zoneinfo", *other.split("/")).read_bytes()
    return ZoneInfo.from_file(BytesIO(data), key=key)


ALWAYS_WINTER, ALWAYS_SUMMER = by_law_of("Etc/GMT-1"), by_law_of("Etc/GMT-2")


@pytest.fixture(name="clinic", autouse=True)
def a_clinic_that_has_started(house: House, clock: time_machine.Traveller) -> House:
    """On 4 May 2026, with the zone data of today."""
    house.user("doctor", "doctor@clinic.example", "Dr. Anna Schmidt")
    house.patient("Pia Ahorn", email="pia@example.org")
    house.patient("Jonas Weber", email="jonas@example.org")
    start(house, BERLIN)
    return house


def start(house: House, zone: ZoneInfo, former: ZoneInfo = BERLIN) -> ZoneChange | None:
    """What every start does."""
    with house.writing() as session:
        return zone_changes.keep(session, zone, former)


def visit(house: House, starts_at: datetime, zone: ZoneInfo = BERLIN, patient: int = 1, **more: object) -> int:
    """An appointment whose promise is stored."""
    row = house.visit(1, patient, starts_at, **more)
    with house.writing() as session:
        promises.fill_in(session, zone, Appointment.id == row)
    return row


def instant(house: House, row: int) -> datetime:
    with house.reading() as session:
        return session.get_one(Appointment, row).starts_at


def test_a_start_under_the_same_law_changes_nothing(house: House) -> None:
    row = visit(house, SUMMER)
    assert start(house, BERLIN) is None
    assert instant(house, row) == SUMMER


@pytest.mark.parametrize(
    ("law", "starts_at", "moved"),
    [
        pytest.param(ALWAYS_WINTER, SUMMER, timedelta(hours=1), id="an hour later"),
        pytest.param(ALWAYS_SUMMER, WINTER, timedelta(hours=-1), id="an hour earlier"),
        pytest.param(by_law_of("Asia/Kolkata"), SUMMER, timedelta(hours=-3, minutes=-30), id="by a half hour"),
        pytest.param(by_law_of("Pacific/Apia"), SUMMER, timedelta(hours=-11), id="to the other side of the date line"),
        pytest.param(by_law_of("Pacific/Pago_Pago"), SUMMER, timedelta(hours=13), id="back over the date line"),
    ],
)
def test_an_appointment_keeps_its_local_time(
    house: House, law: ZoneInfo, starts_at: datetime, moved: timedelta
) -> None:
    row = visit(house, starts_at)
    change = start(house, law)
    assert change is not None
    assert (change.kept_local, change.problems) == (1, {})
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert found.starts_at == starts_at + moved
        assert found.ends_at == found.starts_at + timedelta(minutes=15)
        assert (found.blocked_from, found.blocked_until) == (found.starts_at, found.ends_at)
        assert f"{found.starts_at.astimezone(law):%H:%M}" == "10:00"
        assert found.local_start == f"{starts_at.astimezone(BERLIN):%Y-%m-%dT%H:%M}"
    assert start(house, law) is None


def test_a_packed_day_moves_as_a_whole_in_either_direction(house: House) -> None:
    rows = [visit(house, SUMMER + timedelta(minutes=15 * turn), patient=1 + turn % 2) for turn in range(20)]
    assert start(house, ALWAYS_WINTER) is not None
    assert [instant(house, row) - SUMMER for row in rows] == [
        timedelta(hours=1, minutes=15 * turn) for turn in range(20)
    ]
    change = start(house, BERLIN)
    assert change is not None
    assert change.kept_local == 20
    assert [instant(house, row) - SUMMER for row in rows] == [timedelta(minutes=15 * turn) for turn in range(20)]


def test_what_has_begun_or_is_over_stays(house: House) -> None:
    past = visit(house, at("2026-04-20 08:00"), status="completed")
    running = visit(house, at("2026-05-04 05:55"), status="arrived")
    ahead = visit(house, at("2026-05-04 06:30"))
    start(house, ALWAYS_WINTER)
    assert instant(house, past) == at("2026-04-20 08:00")
    assert instant(house, running) == at("2026-05-04 05:55")
    assert instant(house, ahead) == at("2026-05-04 07:30")


def test_a_time_that_clocks_skip_now_keeps_its_instant_and_is_listed(house: House) -> None:
    start(house, ALWAYS_WINTER)
    row = visit(house, at("2027-03-28 01:30"), ALWAYS_WINTER)  # half past two, which Berlin skips that night
    change = start(house, BERLIN)
    assert change is not None
    assert change.kept_local == 0
    assert change.problems == {str(row): {"why": "skipped", "local_start": "2027-03-28T02:30"}}
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.starts_at, found.local_start) == (at("2027-03-28 01:30"), "2027-03-28T03:30")


def test_two_that_would_overlap_keep_their_instants_and_are_listed(house: House) -> None:
    first = visit(house, at("2026-10-25 00:30"))  # 02:30, for the first time
    second = visit(house, at("2026-10-25 01:30"), patient=2)  # 02:30 again
    change = start(house, ALWAYS_WINTER)
    assert change is not None
    assert change.problems.keys() == {str(first)} or change.problems.keys() == {str(first), str(second)}
    assert instant(house, first) == at("2026-10-25 00:30")
    assert instant(house, second) == at("2026-10-25 01:30")


def test_messages_and_covers_move_along_so_that_no_one_is_reminded_twice(house: House) -> None:
    row = visit(house, SUMMER)
    stands_in = house.user("doctor", "two@clinic.example").doctor_id
    with house.writing() as session:
        values = {"appointment_id": row, "patient_id": 1, "starts_at": SUMMER, "channel": "email", "status": "sent"}
        common = {"due_at": SUMMER, "lease_until": SUMMER, "created_at": SUMMER, "recipient": "pia@example.org"}
        session.add(Message(rule="advance_reminder", **values, **common))
        times = {"starts_at": at("2026-06-30 22:00"), "ends_at": at("2026-07-01 22:00")}
        session.add(Cover(doctor_id=stands_in, covered_id=1, created_at=SUMMER, **times))
    start(house, ALWAYS_WINTER)
    with house.reading() as session:
        message = session.query(Message).filter(Message.rule == "advance_reminder").one()
        assert message.starts_at == SUMMER + timedelta(hours=1)
        cover = session.query(Cover).one()
        assert (cover.starts_at, cover.ends_at) == (at("2026-06-30 23:00"), at("2026-07-01 23:00"))


def test_who_has_a_calendar_entry_gets_one_new_one(house: House) -> None:
    told, untold = visit(house, SUMMER), visit(house, SUMMER + timedelta(hours=1), patient=2)
    with house.writing() as session:
        for row, status in ((told, "sent"), (untold, "queued")):
            patient = session.get_one(Appointment, row).patient_id
            values = {"appointment_id": row, "patient_id": patient, "rule": "booking_confirmation", "channel": "email"}
            common = {"due_at": SUMMER, "lease_until": SUMMER, "created_at": SUMMER, "recipient": "pia@example.org"}
            session.add(Message(starts_at=instant(house, row), status=status, **values, **common))
    for law in (ALWAYS_WINTER, BERLIN, ALWAYS_WINTER):
        start(house, law)
        with house.reading() as session:
            sent = session.query(Message).filter(Message.rule == "calendar_update").one()
            assert (sent.appointment_id, sent.status, sent.starts_at) == (told, "queued", instant(house, told))


def test_a_corrected_zone_keeps_local_times_and_says_how_many_beforehand(house: House) -> None:
    london = ZoneInfo("Europe/London")
    row = visit(house, SUMMER)
    with house.reading() as session:
        assert zone_changes.count_ahead(session) == 1
    change = start(house, london)
    assert change is not None
    assert (change.zone_before, change.zone_after, change.kept_local) == ("Europe/Berlin", "Europe/London", 1)
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.zone, found.local_start, found.starts_at) == (
            "Europe/London",
            "2026-07-01T10:00",
            SUMMER + timedelta(hours=1),
        )
        assert session.query(AuditEntry).filter(AuditEntry.act == "zone.change").count() == 1


def test_a_clinic_that_really_moves_keeps_its_instants(house: House) -> None:
    london = ZoneInfo("Europe/London")
    row = visit(house, SUMMER)
    with house.writing() as session:
        zone_changes.keep_instants_in(session, "Europe/London")
    assert start(house, london) is None
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.starts_at, found.local_start, found.zone) == (SUMMER, "2026-07-01T09:00", "Europe/London")
        assert session.get_one(Installation, 1).zone_at_instants is None


def test_rows_of_an_earlier_version_are_read_with_the_zone_data_it_used(house: House) -> None:
    row = house.visit(1, 1, SUMMER)
    with house.writing() as session:
        here = session.get_one(Installation, 1)
        here.zone = here.zone_rules = None
        session.get_one(Appointment, row).local_start = None
    change = start(house, BERLIN, former=ALWAYS_WINTER)
    assert change is not None
    assert change.kept_local == 1
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.local_start, found.starts_at) == ("2026-07-01T09:00", at("2026-07-01 07:00"))


def test_a_row_written_past_rounds_gets_its_promise_at_the_next_start(house: House) -> None:
    row = house.visit(1, 1, WINTER)
    with house.writing() as session:
        zone_changes.complete(session, BERLIN)
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.local_start, found.local_fold, found.zone) == ("2026-12-15T10:00", 0, "Europe/Berlin")
        assert found.starts_at.astimezone(UTC) == WINTER


def test_a_row_written_past_rounds_before_the_law_changed_keeps_its_local_time_too(house: House) -> None:
    row = house.visit(1, 1, SUMMER)
    start(house, ALWAYS_WINTER)
    assert instant(house, row) == SUMMER + timedelta(hours=1)


def test_two_services_that_start_at_once_move_everything_once(house: House) -> None:
    rows = [visit(house, SUMMER + timedelta(minutes=15 * turn), patient=1 + turn % 2) for turn in range(8)]
    changes = together(2, lambda _number: start(house, ALWAYS_WINTER))
    assert sorted(change is not None for change in changes) == [False, True]
    assert [instant(house, row) - SUMMER for row in rows] == [
        timedelta(hours=1, minutes=15 * turn) for turn in range(8)
    ]


def test_a_zone_that_nobody_knows_any_more_is_no_obstacle(house: House) -> None:
    row = visit(house, SUMMER)
    with house.writing() as session:
        session.get_one(Installation, 1).zone = "Europe/Atlantis"
        session.get_one(Appointment, row).zone = "Europe/Atlantis"
    start(house, ALWAYS_WINTER)
    with house.reading() as session:
        found = session.get_one(Appointment, row)
        assert (found.zone, found.local_start) == ("Europe/Berlin", "2026-07-01T10:00")
        assert found.starts_at == SUMMER + timedelta(hours=1)


ZONES = ("Europe/Berlin", "America/Vancouver", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu")
LAWS = ("Etc/GMT-2", "Etc/GMT+9", "Asia/Kolkata", "Pacific/Apia", "America/New_York", "Australia/Lord_Howe")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("law", LAWS)
def test_packed_days_keep_their_times_in_every_zone_and_under_every_law(house: House, zone: str, law: str) -> None:
    here, later = ZoneInfo(zone), by_law_of(law, key=zone)
    start(house, here)
    days = [datetime(2027, month, day_, 8, tzinfo=here) for month, day_ in ((1, 4), (3, 28), (7, 1), (11, 7))]
    promised = [f"{day_ + timedelta(minutes=20 * turn):%Y-%m-%dT%H:%M}" for day_ in days for turn in range(12)]
    for number, local in enumerate(promised):
        instant_of = datetime.fromisoformat(local).replace(tzinfo=here).astimezone(UTC)
        visit(house, instant_of, here, patient=1 + number % 2)
    start(house, later)
    with house.reading() as session:
        found = session.query(Appointment).order_by(Appointment.id).all()
        assert [f"{row.starts_at.astimezone(later):%Y-%m-%dT%H:%M}" for row in found] == promised
        assert [row.local_start for row in found] == promised

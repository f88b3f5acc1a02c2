"""The people whom most tests of messages need."""

import pytest

from service.domain.foundation.actor import Actor
from tests.house import House


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    assert found is not None
    return found


@pytest.fixture
def desk(house: House) -> Actor:
    """The receptionist."""
    return house.user("receptionist", "desk@clinic.example", "Rita Tresen")

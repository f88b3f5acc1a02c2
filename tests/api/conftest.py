"""Fixtures: the clinic on its frozen morning, and programs that call as its people."""

from collections.abc import Callable

import pytest

from tests.api.program import Program, token_of
from tests.web.frozen_clinic import Clinic
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log


@pytest.fixture
def program(clinic: Clinic) -> Callable[..., Program]:
    """Makes a program with a token of one of the clinic's people, and of some scopes."""

    def make(who: str, *scopes: str) -> Program:
        token = token_of(clinic.house, who, scopes) if scopes else token_of(clinic.house, who)
        return Program(clinic.house.app, token)

    return make

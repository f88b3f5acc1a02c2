"""The frozen clinic for all tests of pages."""

from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mailing import a_mailing_clinic as a_mailing_clinic

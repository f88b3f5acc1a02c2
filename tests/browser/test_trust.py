"""What only a real browser does: printing a record is on record (L1)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.visitor import Visitor
from tests.patience import until
from tests.process.launching import Service, rows

pytestmark = pytest.mark.browser


def test_l1_printing_a_record_is_audited(visit: Callable[..., Visitor], clinic: Service) -> None:
    folder: Path = clinic.out.parent
    visitor = visit()
    visitor.sign_in("doctor1")
    visitor.open("/patients")
    visitor.page.locator("main table a").first.click()
    visitor.page.wait_for_url("**/patients/*")
    patient = int(visitor.page.url.rpartition("/")[2])
    assert rows(folder, "SELECT count(*) FROM audit WHERE act = 'patient.print'") == [(0,)]
    visitor.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    printed = "SELECT patient_id, role FROM audit WHERE act = 'patient.print'"
    assert until(lambda: rows(folder, printed)) == [(patient, "doctor")]

"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import only
from service.web.reports import clinic_reports, dashboard, figures, reports

BLUEPRINTS = tuple(page.blueprint for page in (clinic_reports, dashboard, figures, reports))
ACCESS = {
    "reports.index": only(Role.ADMIN, Role.DOCTOR),
    "reports.show": only(Role.ADMIN, Role.DOCTOR),
    "reports.file": only(Role.ADMIN, Role.DOCTOR),
    "reports.remake": only(Role.ADMIN),
    "clinic_reports.show": only(Role.ADMIN),
    "clinic_reports.file": only(Role.ADMIN),
    "clinic_reports.remake": only(Role.ADMIN),
    "dashboard.dashboard": only(Role.ADMIN),
    "dashboard.refresh": only(Role.ADMIN),
    "figures.show": only(Role.RECEPTIONIST, Role.DOCTOR),
}

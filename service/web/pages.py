"""All pages: their blueprints, and who may open each. Which rows they show is decided where the row is fetched."""

from service.http.access import ANYONE
from service.web import moved_pages
from service.web.accounts import pages as accounts
from service.web.appointments import pages as appointments
from service.web.clinic import pages as clinic
from service.web.diary import pages as diary
from service.web.exports import pages as exports
from service.web.help import pages as guides
from service.web.imports import pages as imports
from service.web.messages import pages as messages
from service.web.patients import pages as patients
from service.web.privacy import pages as privacy
from service.web.reports import pages as reports

AREAS = (
    accounts,
    appointments,
    clinic,
    diary,
    exports,
    guides,
    imports,
    messages,
    patients,
    privacy,
    reports,
    moved_pages,
)
BLUEPRINTS = tuple(blueprint for area in AREAS for blueprint in area.BLUEPRINTS)
ACCESS = {"static": ANYONE} | {endpoint: roles for area in AREAS for endpoint, roles in area.ACCESS.items()}
"""Endpoint -> roles that may enter."""

"""One blueprint for all routes of the API."""

from flask import Blueprint

from service.api.appointments import appointments, treatments
from service.api.clinic import jobs
from service.api.diary import doctors
from service.api.exports import exports
from service.api.messages import messages
from service.api.patients import patients
from service.api.reports import reports, statistics

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
for resource in (appointments, doctors, exports, jobs, messages, patients, reports, statistics, treatments):
    blueprint.register_blueprint(resource.blueprint)

"""All routes of the API under one address."""

from flask import Blueprint

from service.api import appointments, doctors, exports, jobs, messages, patients, reports, statistics, treatments

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
for resource in (appointments, doctors, exports, jobs, messages, patients, reports, statistics, treatments):
    blueprint.register_blueprint(resource.blueprint)

"""The figures of the user's own dashboard, at most five minutes old."""

from typing import assert_never

from flask import Blueprint

from service.api import contract
from service.api.contract import Answer
from service.api.reports.bodies import Statistics
from service.domain.foundation.actor import Actor, Role
from service.domain.reports.live_figures import ClinicFigures, DeskFigures, DoctorFigures
from service.http import bearers, cache

blueprint = Blueprint("statistics", __name__, url_prefix="/statistics")


@blueprint.get("")
@contract.reads(Statistics)
def show() -> Answer:
    """Show the clinic's figures to the admin, a doctor's own to a doctor, those of the day to the desk."""
    return Answer(Statistics.model_validate(_figures(bearers.actor())))


def _figures(actor: Actor) -> ClinicFigures | DoctorFigures | DeskFigures:
    match actor.role:
        case Role.ADMIN:
            return cache.dashboard_stats(actor)
        case Role.DOCTOR:
            return cache.doctor_stats(actor)
        case Role.RECEPTIONIST | Role.PATIENT | Role.SYSTEM:
            return cache.desk_stats(actor)
        case never:
            assert_never(never)

"""The figures of one's own dashboard, at most five minutes old."""

from flask import Blueprint

from service.api import contract
from service.api.contract import Answer
from service.api.reports.bodies import Statistics
from service.domain.foundation.actor import Role
from service.http import bearers, cache

blueprint = Blueprint("statistics", __name__, url_prefix="/statistics")


@blueprint.get("")
@contract.reads(Statistics)
def show() -> Answer:
    """Show the clinic's figures to the admin, a doctor's own to a doctor, those of the day to the desk."""
    actor = bearers.actor()
    figures = cache.dashboard_stats(actor) if actor.role == Role.ADMIN else cache.own_stats(actor)
    return Answer(Statistics.model_validate(figures))

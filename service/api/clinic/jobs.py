"""Job runs, for administrators."""

from flask import Blueprint

from service.api import contract
from service.api.clinic.bodies import Run, Runs
from service.api.contract import Answer
from service.api.fields import PageQuery
from service.domain.foundation import job_runs
from service.http import context

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("")
@contract.reads(Runs, query=PageQuery, problems=(404,))
def index(query: PageQuery) -> Answer:
    """List what ran when and what came of it, newest first."""
    rows, older = job_runs.history(context.reading(), query.after)
    return Answer(Runs(items=[Run.model_validate(row) for row in rows], next=older))

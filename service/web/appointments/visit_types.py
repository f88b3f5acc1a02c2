"""Appointment types: the list, and the forms that add and change one."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.appointments import visit_types
from service.domain.appointments.visit_types import TypeDetails
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import VisitType
from service.web import notices
from service.web.forms import Form, at_most, required

blueprint = Blueprint("visit_types", __name__)
USUAL_MINUTES = 15


class VisitTypeForm(Form):
    name = wtforms.StringField(_l("Name"), [required(), at_most(visit_types.LONGEST_NAME)])
    minutes = wtforms.IntegerField(_l("Minutes"), [required()])
    colour = wtforms.RadioField(_l("Color"), coerce=int)
    online = wtforms.BooleanField(_l("Patients can book it online"))

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.colour.choices = list(enumerate(colours()))

    def details(self) -> TypeDetails:
        """Return the details of the type from the form."""
        return TypeDetails(self.name.data or "", self.minutes.data or 0, self.colour.data, self.online.data)


class ChangeForm(VisitTypeForm):
    archived = wtforms.BooleanField(_l("Archived (can no longer be booked)"))
    version = wtforms.IntegerField(validators=[required()], widget=wtforms.widgets.HiddenInput())


def colours() -> list[str]:
    """The names of the colors 0 to 7."""
    return [_("Violet"), _("Teal"), _("Orange"), _("Blue"), _("Pink"), _("Green"), _("Ocher"), _("Gray")]


@blueprint.get("/visit-types")
def index() -> ResponseReturnValue:
    """Show all types, and the form for a new one."""
    return _list(VisitTypeForm(minutes=USUAL_MINUTES, colour=1, online=True))


@blueprint.post("/visit-types")
def create() -> ResponseReturnValue:
    """Add a type."""
    form = VisitTypeForm(request.form)
    if not form.validate():
        return _list(form), 422
    try:
        with context.transaction() as session:
            visit_types.add(session, context.actor(), form.details())
    except Invalid as error:
        form.refuse(error)
        return _list(form), 422
    notices.say("visit_type_saved")
    return redirect(url_for("visit_types.index"), 303)


@blueprint.get("/visit-types/<row_id:visit_type_id>")
def edit(visit_type_id: int) -> ResponseReturnValue:
    """Show the form of one type."""
    row = visit_types.fetch(context.reading(), context.actor(), visit_type_id)
    return _one(row, ChangeForm(obj=row, archived=row.archived_at is not None))


@blueprint.post("/visit-types/<row_id:visit_type_id>")
def change(visit_type_id: int) -> ResponseReturnValue:
    """Save the type; if the form is stale, show both versions."""
    actor, form = context.actor(), ChangeForm(request.form)
    row = visit_types.fetch(context.reading(), actor, visit_type_id)
    if not form.validate():
        return _one(row, form), 422
    try:
        with context.transaction() as session:
            visit_types.change(
                session,
                actor,
                visit_type_id,
                form.details(),
                archived=form.archived.data,
                version=form.version.data or 0,
            )
    except Invalid as error:
        form.refuse(error)
        return _one(visit_types.fetch(context.reading(), actor, visit_type_id), form), 422
    except Conflict:
        row = visit_types.fetch(context.reading(), actor, visit_type_id)
        form.version.raw_data = [str(row.version)]
        return _one(row, form, conflict=True), 409
    notices.say("visit_type_saved")
    return redirect(url_for("visit_types.index"), 303)


def _list(form: VisitTypeForm) -> str:
    actor, session = context.actor(), context.reading()
    return render_template(
        "appointments/visit_types/list.html",
        form=form,
        types=visit_types.offered(session, actor),
        archived=visit_types.archived(session, actor),
    )


def _one(row: VisitType, form: ChangeForm, *, conflict: bool = False) -> str:
    return render_template(
        "appointments/visit_types/edit.html", form=form, row=row, colours=colours(), conflict=conflict
    )

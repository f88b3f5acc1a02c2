"""Imports: upload a file of another program, say which column is which, look, import all of it or nothing."""

from datetime import date
from enum import StrEnum

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.foundation.errors import Invalid
from service.domain.imports import import_columns, import_tables, imports
from service.domain.imports.import_columns import ImportKind
from service.domain.imports.import_files import Upload
from service.domain.imports.import_rows import Reading
from service.domain.imports.import_tables import Table
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.forms import Form

blueprint = Blueprint("imports", __name__)
LARGEST_UPLOAD = import_tables.MOST_BYTES + 64 * 1024
"""A file, and what a browser sends around it."""
KINDS = {
    ImportKind.DOCTORS: _l("Doctors"),
    ImportKind.PATIENTS: _l("Patients"),
    ImportKind.VISITS: _l("Upcoming appointments"),
}
ORDERS = {"": None, "day": True, "month": False}


class Act(StrEnum):
    """The buttons of an upload."""

    MAP = "map"
    """Look again with other columns."""
    IMPORT = "import"
    CANCEL = "cancel"


class UploadForm(Form):
    kind = wtforms.StringField(_l("What the file contains"), [AnyOf(KINDS, _l("Choose one of these."))])
    file = wtforms.FileField(_l("CSV file"))


@blueprint.before_app_request
def _let_a_file_in() -> None:
    """Forms are small; only here a file may come."""
    if request.endpoint == "imports.upload" and request.mimetype == "multipart/form-data":
        request.max_content_length = LARGEST_UPLOAD


@blueprint.get("/imports")
def index() -> ResponseReturnValue:
    """The first step, and what I imported today."""
    return _index(UploadForm())


@blueprint.post("/imports")
def upload() -> ResponseReturnValue:
    """Keep the file for the next step."""
    form, file = UploadForm(request.form), request.files.get("file")
    if form.validate():
        try:
            if file is None or not file.filename:
                raise Invalid(_("Choose a file."), "file")
            kept = imports.upload(
                context.actor(),
                context.wiring().settings.imports,
                kind=form.kind.data or "",
                file_name=file.filename,
                data=file.read(),
            )
            return redirect(url_for("imports.show", import_id=kept.id), 303)
        except Invalid as error:
            form.refuse(error)
    return _index(form), 422


@blueprint.get("/imports/<export_id:import_id>")
def show(import_id: str) -> ResponseReturnValue:
    """Which column is which, what is wrong with the file, and what it would bring."""
    folder = context.wiring().settings.imports
    found = imports.fetch(context.actor(), folder, import_id)
    if found.is_done:
        return redirect(url_for("imports.index"), 303)
    table = imports.table_of(folder, found)
    return _page(found, table, _form(found, table))


@blueprint.post("/imports/<export_id:import_id>")
def step(import_id: str) -> ResponseReturnValue:
    """Choose other columns and look again, import, or remove the file."""
    folder = context.wiring().settings.imports
    found = imports.fetch(context.actor(), folder, import_id)
    if found.is_done:
        return redirect(url_for("imports.index"), 303)
    table = imports.table_of(folder, found)
    form = _form(found, table)
    if not form.validate():
        return _page(found, table, form), 422
    if form["act"].data == Act.CANCEL:
        imports.cancel(folder, found)
        notices.say("import_cancelled")
        return redirect(url_for("imports.index"), 303)
    columns = {column.name: form[column.name].data for column in import_columns.COLUMNS[found.kind]}
    numbers = {name: int(number) for name, number in columns.items() if number}
    chosen = imports.choose(folder, found, numbers, ORDERS[form["day_first"].data or ""])
    if form["act"].data == Act.MAP:
        return redirect(url_for("imports.show", import_id=import_id), 303)
    if chosen != found:
        form.form_errors = [_("You chose other columns. Check the new preview, then import.")]
        return _page(chosen, table, form), 422
    return _import(found, table, form)


def _import(found: Upload, table: Table, form: Form) -> ResponseReturnValue:
    """All of the file or nothing."""
    reading = _read(found, table)
    try:
        with context.transaction() as session:
            added, present = imports.run(session, context.actor(), found, reading)
    except Invalid as error:
        form.refuse(error)
        return _page(found, table, form, reading), 422
    imports.settle(context.wiring().settings.imports, found, added, present)
    notices.say("imported")
    return redirect(url_for("imports.index"), 303)


def _index(form: UploadForm) -> str:
    mine = imports.of_actor(context.actor(), context.wiring().settings.imports)
    return render_template("imports/index.html", form=form, mine=mine, kinds=KINDS)


def _page(found: Upload, table: Table, form: Form, reading: Reading | None = None) -> str:
    reading = reading or _read(found, table)
    return render_template(
        "imports/show.html",
        upload=found,
        columns=[form[column.name] for column in import_columns.COLUMNS[found.kind]],
        form=form,
        line_count=len(table.lines),
        headings=_headings(table),
        orders=_orders(reading) if reading.has_either else {},
        assumption=_assumption(reading),
        preview=imports.look(context.reading(), found, reading),
    )


def _orders(reading: Reading) -> dict[str, str]:
    """The choices for dates such as 03/04/1985, in the country's own way where the file doesn't tell."""
    match reading.day_first:
        case True:
            decided = _("Automatic (day first)")
        case False:
            decided = _("Automatic (month first)")
        case None:
            decided = _("Decide from the file")
    return {"": decided, "day": _("Day first: April 3"), "month": _("Month first: March 4")}


def _assumption(reading: Reading) -> str:
    """How dates such as 03/04/1985 were read where only the country decided; nothing where the file has none."""
    if not (reading.has_either and reading.is_assumed):
        return ""
    read_as = context.formats().birth_date(date(1985, 4, 3) if reading.day_first else date(1985, 3, 4))
    return _(
        "The file doesn't show whether the day or the month comes first, so a date such as 03/04/1985 was read the way "
        "your country writes it: as %(date)s."
    ) % {"date": read_as}


def _read(found: Upload, table: Table) -> Reading:
    return imports.read(found, table, context.wiring().settings.clinic)


def _form(found: Upload, table: Table) -> Form:
    """A choice of the file's columns for each of ours; a field that is not sent keeps what was chosen."""
    one_of_these = _("Choose one of these.")
    numbers = AnyOf(["", *map(str, range(len(table.header)))], one_of_these)
    columns = import_columns.COLUMNS[found.kind]
    fields = {column.name: wtforms.StringField(column.label, [numbers]) for column in columns}
    chosen = {column.name: str(found.columns.get(column.name, "")) for column in columns}
    fields["day_first"] = wtforms.StringField(_("Dates such as 03/04/1985"), [AnyOf(ORDERS, one_of_these)])
    chosen["day_first"] = next(name for name, first in ORDERS.items() if first is found.day_first)
    fields["act"] = wtforms.StringField(validators=[AnyOf(list(Act))])
    kind: type[Form] = type("ColumnsForm", (Form,), fields)
    return kind(request.form if request.method == "POST" else None, data=chosen)


def _headings(table: Table) -> dict[str, str]:
    """The file's columns to choose from, by their numbers."""
    return {"": _("– not in the file –"), **{str(at): _heading(table, at) for at in range(len(table.header))}}


def _heading(table: Table, at: int) -> str:
    """A column of the file as people know it: its heading, and the first value below."""
    name = (table.header[at] or _("Column %(number)s") % {"number": at + 1})[:60]
    value = next((cells[at] for _number, cells in table.lines[:50] if at < len(cells) and cells[at]), "")
    example = " ".join(value.split())
    if not example:
        return name
    return f"{name} ({example})" if len(example) <= 30 else f"{name} ({example[:29]}…)"

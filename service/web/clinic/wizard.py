"""The four pages before the first account: clinic, who reaches it, first doctor, mail. Each can be skipped."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from wtforms.validators import NumberRange, Optional

from service.clock import DayTime
from service.domain.clinic.setting_up import FirstDoctor
from service.domain.foundation.errors import Invalid
from service.http import context, languages
from service.language import catalogs, countries
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import date_fields
from service.web.clinic import restarting, setup_drafts
from service.web.clinic.clinic_form import ClinicForm
from service.web.clinic.place_form import chosen_so_far
from service.web.clinic.settings_form import SettingsForm
from service.web.clinic.settings_forms import FORMS
from service.web.clinic.setup_drafts import PAGES, Filled
from service.web.date_fields import EndField, TimeField
from service.web.forms import Form, at_most, required

blueprint = Blueprint("wizard", __name__)
USUAL_HOURS = {
    "starts": DayTime.at(8),
    "ends": DayTime.at(12),
    "starts_2": DayTime.at(13),
    "ends_2": DayTime.at(17),
    "slot_minutes": 15,
}
NEVER_KEPT = ("csrf_token", "act", "setup_code", "password")


class DoctorForm(Form):
    act = wtforms.StringField(default="save")
    setup_code = wtforms.StringField(_l("Setup code"))
    name = wtforms.StringField(_l("Name"), [required(), at_most(200)])
    department = wtforms.StringField(_l("Department"), [at_most(100)])
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    weekdays = wtforms.SelectMultipleField(_l("Days of the week"), coerce=int)
    starts = TimeField(_l("From"), [required()])
    ends = EndField(_l("Until"), [required()], starts="starts")
    starts_2 = TimeField(_l("After a break, from"), [Optional()])
    ends_2 = EndField(_l("Until"), [Optional()], starts="starts_2")
    slot_minutes = wtforms.IntegerField(
        _l("Minutes per appointment"), [NumberRange(5, 240, message=_l("Enter 5 to 240 minutes."))]
    )

    def doctor(self) -> FirstDoctor:
        """The doctor this form names. Raises Invalid."""
        assert self.starts.data is not None
        assert self.ends.data is not None
        stretches = [(self.starts.data, self.ends.data)]
        second = (self.starts_2.data, self.ends_2.data)
        if second[0] is not None and second[1] is not None:
            stretches.append((second[0], second[1]))
        elif second != (None, None):
            raise Invalid(_("Enter both times, or neither."), "ends_2" if second[1] is None else "starts_2")
        made = FirstDoctor(
            name=self.name.data or "",
            department=self.department.data or "",
            email=self.email.data or "",
            weekdays=frozenset(self.weekdays.data or []),
            stretches=stretches,
            slot_minutes=self.slot_minutes.data or 0,
        )
        made.check()
        return made


@blueprint.get(f"/setup/<any({', '.join(PAGES)}):name>")
def show(name: str) -> ResponseReturnValue:
    """One page, with what this browser answered on it before."""
    setup_drafts.only_while_empty()
    filled = setup_drafts.mine().pages.get(name)
    return _page(name, _form(name, chosen_so_far() or (filled.typed if filled else None)))


@blueprint.post(f"/setup/<any({', '.join(PAGES)}):name>")
def save(name: str) -> ResponseReturnValue:
    """Keep the page's answers until the last page, or leave them out, and go on; or try mail out."""
    setup_drafts.only_while_empty()
    form, draft = _form(name, request.form), setup_drafts.mine()
    if not setup_drafts.knows_code(form):
        return _page(name, form), 422
    draft.knows_code = True
    setup_drafts.keep(draft)
    if form["act"].data == "skip":
        draft.pages.pop(name, None)
        return redirect(_next(name), 303)
    if not form.validate():
        return _page(name, form), 422
    try:
        filled = _filled(form)
        if form["act"].data == "test":
            password = filled.secret or draft.password
            change = restarting.prepared({**draft.answers, **filled.answers}, password)
            tried = restarting.send_test(change, password, form["test_to"].data or "")
            return _page(name, form, tried=tried), 200 if tried[0] else 422
    except Invalid as error:
        form.refuse(error)
        return _page(name, form), 422
    if not filled.secret and name in draft.pages:
        filled.secret = draft.pages[name].secret
    draft.pages[name] = filled
    answer = redirect(_next(name), 303)
    languages.remember(answer, filled.answers.get("clinic.language", ""))
    return answer


def _form(name: str, typed: Any) -> Form:
    settings = context.wiring().settings
    if name == "doctor":
        return _doctor_form(typed)
    if name == "clinic":
        clinic_form = ClinicForm.at_first_start(settings, typed)
        del clinic_form["message_language"]  # that of the pages, unless the settings say more later
        return clinic_form
    form = FORMS[name].over(settings, typed)
    if name == "mail" and setup_drafts.mine().password:
        form.has_password = True
    return form


def _doctor_form(typed: Any) -> DoctorForm:
    """The form in the week and with the clock of the country that was chosen."""
    said = {key.removeprefix("clinic."): value for key, value in setup_drafts.mine().answers.items()}
    clinic = context.wiring().settings.clinic
    clinic = clinic.model_copy(
        update={key: said[key] for key in ("country", "first_weekday", "clock", "locale") if key in said}
    )
    formats = Formats(clinic)
    date_fields.write_as(formats)
    form = DoctorForm(typed, data=USUAL_HOURS | {"weekdays": countries.working_days(clinic.country)})
    form.weekdays.choices = [(day, formats.weekday(day)) for day in formats.week]
    return form


def _filled(form: Form) -> Filled:
    """What a page means. Raises Invalid."""
    typed = MultiDict([one for one in request.form.items(multi=True) if one[0] not in NEVER_KEPT])
    if isinstance(form, DoctorForm):
        return Filled(typed, doctor=form.doctor())
    assert isinstance(form, SettingsForm)
    answers = form.answers(context.wiring().settings)
    restarting.prepared(answers, form.secret())
    return Filled(typed, answers, form.secret())


def _next(name: str) -> str:
    place = PAGES.index(name) + 1
    return url_for("setup.setup") if place == len(PAGES) else url_for("wizard.show", name=PAGES[place])


def _page(name: str, form: Form, tried: tuple[bool, str] | None = None) -> str:
    place = PAGES.index(name)
    return render_template(
        "clinic/setup/page.html",
        name=name,
        form=form,
        tried=tried,
        needs_code=setup_drafts.needs_code(),
        settings=context.wiring().settings,
        back_url=url_for("wizard.show", name=PAGES[place - 1]) if place else url_for("setup.setup"),
        **around(name),
    )


def around(here: str) -> dict[str, Any]:
    """What stands above each of the five pages: the languages, and the steps with which were answered."""
    titles = {
        "clinic": _("Clinic"),
        "reach": _("Access"),
        "doctor": _("First doctor"),
        "mail": _("E-mail"),
        "account": _("Your account"),
    }
    done = setup_drafts.mine().pages
    lines = [{"name": name, "title": title, "done": name in done} for name, title in titles.items()]
    spoken = {code: name for code, name in catalogs.names().items() if catalogs.is_translated(code, "clinic")}
    return {"languages": spoken, "steps": lines, "here": here, "number": list(titles).index(here) + 1}

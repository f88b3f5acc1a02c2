"""The clinic's settings for its admin: the pages of the first start again; saving writes config.toml."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.config import keys
from service.domain.clinic import setting_up, zone_changes
from service.domain.foundation.errors import Invalid
from service.http import context
from service.language import catalogs, countries
from service.language.formats import WEEKDAYS
from service.language.translation import gettext as _
from service.web import notices
from service.web.clinic import restarting
from service.web.clinic.clinic_form import KEEP_INSTANT, ClinicForm
from service.web.clinic.place_form import PlaceForm, chosen_so_far
from service.web.clinic.settings_form import SettingsForm
from service.web.clinic.settings_forms import (
    FORMS,
    ReachForm,
    ways,
)

blueprint = Blueprint("settings", __name__)
OFF = {"email.enabled": False}


@blueprint.get("/settings")
def index() -> ResponseReturnValue:
    """What is set, and where it is changed."""
    wiring = context.wiring()
    place = PlaceForm.present(wiring.settings)
    return render_template(
        "clinic/settings/index.html",
        settings=wiring.settings,
        languages=catalogs.names(),
        country=countries.name(wiring.settings.clinic.country, context.formats().locale),
        place=place,
        first_weekday=context.formats().weekday(WEEKDAYS.index(place["first_weekday"])),
        reach=ways()[ReachForm.present(wiring.settings)["reach"]],
        fixed=sorted(wiring.settings.fixed),
        trouble=wiring.restart.trouble,
    )


@blueprint.get(f"/settings/<any({', '.join(FORMS)}):name>")
def show(name: str) -> ResponseReturnValue:
    """One page of settings."""
    return _page(name, FORMS[name].over(context.wiring().settings, chosen_so_far()))


@blueprint.post(f"/settings/<any({', '.join(FORMS)}):name>")
def save(name: str) -> ResponseReturnValue:
    """Save the answers and restart, or send a test message, or turn e-mail off."""
    settings, form = context.wiring().settings, FORMS[name].over(context.wiring().settings, request.form)
    act = form.act.data
    if not (name == "mail" and act == "off") and not form.validate():
        return _page(name, form), 422
    try:
        answers = OFF if name == "mail" and act == "off" else form.answers(settings)
        change = restarting.prepared(answers, form.secret() if answers is not OFF else "")
        if name == "mail" and act == "test":
            tried = restarting.send_test(change, form.secret(), form["test_to"].data or "")
            return _page(name, form, tried=tried), 200 if tried[0] else 422
        changes: dict[str, Any] = dict(change.changes)
        if form.secret() and answers is not OFF:
            changes[keys.OF_EMAIL] = [None, "changed"]
        with change.undone_on_failure(), context.transaction() as session:
            setting_up.note_settings(session, context.actor(), name, changes)
            if isinstance(form, ClinicForm) and form.appointments.data == KEEP_INSTANT:
                zone_changes.keep_instants_in(session, change.settings.clinic.timezone)
            restarting.put_in_place(change)
    except Invalid as error:
        form.refuse(error)
        return _page(name, form), 422
    notices.say("settings_saved" if change.files else "settings_unchanged")
    return restarting.lead_to(url_for("settings.index"), change)


def _page(name: str, form: SettingsForm, tried: tuple[bool, str] | None = None) -> str:
    if isinstance(form, ClinicForm):
        form.ahead = zone_changes.count_ahead(context.reading())
    titles = {"clinic": _("Your clinic"), "reach": _("Who can use Rounds"), "mail": _("E-mail")}
    return render_template(
        "clinic/settings/page.html",
        name=name,
        title=titles[name],
        form=form,
        tried=tried,
        settings=context.wiring().settings,
    )

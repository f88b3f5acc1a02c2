"""Where a clinic is: its language, country, and time zone, and the clock and the week that follow from the country.

The page lists the zones of one country and says so in `listed_for`. When another country is chosen, whatever was usual
in the first becomes what is usual in the second.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self
from zoneinfo import available_timezones

import wtforms
from flask import request
from wtforms.validators import ValidationError

from service import clock
from service.config.languages import SOURCE
from service.config.settings import Clinic, Settings
from service.http import context
from service.language import catalogs, countries, translation
from service.language.formats import WEEKDAYS, Formats
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web.clinic.settings_form import SettingsForm

REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
USUAL = {"clock": countries.usual_clock, "first_weekday": countries.first_weekday}
"""Field -> what it is in a country."""


class PlaceForm(SettingsForm):
    language = wtforms.SelectField(_l("Language"))
    country = wtforms.SelectField(_l("Country"))
    timezone = wtforms.SelectField(_l("Time zone"))
    clock = wtforms.SelectField(_l("Clock"), coerce=int)
    first_weekday = wtforms.SelectField(_l("Week starts on"))
    listed_for = wtforms.HiddenField()

    KEYS: ClassVar[Mapping[str, str]] = {
        name: f"clinic.{name}" for name in ("language", "country", "timezone", "clock", "first_weekday")
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        present = more.get("data") or {}
        locale, formats = context.formats().locale, context.formats()
        self.language.choices = languages(present.get("language"))
        codes = countries.known() | {present.get("country", Clinic().country)}
        self.country.choices = countries.by_name(codes, locale)
        if self.country.data in codes:
            self._follow_country(present.get("country", ""))
        self.timezone.choices = _zones(self.country.data or "", countries.name(self.country.data or "", locale))
        self.clock.choices = [(12, _("12 hours, with AM and PM")), (24, _("24 hours"))]
        self.first_weekday.choices = [(WEEKDAYS[day], formats.weekday(day)) for day in formats.week]

    def _follow_country(self, present: str) -> None:
        """Replace what was usual in the country the page was made for."""
        country, before = self.country.data, self.listed_for.data or present
        if country == before:
            return
        for name, usual in USUAL.items():
            field = self._fields[name]
            if not field.raw_data or (self.listed_for.data and field.data == usual(before)):
                field.data = usual(country)
        zone = self.timezone.data
        was_usual = not zone or (zone in countries.zones(before) and zone not in countries.zones(country))
        if not self.timezone.raw_data or (self.listed_for.data and was_usual):
            self.timezone.data = countries.usual_zone(country)

    def validate_timezone(self, field: wtforms.SelectField) -> None:
        """A country with several clocks proposes none of them."""
        if not field.data:
            raise ValidationError(_("Choose a time zone."))

    @classmethod
    def present(cls, settings: Settings) -> dict[str, Any]:
        clinic, found = settings.clinic, super().present(settings)
        found["clock"] = clinic.clock or countries.usual_clock(clinic.country)
        found["first_weekday"] = clinic.first_weekday or countries.first_weekday(clinic.country)
        return found

    @classmethod
    def at_first_start(cls, settings: Settings, typed: Any = None) -> Self:
        """The form with what the visitor's browser suggests, unless a program posts it that saw no page."""
        saw_page = typed is None or "listed_for" in typed
        return cls.over(_proposed(settings) if saw_page else settings, typed)

    def is_elsewhere(self, settings: Settings) -> bool:
        """Whether the answers differ from what holds now."""
        return any(self._fields[name].data != value for name, value in self.present(settings).items() if name in self)

    @property
    def now(self) -> str | None:
        """The time at the clinic as these answers write it: a wrong time zone shows at once. None without a zone."""
        said = {name: self._fields[name].data for name in self.KEYS if name in self._fields}
        if said.get("timezone", "UTC") not in available_timezones():
            return None
        settings = context.wiring().settings.clinic
        clinic = settings.model_copy(update={name: value for name, value in said.items() if hasattr(settings, name)})
        return Formats(clinic, translation.language()).long_when(clock.now())

    @property
    def phone_prefix(self) -> str:
        """How the country's phone numbers begin."""
        return countries.phone_prefix(self.country.data or "") if "country" in self._fields else ""


def _proposed(settings: Settings) -> Settings:
    """The settings as the visitor's browser suggests them, where nothing else was chosen yet."""
    clinic, usual = settings.clinic, Clinic()
    found: dict[str, Any] = {}
    country = countries.of_browser(request.accept_languages.values())
    if country and clinic.country == usual.country and country != usual.country:
        found["country"] = country
        if clinic.timezone == usual.timezone:
            found["timezone"] = countries.usual_zone(country)
    if clinic.language == SOURCE:
        found["language"] = translation.language()
    if clinic.name == usual.name:
        found["name"] = _("Our clinic")
    free = {name: value for name, value in found.items() if f"clinic.{name}" not in settings.fixed}
    return settings.model_copy(update={"clinic": clinic.model_copy(update=free)})


def chosen_so_far() -> Any:
    """What the page was asked to show with another country; None for a page that was opened."""
    return request.args if "listed_for" in request.args else None


def languages(present: str | None) -> Sequence[tuple[str, str]]:
    """All languages by their own names, and the present one whatever it is."""
    found = catalogs.names()
    return [*found.items(), *([(present, present)] if present and present not in found else [])]


def _zones(country: str, its_name: str) -> dict[str, list[tuple[str, str]]]:
    """All zones that are named after a place, those of the country in front."""
    own = countries.zones(country)
    rest = {name for name in available_timezones() if name.partition("/")[0] in REGIONS} | {"UTC"}
    groups = {"": [("", _("Choose a time zone"))]}
    if own:
        groups[its_name] = [_zone(name) for name in own]
    return {**groups, _("All others"): [_zone(name) for name in sorted(rest - set(own))]}


def _zone(name: str) -> tuple[str, str]:
    return name, name.replace("_", " ")

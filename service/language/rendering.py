"""Jinja environments for pages, messages, and reports, with autoescaping. No Flask here."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.config.settings import Clinic
from service.language.formats import Formats, language_tag, text_direction
from service.language.translation import gettext, ngettext, npgettext, pgettext

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


@cache
def environment(clinic: Clinic) -> Environment:
    """Return a Jinja environment with our templates and filters. Unknown variables are errors."""
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    install(jinja, clinic)
    return jinja


@cache
def plain_environment() -> Environment:
    """Return a Jinja environment for templates without a time zone or a language."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def install(jinja: Environment, clinic: Clinic) -> None:
    """Add our filters and gettext, both in the current language, to a Jinja environment."""
    jinja.autoescape = True
    jinja.undefined = StrictUndefined
    jinja.trim_blocks = jinja.lstrip_blocks = True
    jinja.add_extension("jinja2.ext.i18n")
    jinja.policies["ext.i18n.trimmed"] = True
    jinja.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
    )
    formats = Formats(clinic)
    jinja.filters.update(
        birth_date=formats.birth_date,
        clock=formats.clock,
        day=formats.day,
        full_date=formats.full_date,
        hours=formats.hours,
        iso=formats.iso,
        listed=formats.listed,
        long_date=formats.long_date,
        long_day=formats.long_day,
        long_when=formats.long_when,
        month=formats.month,
        number=formats.number,
        of_day=formats.time,
        one_line=one_line,
        percent=formats.percent,
        ltr=left_to_right,
        phone=lambda number: left_to_right(formats.phone(number)),
        to_the_second=formats.to_the_second,
        when=formats.when,
        year=formats.year,
    )
    jinja.globals.update(percent_sign=formats.percent_sign, language_tag=language_tag, text_direction=text_direction)


def left_to_right(text: str) -> Markup:
    """Return HTML that isolates a phone number, an address, or a code from text that runs from right to left."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(text)


def one_line(text: str) -> str:
    """Replace each run of whitespace with one space."""
    return " ".join(text.split())

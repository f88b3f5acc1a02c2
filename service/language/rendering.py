"""Plain Jinja for pages, messages and reports, with escaping always on; no Flask."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.config.settings import Clinic
from service.language.formats import Formats, language_tag, text_direction
from service.language.translation import gettext, ngettext, npgettext, pgettext

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


@cache
def environment(clinic: Clinic) -> Environment:
    """A Jinja environment of our templates with our filters; an unknown variable is an error."""
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    install(jinja, clinic)
    return jinja


@cache
def plain_environment() -> Environment:
    """A Jinja environment of our templates for what has no zone and no language of its own."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def install(jinja: Environment, clinic: Clinic) -> None:
    """Give a Jinja environment, ours or Flask's, our filters and gettext, both in the language of the moment."""
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
        phone=formats.phone,
        to_the_second=formats.to_the_second,
        when=formats.when,
        year=formats.year,
    )
    jinja.globals.update(percent_sign=formats.percent_sign, language_tag=language_tag, text_direction=text_direction)


def one_line(text: str) -> str:
    """The text with every run of blanks and line breaks made one blank."""
    return " ".join(text.split())

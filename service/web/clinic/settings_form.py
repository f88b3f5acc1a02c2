"""What the forms for settings share: each field stands for a setting, unless that is fixed from outside."""

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import wtforms

from service.config.settings import Settings
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web.forms import Form


class SettingsForm(Form):
    """A form for some of the settings; `act` says which of its buttons was pressed."""

    act = wtforms.StringField(default="save")
    setup_code = wtforms.StringField(_l("Setup code"))

    KEYS: ClassVar[Mapping[str, str]] = {}
    """Field -> the setting it stands for."""
    has_password = False
    """Whether a password is kept already, so that its field may stay empty."""

    @classmethod
    def over(cls, settings: Settings, typed: Any = None) -> Self:
        """The form as it was typed, else with the present settings; without fields that are fixed from outside."""
        form = cls(typed, data=cls.present(settings))
        for field, key in cls.KEYS.items():
            if key in settings.fixed:
                del form[field]
        return form

    @classmethod
    def present(cls, settings: Settings) -> dict[str, Any]:
        """What the fields show at first."""
        return {field: _present(settings, key) for field, key in cls.KEYS.items()}

    def answers(self, settings: Settings) -> dict[str, Any]:
        """The answers by the settings' keys. Raises Invalid for what cannot be; `settings` are the present ones."""
        return {key: self._fields[field].data for field, key in self.KEYS.items() if field in self._fields}

    def secret(self) -> str:
        """A password that goes with the answers; empty when none was typed."""
        return ""


def one_line(text: str | None, field: str) -> str:
    words = (text or "").strip()
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in words):
        raise Invalid(_("Enter one line without control characters."), field)
    return words


def _present(settings: Settings, key: str) -> Any:
    section, _dot, field = key.partition(".")
    return getattr(getattr(settings, section), field)

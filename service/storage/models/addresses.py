"""The columns of every table with an e-mail address: the key for comparing it, and where its spelling comes from."""

from enum import StrEnum
from typing import Any

from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from service.mail_addresses import address_key


class AddressForm(StrEnum):
    """Where the spelling of an address comes from."""

    TYPED = "typed"
    """As typed."""
    FOLDED = "folded"
    """As stored by an earlier release, which replaced some rare letters; none in this address."""
    DOUBTFUL = "doubtful"
    """The same, but it has letters that may have been `ß` or `ς`, so it may be someone else's address."""


def key_of_new(context: DefaultExecutionContext) -> str | None:
    """Return the key of a row that is inserted without the model."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    address: str | None = values.get("email")
    return address_key(address) if address else None


class HasAddress:
    """A row with an `email`, and its `email_key`, which is updated with it."""

    email_form: Mapped[AddressForm] = mapped_column(default=AddressForm.TYPED, server_default="typed")

    @validates("email")
    def _follow(self, _name: str, address: str | None) -> str | None:
        row: Any = self
        if address != row.email:
            row.email_form = AddressForm.TYPED
        row.email_key = address_key(address) if address else None
        return address

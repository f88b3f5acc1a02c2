"""What every table with an e-mail address keeps beside it: the key it is compared by, and who wrote it so."""

from enum import StrEnum
from typing import Any

from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from service.mail_addresses import address_key


class AddressForm(StrEnum):
    """How an address came to be written as it is."""

    TYPED = "typed"
    """As someone typed it."""
    FOLDED = "folded"
    """As an earlier release stored it, which wrote rare letters as others; nothing in it looks like that."""
    DOUBTFUL = "doubtful"
    """The same, and it holds what `ß` or `ς` was written as, so it may be someone else's address."""


def key_of_new(context: DefaultExecutionContext) -> str | None:
    """The key of a row that is inserted without the model."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    address: str | None = values.get("email")
    return address_key(address) if address else None


class HasAddress:
    """A row with an `email` and its `email_key`, which follows it."""

    email_form: Mapped[AddressForm] = mapped_column(default=AddressForm.TYPED, server_default="typed")

    @validates("email")
    def _follow(self, _name: str, address: str | None) -> str | None:
        row: Any = self
        if address != row.email:
            row.email_form = AddressForm.TYPED
        row.email_key = address_key(address) if address else None
        return address

"""How the domain says no: each error is one sentence for a person."""


class DomainError(Exception):
    """A rule refused the act; nothing was changed."""


class NotFound(DomainError):
    """There is no such row, or it is not yours: the two are never told apart."""


class Forbidden(DomainError):
    """Your role may not do this."""


class Invalid(DomainError):
    """A value cannot be accepted; `field` names the one that is wrong."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class Conflict(DomainError):
    """The row is taken, stale or in another state than the act needs."""


class Gone(DomainError):
    """It was here and has expired."""


class Throttled(DomainError):
    """Too many failures; `retry_after` says in how many seconds to come back."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after

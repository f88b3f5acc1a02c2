"""Errors of the domain. Each message is one sentence for users."""


class DomainError(Exception):
    """A rule refused the action. Nothing was changed."""


class NotFound(DomainError):
    """There is no such row, or the actor may not see it. These two must look the same."""


class Forbidden(DomainError):
    """The actor's role may not do this."""


class Invalid(DomainError):
    """A value is invalid; `field` names it."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class Conflict(DomainError):
    """The row is taken, was changed by someone else, or is in the wrong state."""


class Gone(DomainError):
    """It existed but has expired."""


class Throttled(DomainError):
    """Too many attempts; try again in `retry_after` seconds."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after

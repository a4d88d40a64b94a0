"""The errors of citynet. Every message names the remedy; texts are safe to show to a person."""


class CitynetError(Exception):
    """Root of all errors that citynet raises on purpose."""


class ConfigError(CitynetError):
    """A setting, a file or the machine does not allow what was asked."""


class BadInput(CitynetError):
    """What came in cannot be used; reason is a short stable word for counters and quarantine."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Forbidden(CitynetError):
    """The actor may not do this."""


class NotFound(CitynetError):
    """The thing asked for does not exist or the actor may not know of it."""


class Conflict(CitynetError):
    """Somebody else changed the thing first, or its state does not allow the step."""


class Unavailable(CitynetError):
    """Database or broker cannot be reached now; try again."""

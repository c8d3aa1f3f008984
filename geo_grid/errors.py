"""The errors a user can meet. HTTP and the command line render them, each in one place."""

from collections.abc import Mapping
from typing import Any


class GeoGridError(Exception):
    """Something went wrong on our side."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pass from one process to another whole: an exception is made anew from its message alone otherwise."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[GeoGridError], arguments: tuple[Any, ...], told: dict[str, Any]) -> GeoGridError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(told)
    return error


class UserError(GeoGridError):
    """The request cannot be carried out as asked; the message names the thing and the way out."""


class BadRequest(UserError):
    """The request itself is not what it should be: a header cannot be read."""


class NotAcceptable(UserError):
    """The client takes no form that there is."""


class InvalidCoordinates(UserError):
    """A coordinate is not a number, out of range, or lon and lat are swapped."""


class InvalidQuery(UserError):
    """A question to a collection cannot be answered as it is put."""


class UnknownCrs(UserError):
    """A coordinate reference system is unknown, or cannot be converted safely."""


class InvalidRows(UserError):
    """Rows of a file cannot be taken.

    Parameters
    ----------
    message
        What was asked and how many rows are bad.
    rows
        Pairs of row number (1 = first data row) and reason.
    """

    def __init__(self, message: str, rows: list[tuple[int, str]]) -> None:
        super().__init__(message)
        self.rows = rows


class UnreadableFile(UserError):
    """A file is missing, empty, or not what it says it is."""


class UnwritableFile(UserError):
    """A file cannot be written where it was asked for: the disk is full, or the place is closed."""


class GivenUp(UserError):
    """Whoever asked waits no longer, and the work was stopped."""


class Forbidden(UserError):
    """Whoever asks has no right to it."""


class NotLoggedIn(UserError):
    """Nobody is asking, or their credential is worth nothing any more."""


class ComeBack(GeoGridError):
    """Not now, but perhaps later.

    Parameters
    ----------
    retry_after_s
        Seconds until it is worth trying again.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooMany(ComeBack, UserError):
    """Asked too often, or locked out."""


class Busy(ComeBack):
    """The server has as much of such work as it takes at once."""


class TooMuch(UserError):
    """It would take more memory or time than one question may."""


class NotFound(UserError):
    """There is no such thing."""


class Conflict(UserError):
    """It contradicts what is stored."""


class Outdated(UserError):
    """It was changed since whoever asks read it."""


class NotOffered(UserError):
    """This cannot be done to it by this way; the message names the way."""


class UnsupportedMedia(UserError):
    """The body is in a form that is not taken here."""


class SetupError(GeoGridError):
    """This machine or configuration lacks something geo_grid needs."""


class DatabaseUnavailable(GeoGridError):
    """The database cannot be reached, or is too full or too old to answer."""


class StorageUnavailable(GeoGridError):
    """The server cannot keep what it was sent, or is to send: its disk is full, or closed to it."""


class ProviderUnavailable(GeoGridError):
    """The log-in provider cannot be reached, or answers what it should not."""


def told(fault: Mapping[str, Any]) -> str:
    """Return what a fault that pydantic found says to people, without the name of Python's error before it."""
    return str(fault["msg"]).removeprefix("Value error, ")

"""The errors a user can meet. HTTP and the command line render them, each in one place."""

from collections.abc import Mapping
from typing import Any


class GeoGridError(Exception):
    """Something went wrong on our side."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all attributes, for another process: by default only the message would be passed on."""
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
    """None of the media types that the client accepts (header Accept) is offered."""


class InvalidCoordinates(UserError):
    """A coordinate is not a number, out of range, or lon and lat are swapped."""


class InvalidQuery(UserError):
    """A parameter or filter of a query to a collection is not valid."""


class UnknownCrs(UserError):
    """A coordinate reference system is unknown, or cannot be converted safely."""


class InvalidRows(UserError):
    """Rows of a file cannot be imported.

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
    """The client has gone, and the work was stopped."""


class Forbidden(UserError):
    """The principal has no right to do this."""


class OutsideRounds(Forbidden):
    """The place of a visit is in none of the worker's compounds."""


class NotLoggedIn(UserError):
    """The request has no credential, or one that is unknown, expired or revoked."""


class ComeBack(GeoGridError):
    """The request cannot be carried out now, and may be tried again.

    Parameters
    ----------
    retry_after_s
        Seconds until it is worth trying again.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooMany(ComeBack, UserError):
    """A limit of requests was exceeded, or the account is locked."""


class Busy(ComeBack):
    """The queue for this kind of work is full."""


class TooMuch(UserError):
    """The request would use more memory or time than one may."""


class NotFound(UserError):
    """There is no such thing."""


class Conflict(UserError):
    """It contradicts what is stored."""


class NotOnRoster(Conflict):
    """The account is no person of the duty roster, or of one without compounds."""


class Outdated(UserError):
    """The resource was changed since the client read it."""


class NotOffered(UserError):
    """The resource does not offer this method; the message names one that does."""


class UnsupportedMedia(UserError):
    """The media type of the request's body is not accepted here."""


class SetupError(GeoGridError):
    """This machine or configuration lacks something geo_grid needs."""


class ProgramMissing(GeoGridError):
    """The server lacks a program that this needs; the message says what to install."""


class DatabaseUnavailable(GeoGridError):
    """The database cannot be reached, or is too full or too old to answer."""


class BrokenOff(DatabaseUnavailable):
    """A replica ended a read that it had begun; the primary is asked."""


class StorageUnavailable(GeoGridError):
    """The server cannot write to its disk: it is full, read-only, or access is denied."""


class ProviderUnavailable(GeoGridError):
    """The OpenID Connect provider cannot be reached, or its answer is not valid."""


def where(fault: Mapping[str, Any]) -> str:
    """Return the field that an error of pydantic (an item of `errors()`) is about; of a name that is no text: `properties`."""
    return str(next(iter(fault["loc"]), "properties"))


def told(fault: Mapping[str, Any]) -> str:
    """Return the message of one error of pydantic (an item of `errors()`), without the name of the exception before it."""
    return str(fault["msg"]).removeprefix("Value error, ")

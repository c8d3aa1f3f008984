"""Check of clocks: a stored time in the future makes new positions count as late, and publishing impossible."""

from datetime import UTC, datetime, timedelta

_BEHIND = timedelta(minutes=5)
"""Tolerance for stored times: the clocks of units may be minutes ahead."""
_APART = timedelta(minutes=1)


def clock_trouble(now: datetime, newest: datetime | None, here: datetime | None = None) -> str | None:
    """Return a sentence that says what is wrong with the clocks; None: nothing. All times are aware of their zone.

    Parameters
    ----------
    now
        Current time of the database.
    newest
        Newest time that is stored in the database; None: none is.
    here
        Current time of this machine; read from its clock when None.
    """
    here = here or datetime.now(UTC)
    if newest is not None and newest - now > _BEHIND:
        return (
            f"the database's clock says {now.isoformat(timespec='seconds')}, but times until"
            f" {newest.isoformat(timespec='seconds')} are stored: positions count as late, and nothing can be published,"
            " until it has passed them; set the clock right"
        )
    if abs(here - now) > _APART:
        apart = abs(here - now).total_seconds()
        return f"the clocks of this server and of the database are {apart:,.0f} s apart: set them by one source (NTP)"
    return None

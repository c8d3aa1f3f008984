"""Clocks that disagree: what is stored in the future makes new positions late, and new editions impossible."""

from datetime import UTC, datetime, timedelta

_BEHIND = timedelta(minutes=5)
"""Units' own clocks may be minutes ahead."""
_APART = timedelta(minutes=1)


def clock_trouble(now: datetime, newest: datetime | None, here: datetime | None = None) -> str | None:
    """Say what is wrong with the clocks; None: nothing.

    Parameters
    ----------
    now
        By the database's clock.
    newest
        The newest moment that is stored.
    here
        By this machine's clock; now if not given.
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

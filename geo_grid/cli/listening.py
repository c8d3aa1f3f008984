"""What `geo-grid cameras listen` does: the door of lower platforms, beside the server or alone."""

import os

from geo_grid.cli.terminal import log_warnings, ready_database, say
from geo_grid.settings import settings


def listen(lifeline: int | None) -> None:
    """Listen to lower platforms until SIGINT or SIGTERM.

    Parameters
    ----------
    lifeline
        Descriptor of the line to the supervisor, with which it ends.

    Raises
    ------
    UserError, SetupError
        The settings name no door, or it cannot be opened.
    """
    from geo_grid.api.listening import run_until_told, stoppable
    from geo_grid.platform_door import identity_of, keep_door
    from geo_grid.supervising import Lifeline

    log_warnings()
    os.umask(0o077)
    config = settings()
    ours = identity_of(config)
    line = None if lifeline is None else Lifeline(lifeline)
    if line is not None:
        line.wait_for_go()
    is_alone = line is None  # else the supervisor starts it again, whoever ended it
    with stoppable(until_told=is_alone):
        if line is not None:
            line.watch()
        with ready_database(migrated=line is None, is_watched=line is None) as conninfo:

            def opened(port: int) -> None:
                say(f"listening to platforms as {ours.gb28181_id} on {config.sip_host}:{port}, UDP and TCP")

            run_until_told(keep_door(config, conninfo, opened), until_told=is_alone)

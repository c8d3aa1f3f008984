"""The fork server: a process that has imported what the server's processes need, and from which these are forked.

A fork takes milliseconds; a new Python that imports the same takes seconds. The fork server is started by the first
process that is asked for, and ends with those that came from it. The server itself cannot fork: it has threads.
"""

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "__main__",
        "geo_grid.single_threaded",
        "valhalla",
        "geo_grid.response.worker",
        "geo_grid.response.loops",
        "geo_grid.exchange",
    ]
)

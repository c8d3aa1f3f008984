"""Supervision: a small parent process keeps the database and the port, and restarts the serving process when it dies."""

from geo_grid.supervising.background import go_into_background, say_ready, stop_in_background
from geo_grid.supervising.lifeline import Lifeline
from geo_grid.supervising.lock import ServerLock
from geo_grid.supervising.supervisor import Ended, Supervisor

__all__ = ["Ended", "Lifeline", "ServerLock", "Supervisor", "go_into_background", "say_ready", "stop_in_background"]

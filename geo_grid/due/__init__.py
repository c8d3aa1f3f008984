"""Due work: jobs to do at a later time or periodically, in one table (due_work) that all servers share."""

from geo_grid.due.doing import Due, Waiting
from geo_grid.due.kinds import Kind
from geo_grid.due.listing import examine_due

__all__ = ["Due", "Kind", "Waiting", "examine_due"]

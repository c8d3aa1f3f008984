"""All drills by name, and the city that each needs."""

from pathlib import Path
from types import ModuleType

from drills import (
    another_machine,
    camera_door,
    clock,
    crowds,
    cut_network,
    frozen_database,
    full_disk,
    many_open,
    newer_debian,
    postmaster,
    routing_workers,
    server,
    standby,
    walls,
    week,
)
from drills.kit import City, city, folder, free_port
from drills.verdict import Verdict
from tests.cameras.door import PLATFORM
from tests.cameras.lower import PASSWORD, UPPER

IN_A_CITY: dict[str, ModuleType] = {
    "routing_workers": routing_workers,
    "server": server,
    "postmaster": postmaster,
    "camera_door": camera_door,
    "frozen_database": frozen_database,
    "walls": walls,
    "many_open": many_open,
    "another_machine": another_machine,
    "cut_network": cut_network,
    "full_disk": full_disk,
    "clock": clock,
}
"""Drills in the city of squares; each leaves it as it was, but for what was filed."""
DRILLS: dict[str, ModuleType] = {
    **IN_A_CITY,
    "standby": standby,
    "crowds": crowds,
    "week": week,
    "newer_debian": newer_debian,
}
ALL = [name for name in DRILLS if name != "newer_debian"]
"""What `all` means: what needs no packages from elsewhere."""


def with_platforms(place: Path) -> dict[str, str]:
    """Return the environment of a city that a camera platform registers with; `place` keeps its password."""
    netrc = place / "platforms.netrc"
    netrc.write_text(f"machine {PLATFORM} login {PLATFORM} password {PASSWORD}\n")
    netrc.chmod(0o600)
    return {"GEO_GRID_SIP_ID": UPPER, "GEO_GRID_SIP_PORT": str(free_port()), "GEO_GRID_SIP_NETRC": str(netrc)}


def drilled(name: str) -> Verdict:
    """Run a drill in full, in a city of its own."""
    if name not in IN_A_CITY:
        verdict: Verdict = DRILLS[name].drill()
        return verdict
    with folder() as place:
        more = with_platforms(place) if name == "camera_door" else {}
        more |= clock.false_clock(place) if name == "clock" else {}
        more |= {"GEO_GRID_LEAST_FREE_MB": "16"} if name == "full_disk" else {}
        with city(full_disk.SIZE_MB if name == "full_disk" else 0, more) as made:
            return of_city(name, made)


def of_city(name: str, made: City, share: float = 1.0) -> Verdict:
    """Run a drill in a city that there is; `share` of its time and numbers."""
    verdict: Verdict = IN_A_CITY[name].drill(made, share)
    return verdict

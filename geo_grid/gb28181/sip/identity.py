"""Who speaks: we ourselves, and the lower platforms that we know."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Identity:
    """Our own SIP id.

    Attributes
    ----------
    gb28181_id
        20 digits.
    zone
        Of the clock that platforms are told, and in which they tell times: the city's.
    """

    gb28181_id: str
    zone: ZoneInfo

    @property
    def domain(self) -> str:
        """The SIP domain, which is also the realm of the digest: the first ten digits, as the standard has it."""
        return self.gb28181_id[:10]


@dataclass(frozen=True)
class Known:
    """A lower platform that may register.

    Attributes
    ----------
    gb28181_id
        20 digits: what it registers as.
    login_name, password
        What its digest must be made of.
    """

    gb28181_id: str
    login_name: str
    password: str = field(repr=False)

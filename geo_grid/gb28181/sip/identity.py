"""Who speaks: we ourselves, and the lower platforms that we know."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Identity:
    """Our own SIP id.

    Attributes
    ----------
    gb28181_id
        20 digits.
    """

    gb28181_id: str

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

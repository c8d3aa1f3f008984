"""Calls of ours: an INVITE to a device behind a platform, until one side hangs up (RFC 3261, 13 and 15)."""

from dataclasses import dataclass, field

from aiosipua import SipResponse, parse_address, stringify_uri

from geo_grid.gb28181.sip.sockets import Peer

_LONGEST = 512


@dataclass
class Call:
    """A call of ours.

    Attributes
    ----------
    platform_id
        Who is registered; 20 digits.
    peer
        Where it was called.
    remote
        Its To, with its tag once it has answered.
    target
        Address that requests within the call name: the Contact of its answer, else what was called.
    number
        Of our last request in it (CSeq).
    """

    platform_id: str
    peer: Peer
    call_id: str
    tag: str
    target: str
    remote: str = ""
    number: int = 1
    status: int | None = None
    answer: bytes = field(default=b"", repr=False)

    @property
    def is_answered(self) -> bool:
        """Whether the platform took it."""
        return self.status is not None and 200 <= self.status < 300

    def take(self, response: SipResponse) -> None:
        """Remember the final answer to the INVITE."""
        self.status, self.answer = response.status_code, response.body
        said = response.headers.get_first("to") or ""
        if len(said) <= _LONGEST and _is_text(said) and parse_address(said).tag:
            self.remote = said
        contacts = response.headers.get("contact")
        if contacts and len(contacts[0]) <= _LONGEST and response.contact and response.contact[0].uri.host:
            target = stringify_uri(response.contact[0].uri)
            self.target = target if _is_text(target) else self.target


def _is_text(said: str) -> bool:
    """Say whether it can be kept as text, which has no NUL."""
    return said.replace("\t", " ").isprintable()

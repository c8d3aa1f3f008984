"""A lower platform as public ones speak, written by hand as bytes on a socket: none of our own SIP is in it."""

import contextlib
import hashlib
import itertools
import queue
import re
import socket
import threading
from collections.abc import Iterator, Sequence

UPPER = "13050000002000000001"
REALM = "1305000000"
PASSWORD = "platform-word-7"


def header(message: bytes, name: str) -> str:
    found = re.search(rb"^%s:[ \t]*(.*?)\r?$" % name.encode(), message, re.MULTILINE | re.IGNORECASE)
    return found[1].decode() if found else ""


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


class Lower:
    """One platform with a socket of its own. What the upper one asks is answered with 200 and kept in `asked`."""

    def __init__(
        self,
        port: int,
        gb28181_id: str,
        password: str = PASSWORD,
        transport: str = "udp",
        patience_s: float = 20.0,
    ) -> None:
        self.gb28181_id, self.password, self.transport = gb28181_id, password, transport
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.patience_s = patience_s
        self.socket.connect(("127.0.0.1", port))
        self.host, self.port = self.socket.getsockname()
        methods = ("MESSAGE", "SUBSCRIBE", "INVITE", "ACK", "BYE")
        self.asked: dict[str, queue.Queue[bytes]] = {method: queue.Queue() for method in methods}
        self._seen: set[tuple[str, str]] = set()
        self.answers: dict[str, queue.Queue[bytes]] = {}
        self.status_for_requests = "200 OK"
        self.status_for_events: dict[str, str] = {}
        self.status_for_calls, self.offers_video = "200 OK", True
        self.deaf_to: bytes | None = None
        self.is_closed = False
        self.repeated = 0
        self._numbers = itertools.count(1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Lower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(5)

    def _messages(self) -> Iterator[bytes]:
        if self.transport == "udp":
            while data := self.socket.recv(65536):
                yield data
            return
        held = b""
        while data := self.socket.recv(65536):
            held += data
            while b"\r\n\r\n" in held:
                end = held.index(b"\r\n\r\n") + 4 + int(header(held, "content-length"))
                if len(held) < end:
                    break
                yield held[:end]
                held = held[end:]

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            for message in self._messages():
                branch = re.search(r"branch=([^;\s]+)", header(message, "via"))
                if message.startswith(b"SIP/2.0"):
                    self.answers.setdefault(branch[1] if branch else "", queue.Queue()).put(message)
                else:
                    is_deaf = self.deaf_to is not None and self.deaf_to in message
                    if not message.startswith(b"ACK ") and not is_deaf:
                        self._answer(message)
                    method = message.split(b" ")[
                        0
                    ].decode()  # an ACK of a refusal has the branch of what it acknowledges
                    if branch and (method, branch[1]) not in self._seen:  # else it comes again
                        self._seen.add((method, branch[1]))
                        self.asked[method].put(message)
                    else:
                        self.repeated += 1
        self.is_closed = True

    def _answer(self, message: bytes) -> None:
        to = header(message, "to")
        kept = "".join(f"{name}: {header(message, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        tagged = to if "tag=" in to else f"{to};tag=1928301774"
        expires = header(message, "expires")
        more = f"Expires: {expires}\r\nContact: <{self.uri}>\r\n" if expires else ""
        status, body = self.status_for_events.get(header(message, "event"), self.status_for_requests), ""
        if message.startswith(b"INVITE "):
            status, device = self.status_for_calls, header(message, "to").partition("sip:")[2][:20]
            self.raw(f"SIP/2.0 100 Trying\r\n{kept}To: {to}\r\nContent-Length: 0\r\n\r\n".encode())
            if status.startswith("200"):
                more = f"Contact: <sip:{device}@{self.host}:{self.port}>\r\nContent-Type: APPLICATION/SDP\r\n"
                video = (
                    "m=video 15060 RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\n" if self.offers_video else ""
                )
                body = f"v=0\r\no={device} 0 0 IN IP4 {self.host}\r\ns=Play\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n{video}"
        self.raw(f"SIP/2.0 {status}\r\n{kept}To: {tagged}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    @property
    def uri(self) -> str:
        return f"sip:{self.gb28181_id}@{self.host}:{self.port}"

    def raw(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionRefusedError):
            self.socket.sendall(data)

    def request(self, method: str, body: bytes = b"", call_id: str = "", **more: str) -> bytes:
        """Send a request and return its answer."""
        branch = self.begin(method, body, call_id, **more)
        return self.answers[branch].get(timeout=self.patience_s)

    def begin(self, method: str, body: bytes = b"", call_id: str = "", **more: str) -> str:
        """Send a request without waiting for its answer; return its branch."""
        number = next(self._numbers)
        branch = f"z9hG4bK{id(self)}{number}"
        self.answers[branch] = queue.Queue()
        self.raw(self.written(method, branch, number, body, call_id, **more))
        return branch

    def written(
        self, method: str, branch: str, number: int, body: bytes = b"", call_id: str = "", **more: str
    ) -> bytes:
        call_id = call_id or f"{number}1544085115@{self.host}"
        lines = [
            f"{method} sip:{UPPER}@{REALM} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {self.host}:{self.port};rport;branch={branch}",
            f"From: <sip:{self.gb28181_id}@{self.gb28181_id[:10]}>;tag=1034018613",
            f"To: <sip:{UPPER}@{REALM}>", f"Call-ID: {call_id}", f"CSeq: {number} {method}",
            f"Contact: <{self.uri}>", "Max-Forwards: 70", "User-Agent: SIP UAS V3.0.0.675168",
            *(f"{name.replace('_', '-')}: {value}" for name, value in more.items()),
            *(["Content-Type: Application/MANSCDP+xml"] if body else []), f"Content-Length: {len(body)}",
        ]  # fmt: skip
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def register(self, expires: int = 3600, realm: str = "", call_id: str = "") -> bytes:
        """Register with a digest, in a call of its own unless one is named; return the last answer."""
        first = self.request("REGISTER", call_id=call_id, Expires=str(expires))
        if not first.startswith(b"SIP/2.0 401"):
            return first
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', header(first, "www-authenticate").partition(" ")[2]))
        given = self.credentials(said["nonce"], realm or said["realm"])
        return self.request("REGISTER", call_id=call_id, Expires=str(expires), Authorization=given)

    def credentials(self, nonce: str, realm: str) -> str:
        uri = f"sip:{UPPER}@{REALM}"

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        response = md5(f"{md5(f'{self.gb28181_id}:{realm}:{self.password}')}:{nonce}:{md5(f'REGISTER:{uri}')}")
        return f'Digest username="{self.gb28181_id}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", algorithm=MD5'

    def message(self, body: bytes) -> bytes:
        return self.request("MESSAGE", body)

    def keepalive(self, number: int = 1) -> bytes:
        return self.message(
            f'<?xml version="1.0"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>{number}</SN>\r\n'
            f"<DeviceID>{self.gb28181_id}</DeviceID>\r\n<Status>OK</Status>\r\n</Notify>\r\n".encode()
        )

    def query(self) -> int:
        """Wait for a query of the catalogue, and return its SN."""
        return int(re.search(rb"<SN>(\d+)</SN>", self.asked["MESSAGE"].get(timeout=self.patience_s))[1])

    def answer_query(
        self, items: Sequence[bytes], serial: int | None = None, announced: int | None = None, at_once: int = 2
    ) -> None:
        """Answer a query of the catalogue in messages of some items each."""
        serial = self.query() if serial is None else serial
        for start in range(0, len(items), at_once):
            answer = self.message(
                self.catalogue(items[start : start + at_once], serial, len(items) if announced is None else announced)
            )
            assert b" 200 OK" in answer.split(b"\r\n")[0] or b" 413 " in answer.split(b"\r\n")[0], answer

    def catalogue(self, items: Sequence[bytes], serial: int, announced: int) -> bytes:
        head = (
            f'<?xml version="1.0" encoding="GB2312"?>\r\n<Response>\r\n<CmdType>Catalog</CmdType>\r\n<SN>{serial}</SN>\r\n'
            f'<DeviceID>{self.gb28181_id}</DeviceID>\r\n<SumNum>{announced}</SumNum>\r\n<DeviceList Num="{len(items)}">\r\n'
        )
        return head.encode() + b"\r\n".join(items) + b"\r\n</DeviceList>\r\n</Response>\r\n"

    def subscribed(self, to: str = "Catalog") -> str:
        """Wait for the subscription to an event, and return the Call-ID of its dialog."""
        while header(asked := self.asked["SUBSCRIBE"].get(timeout=self.patience_s), "event") != to:
            pass
        return header(asked, "call-id")

    def notify(self, call_id: str, *items: bytes) -> bytes:
        body = (
            f'<?xml version="1.0" encoding="GB2312"?>\r\n<Notify>\r\n<CmdType>Catalog</CmdType>\r\n<SN>7</SN>\r\n'
            f'<DeviceID>{self.gb28181_id}</DeviceID>\r\n<SumNum>{len(items)}</SumNum>\r\n<DeviceList Num="{len(items)}">\r\n'
        ).encode()
        body += b"\r\n".join(items) + b"\r\n</DeviceList>\r\n</Notify>\r\n"
        return self.request("NOTIFY", body, call_id, Event="Catalog", Subscription_State="active;expires=3000")


def position(device_id: str, x: float | str, y: float | str, moment: str, more: str = "", sender: str = "") -> bytes:
    """A position as GB/T 28181-2016 has it: of the device that it is from."""
    return (
        f'<?xml version="1.0" encoding="GB2312"?>\r\n<Notify>\r\n<CmdType>MobilePosition</CmdType>\r\n<SN>9</SN>\r\n'
        f"<DeviceID>{sender or device_id}</DeviceID>\r\n<Time>{moment}</Time>\r\n<Longitude>{x}</Longitude>\r\n"
        f"<Latitude>{y}</Latitude>\r\n{more}</Notify>\r\n"
    ).encode()


def event(device_id: str, what: str) -> bytes:
    return f"<Item>\r\n<DeviceID>{device_id}</DeviceID>\r\n<Event>{what}</Event>\r\n</Item>".encode()

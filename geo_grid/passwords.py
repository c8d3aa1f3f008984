"""Passwords in texts from elsewhere, in addresses and in words: found, so that none is stored, shown or logged.

What is looked at is the text as it reads: full-width letters and signs as plain ones, without characters that nobody sees.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

_MASK = "***"
_NAME = re.compile(
    r"passw|passcode|passphrase|pswd|psw(?![a-z])|pwd|密[码碼]|口令|暗[码碼]|令牌|密[钥鑰]|[鉴鑑]权|парол|p@ss|^(?:app_?|client_?)?secret$|(?:^|[^a-z])(?:pass|token|(?:api|access|secret)_?key)$",
    re.IGNORECASE,
)
_CAMEL_NAME = re.compile(r"[a-z](?:Pass|Token)$")

_WORDS = r"|[@＠﹫ａ-ｚ]|pass|pwd|psw|pswd|\bpw|token|(?:api|access|secret)[\s_-]?key|парол|secret|\bpin|authorization|authbasic|密\s*[码碼钥鑰]|口\s*令|令\s*牌|鉴\s*权|暗\s*[码碼]"
HINT = rf"(?i)[\x{{AD}}\x{{200B}}-\x{{200F}}\x{{202A}}-\x{{202E}}\x{{2060}}-\x{{2064}}\x{{FEFF}}\x{{1D400}}-\x{{1D7FF}}]{_WORDS}"
"""RE2: what no text is without that a password may be in. Most texts have none of it, and are not looked at more closely."""
_HINT = re.compile(rf"[\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U0001d400-\U0001d7ff]{_WORDS}", re.IGNORECASE)

_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}:[/\\]+")
_ANOTHER = re.compile(r"(?:rtsps?|rtmps?|https?|ftps?|wss?|onvif|udp|tcp):[/\\]{2}", re.IGNORECASE)
_LOGIN = re.compile(r"(?<![A-Za-z0-9_.+-])([A-Za-z0-9_.+-]{0,64})([:/])(?=[^\s/\\])")
_NO_LOGIN = re.compile(
    "mailto|sips?|tel|xmpp|im|e?-?mail|contact|qq|wechat|msn|from|to|cc|bcc|at|id|name|user|account", re.IGNORECASE
)
"""What stands before a colon and an address of mail."""
_WORD = re.compile(r"\S{0,2048}")
_SENTENCE = re.compile(r"[^\s。；、！？（）《》“”\u3400-\u9fff]{0,2048}")
"""A word, and as much of it as an address in a Chinese sentence has, which has no spaces."""
_BEFORE_IP = re.compile(r"@(?=(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\])(?![A-Za-z0-9.-]))")
_MACHINE = re.compile(
    r"(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+|localhost|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?=[/\\?#]|$)"
)
"""A machine, perhaps with its port, as an address that needs no log-in begins."""
_MAIL = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,}(?![A-Za-z0-9:/.-])")

_ENGLISH = (
    r"(?:p[a@]ss(?:[\s_-]?w(?:[o0]r)?d|code|phrase)s?|pswd|pwd|(?<![A-Za-z])(?:psw|pw|pass|pin|secret|auth(?:basic)?)|(?:api|access|secret)[\s_-]?key|(?:app|client)[\s_-]?secret|token|парол[ья]|(?-i:(?<=[a-z])Pass)|authorization)"
    r"[0-9]{0,2}"
)
_CHINESE = r"(?:密\s{0,4}[码碼钥鑰]|口\s{0,4}令|令\s{0,4}牌|鉴\s{0,4}权码?|暗\s{0,4}[码碼])"
_STRONG = re.compile(
    rf"""(?:{_ENGLISH}|{_CHINESE})(?:\s?[(\[【][^)\]】]{{0,20}}[)\]】])?\s{{0,8}}(?:\\{{0,4}}["'“”‘’「『』」]\s{{0,8}})?"""
    r"""(?:=>|->|[=:>→|]|%3[AD])(?:[=:>]|\s{1,8}(?=[=:]))*\s{0,8}""",
    re.IGNORECASE,
)
_WEAK = re.compile(
    rf"(?:{_CHINESE}\s?(?:分别|就|都|设|设置|改|设定|默认|初始|均)?(?:是|为|為|成)"
    r"|(?:password|passwd|passcode|pwd)\s{1,8}(?:is|was|to)(?![A-Za-z]))\s{0,8}:?\s{0,8}",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"""(?:密[码碼]|口令|暗[码碼]|(?:password|passwd|passcode|pwd)(?=\s))\s{0,8}[—_/("'“‘「『\[【-]?\s{0,8}""",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""\\{0,4}(["'“‘「『])""")
_CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』"}
_PLAIN = re.compile(
    r"""(?:(?:Basic|Digest|Bearer)\s{1,8})?[!-%'-:<-~]"""
    r"""(?:(?![&;,|_]+\s?["'\\]*[A-Za-z][A-Za-z0-9_.-]{0,40}["'\\]*\s?[=:])(?!\\?["'][,}\]])[!-~]){0,512}""",
    re.IGNORECASE,
)
"""A word of ASCII, as far as another name and its value do not follow, as in an address or JSON."""
_PARTED = re.compile(r"\s?[、,和及/]\s?[!-~]{1,128}")
_IN_CHINESE = re.compile(r"[^\s。；、,;!！？?()&<>\"'“”{}]{1,128}")
_NOTHING = re.compile(r"\*+|-+|/+|_+|\.+|n/?a|none|null|nil|unknown|true|false|yes|no|x{3,}", re.IGNORECASE)
_SAID = re.compile("无|没有|未|不|略|同上|空|见|详见|请|问|咨询|联系|向|由|已|需|待|保密|另|什么|多少|谁")
"""What stands where a password would and is none."""
_USUAL = re.compile("admin|root|default|guest|system", re.IGNORECASE)
_COUNTED = re.compile("年|月|日|号|室|楼|层|米|路|栋")
_SHORTEST_BARE = 4
_MOST_PASSES = 8


def is_secret_name(name: str) -> bool:
    """Say whether a column, an element or a member is called as passwords are."""
    plain = _seen(name)[0].strip()
    return _NAME.search(plain) is not None or _CAMEL_NAME.search(plain) is not None


def without_passwords(text: str) -> tuple[str, int]:
    """Return a text without the passwords in it, and how many these were.

    Who logs in in an address goes (RFC 3986, userinfo), and `***` stands where a word says that a password does.
    """
    count = 0
    for _ in range(_MOST_PASSES):  # what was taken out may have hidden another
        found = _found(seen := _seen(text)) if _HINT.search(text) else []
        if not found:
            return text, count
        kept, end = [], 0
        for start, stop, instead in sorted(found):
            if start >= end:
                kept += [text[seen[1][end] : seen[1][start]], instead]
                end, count = stop, count + 1
        text = "".join(kept) + text[seen[1][end] :]
    return _MASK, count


@lru_cache(maxsize=8192)
def _as_it_reads(one: str) -> str:
    return "" if unicodedata.category(one) == "Cf" else unicodedata.normalize("NFKC", one)


def _seen(text: str) -> tuple[str, Sequence[int]]:
    """Return a text as it reads, and where each character of it, and its end, is in the text."""
    if text.isascii():
        return text, range(len(text) + 1)
    seen, places = [], []
    for place, one in enumerate(text):
        plain = _as_it_reads(one)
        seen.append(plain)
        places += [place] * len(plain)
    return "".join(seen), [*places, len(text)]


def _found(text: tuple[str, Sequence[int]]) -> list[tuple[int, int, str]]:
    """Return from where to where passwords are, and what stands there instead; they may overlap."""
    seen = text[0]
    found = list(_in_addresses(seen)) if "@" in seen else []
    for pattern in (_STRONG, _WEAK, _BARE):
        for said in pattern.finditer(seen):
            value = _value(seen, said.end(), pattern is _STRONG, pattern is _BARE)
            if value is not None:
                found.append((*value, _MASK))
    return found


def _in_addresses(seen: str) -> Iterator[tuple[int, int, str]]:
    """Yield the log-ins in addresses, with a scheme (`rtsp://name:word@…`) and without (`name:word@…`)."""
    end = 0
    for scheme in _SCHEME.finditer(seen):
        start = scheme.end()
        if start >= end and (login := _logged_in(seen, start)):
            end = start + login
            yield start, end, ""
    end = 0
    for said in _LOGIN.finditer(seen):
        start = said.start()
        if start >= end and (login := _logged_in(seen, said.end(), said[1], said[2])):
            end = said.end() + login
            yield start, end, ""


def _logged_in(seen: str, start: int, user: str | None = None, sign: str = "") -> int:
    """Return how many characters a log-in has that begins at a place, with its @; 0: there is none.

    Parameters
    ----------
    user, sign
        What stands before, without a scheme: a name, which may be empty, and the colon or slash after it.
    """
    inner = ""
    for pattern in (_SENTENCE, _WORD):
        word = pattern.match(seen, start)
        inner = word[0] if word else ""
        other = _ANOTHER.search(inner)
        inner = inner[: other.start()] if other else inner
        if "@" in inner:
            break
    else:
        return 0
    numbers = [said.start() for said in _BEFORE_IP.finditer(inner)]
    last = numbers[-1] if numbers else inner.rfind("@")
    if user is not None and not _is_login(user, sign, inner, last, bool(numbers)):
        return 0
    if not numbers and _is_in_path(inner if user is None else f"{user}{sign}{inner}"):
        return 0
    return last + 1


def _is_login(user: str, sign: str, inner: str, last: int, is_numeric: bool) -> bool:
    """Say whether a name, a sign and an @ are a log-in without a scheme; much else has these, such as addresses of mail."""
    if _NO_LOGIN.fullmatch(user) and (":" not in inner[:last] or _MAIL.match(inner, last + 1)):
        return False
    if is_numeric:  # of a machine by its number
        return bool(user) or sign == ":"
    return sign == ":" and user[:1].isalpha() and inner[last + 1 : last + 2].isalnum()


def _is_in_path(address: str) -> bool:
    """Say whether the @ of an address is in its path or query, so that nobody logs in."""
    at, slash = address.find("@"), min((place for place in map(address.find, "/?#") if place >= 0), default=-1)
    return 0 <= slash < at and (_MACHINE.match(address) is not None or ":" not in address[:at])


def _value(seen: str, start: int, is_strong: bool, is_bare: bool) -> tuple[int, int] | None:
    """Return from where to where the password is that a word announces; None: none follows."""
    quoted = _QUOTED.match(seen, start)
    if quoted:
        begins = quoted.end()
        end = seen.find(_CLOSING[quoted[1]], begins)
        inner = (seen[begins:] if end < 0 else seen[begins:end]).rstrip("\\")
        return (begins, begins + len(inner)) if inner.strip() and not _NOTHING.fullmatch(inner.strip()) else None
    plain = _PLAIN.match(seen, start)
    if plain is None:
        chinese = _IN_CHINESE.match(seen, start) if is_strong else None
        is_said = chinese and _SAID.match(chinese[0]) and not re.search("[0-9A-Za-z]", chinese[0])
        return (start, chinese.end()) if chinese and not is_said else None
    value = plain[0].partition("<")[0].rstrip(",;.)}]>")
    end = start + len(value)
    if not value or _NOTHING.fullmatch(value) or (is_bare and not _is_password(value, seen, end)):
        return None
    if not is_strong and not is_bare and (other := _PARTED.match(seen, end)):
        end = other.end()
    return start, end


def _is_password(value: str, seen: str, end: int) -> bool:
    """Say whether a word that follows "password" at once is one: it has a digit, and counts nothing."""
    return (
        len(value) >= _SHORTEST_BARE
        and value[0] not in ":=>|"
        and (any(one.isdigit() for one in value) or _USUAL.fullmatch(value) is not None)
        and not (value.isdigit() and _COUNTED.match(seen, end))
    )

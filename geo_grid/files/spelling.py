"""How somebody says a file of text is written, where its reader would have to guess."""

import codecs
from dataclasses import dataclass

from geo_grid.errors import UserError

SEPARATORS = ",;\t|"
_SAID = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class Spelling:
    """How a file of text is written; what is None is told from its beginning.

    Attributes
    ----------
    encoding
        Of CSV, and of the table of a Shapefile: a name that Python knows.
    separator
        Of the fields of CSV; `tab` is one too.
    decimal
        Between a number's whole part and its fraction in CSV: a point or a comma.

    Raises
    ------
    UserError
        There is no such encoding, or it is no such sign.
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is none of these."""
        if self.encoding is not None:
            try:
                known = codecs.lookup(self.encoding).name
                "".encode(known)
            except (LookupError, ValueError, TypeError):
                message = (
                    f"--encoding {self.encoding[:40]!r} is unknown: say UTF-8, GB18030, Big5, EUC-KR, Shift-JIS, ..."
                )
                raise UserError(message) from None
        separator = _SAID.get(self.separator or "", self.separator)
        if separator is not None and separator not in SEPARATORS:
            message = f"--separator {separator[:10]!r} is none: say a comma, a semicolon, a bar or tab"
            raise UserError(message)
        object.__setattr__(self, "separator", separator)
        if self.decimal not in (None, ".", ","):
            message = f"--decimal {self.decimal[:10]!r} is none: say a point or a comma"
            raise UserError(message)

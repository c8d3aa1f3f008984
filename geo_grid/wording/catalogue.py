"""A catalogue of texts with named values, which recognises a text that was put together and says it in another language.

The program raises and reports in English, as plain texts. `zh.po` holds each of them as a template with named values
(`there is no camera {code}`) and its translation. A text is told apart by the words around its values, wherever it comes
from: Python, the database, pydantic, another process, or a report that was stored. One that is not known stays as it is.
"""

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from geo_grid.wording.options import as_parameters

type Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
"""The first is what the program itself speaks."""

_DEEPEST = 3
"""How often a value of a text is looked at in turn for texts within it."""
_CERTAIN = 16
"""How many characters tell a text apart that begins with a value, within another one."""
_BEGINNINGS = 12
"""At how many words of a text that is not known one is looked for that goes on to its end."""


@dataclass(frozen=True)
class _Template:
    """A text with values.

    Attributes
    ----------
    words
        What stands before, between and after its values: one more than there are values.
    names
        Of the values, in this order.
    said
        The translation, with the names in braces.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    said: str

    @property
    def certainty(self) -> int:
        """How many characters tell it apart."""
        return sum(map(len, self.words))

    @property
    def key(self) -> str:
        """The longest of its words, without which a text is another one."""
        return max(self.words, key=len)

    def values(self, text: str) -> dict[str, str] | None:
        """Return the values in a text by name; None: this is another text. Takes time linear in the text."""
        first, *between, last = self.words
        end = len(text) - len(last)
        if end < len(first) or not text.startswith(first) or not text.endswith(last):
            return None
        found, at = [], len(first)
        for word in between:
            next_at = text.find(word, at, end)
            if next_at < 0:
                return None
            found.append(text[at:next_at])
            at = next_at + len(word)
        found.append(text[at:end])
        return dict(zip(self.names, found, strict=True))


class Catalogue:
    """Translations of one language.

    Parameters
    ----------
    texts
        Pairs of a text and its translation, with values as `{name}`; a translation may leave values out.
    """

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        self._whole: dict[str, str] = {}
        templates: list[_Template] = []
        for text, said in texts:
            for form in {text, as_parameters(text)}:
                words, names = parts_of(form)
                if names:
                    templates.append(_Template(words, names, said))
                else:
                    self._whole[words[0]] = parts_of(said)[0][0]
        self._keyed = [(one.key, one) for one in sorted(templates, key=lambda one: -one.certainty)]

    def translate(self, text: str) -> str:
        """Return a text in this language: as a whole, or from where one that is known begins; else as it is."""
        likely = [template for key, template in self._keyed if key in text]
        return self._known(text, likely, 0) or self._in_parts(text, likely) or text

    def _known(self, text: str, likely: list[_Template], depth: int) -> str | None:
        whole = self._whole.get(text)
        if whole is not None:
            return whole
        for template in likely:
            if depth and not template.words[0] and template.certainty < _CERTAIN:
                continue
            values = template.values(text)
            if values is not None:
                said = {name: self._value(value, likely, depth) for name, value in values.items()}
                return template.said.format_map(said)
        return None

    def _value(self, value: str, likely: list[_Template], depth: int) -> str:
        """Say a value that is a text itself, or a list of some; names and numbers stay."""
        bare = value.strip()
        if depth >= _DEEPEST or " " not in bare:
            return self._whole.get(bare, value)
        said = self._known(bare, likely, depth + 1)
        if said is None and all(part in self._whole for part in bare.split(", ")):
            said = "、".join(self._whole[part] for part in bare.split(", "))
        if said is None and not depth:
            said = self._ending(bare, likely, 1)
        return said or value

    def _in_parts(self, text: str, likely: list[_Template]) -> str | None:
        """Say the parts of a list, or the end of a text that begins with something that is not known."""
        if "; " in text:
            parts = text.split("; ")
            said = [self._known(part, likely, 0) or self._ending(part, likely, 1) for part in parts]
            if any(said):
                return "；".join(one or part for one, part in zip(said, parts, strict=True))
        return self._ending(text, likely, 1)

    def _ending(self, text: str, likely: list[_Template], depth: int) -> str | None:
        at = 0
        for _ in range(_BEGINNINGS):
            at = text.find(" ", at) + 1
            if not at:
                return None
            said = self._known(text[at:], likely, depth)
            if said is not None:
                return text[:at] + said
        return None


def parts_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide a template into the words around its values, and their names."""
    words, names, so_far = [], [], ""
    for literal, name, _, _ in string.Formatter().parse(text):
        so_far += literal
        if name is not None:
            words.append(so_far)
            names.append(name)
            so_far = ""
    return (*words, so_far), tuple(names)


@cache
def catalogue(language: Language) -> Catalogue | None:
    """Return the catalogue of a language, read once; None: the program speaks it itself."""
    if language == LANGUAGES[0]:
        return None
    return Catalogue(_read(language))


def _read(language: Language) -> Iterator[tuple[str, str]]:
    from babel.messages.pofile import read_po  # imported here: the command line needs none

    with (files("geo_grid.wording") / f"{language}.po").open("rb") as file:
        for message in read_po(file):
            if isinstance(message.id, str) and message.id and isinstance(message.string, str) and message.string:
                yield message.id, message.string

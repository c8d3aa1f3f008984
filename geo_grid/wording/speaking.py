"""In which language whoever asks now is answered: errors and reports are said in it when they are written out."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import PlainSerializer

from geo_grid.wording.catalogue import LANGUAGES, Language, catalogue


@dataclass
class Speaking:
    """A language, for as long as one request is answered.

    Attributes
    ----------
    was_used
        Whether something of the answer was said in it, so that the answer depends on it.
    """

    language: Language
    was_used: bool = field(default=False)


_SPEAKING: ContextVar[Speaking | None] = ContextVar("geo_grid_speaking", default=None)


def speak(language: Language) -> Speaking:
    """Answer in a language from here on, in this task and what it starts."""
    speaking = Speaking(language)
    _SPEAKING.set(speaking)
    return speaking


def spoken() -> Language:
    """Return the language of the answer, and note that it matters."""
    speaking = _SPEAKING.get()
    if speaking is None:
        return LANGUAGES[0]
    speaking.was_used = True
    return speaking.language


def worded(text: str) -> str:
    """Say a text of the program in the language of the answer."""
    known = catalogue(spoken())
    return known.translate(text) if known else text


Worded = Annotated[str, PlainSerializer(worded, return_type=str)]
"""A text of the program in an answer."""

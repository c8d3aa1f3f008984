"""What the README and docs/ tell people to type, with the answers they show, and a place to type it.

An answer stands under its command as lines that begin with `#: `. In it, … stands for anything within a line, and a
line of … alone for any lines. What a terminal shows as a bar is no part of an answer.
"""

import ast
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ANSWER = "#: "
SERVER = "127.0.0.1:8000"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BAR = re.compile(r"^.* … \d+\.\d s$")
_LONGEST_S = 120


@dataclass
class Command:
    """What is typed at once, and what it shows."""

    document: str
    line: int
    language: str
    text: str
    answer: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def commands(document: Path) -> list[Command]:
    """All commands of a document's blocks of sh and python, in order."""
    text, found = text_of(document), []
    for block in _FENCED.finditer(text):
        line = text.count("\n", 0, block.start(2)) + 1
        if block[1] == "sh":
            parts = _typed(block[2])
        elif block[1] == "python":
            parts = _statements(block[2])
        elif block[1] == "mermaid":  # a drawing
            continue
        else:
            raise AssertionError(f"{document.name}:{line}: a block of {block[1] or 'nothing'} is not run by any test")
        for at, part, answer in parts:
            found.append(Command(document.name, line + at, block[1], part, answer))
    return found


def prose(document: Path) -> str:
    return _FENCED.sub("", text_of(document))


def _typed(block: str) -> Iterator[tuple[int, str, list[str]]]:
    at, part, answer = 0, "", []
    for number, line in enumerate(block.splitlines()):
        if line.startswith(ANSWER.strip()):
            answer.append(line.removeprefix(ANSWER.strip()).strip())
            continue
        if part and _is_whole(part):
            yield at, part, answer
            part, answer = "", []
        if not part:
            at = number
        part += f"\n{line}" if part else line
    if part.strip():
        yield at, part, answer


def _is_whole(part: str) -> bool:
    try:
        shlex.split(part, comments=True)
    except ValueError:  # within quotes
        return False
    return not part.endswith("\\")


def _statements(block: str) -> Iterator[tuple[int, str, list[str]]]:
    lines = block.splitlines()
    for statement in ast.parse(block).body:
        after = (statement.end_lineno or 0) - 1
        answer = []
        for line in lines[after + 1 :]:
            if not line.startswith(ANSWER):
                break
            answer.append(line.removeprefix(ANSWER).strip())
        yield statement.lineno - 1, ast.get_source_segment(block, statement) or "", answer


def difference(answer: list[str], said: str) -> str:
    """Return nothing when what was said is what the document shows, else where they part."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip() and not _BAR.match(line)]
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "…" else re.escape(" ".join(line.split())).replace("…", "[^\n]*") + r"\n"
        for line in answer
    )
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)):
        return ""
    return "the document shows:\n" + "\n".join(answer) + "\nand it says:\n" + "\n".join(lines)


class Terminal:
    """A shell that stays open, and a Python in the same folder; the documents' server is where it really is."""

    def __init__(self, folder: Path, environment: dict[str, str], server: str) -> None:
        self.server = server
        self.names: dict[str, Any] = {}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def type(self, text: str) -> tuple[int, str]:
        """Run a command of the shell; return its exit code and what it says."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        mark = uuid.uuid4().hex
        self._shell.stdin.write(f"{text.replace(SERVER, self.server)}\nprintf '\\n{mark} %s\\n' $?\n")
        self._shell.stdin.flush()
        said = []
        for line in self._shell.stdout:
            if line.startswith(mark):
                return int(line.split()[1]), "".join(said).replace(self.server, SERVER)
            said.append(line)
        raise AssertionError(f"the shell ended: {''.join(said)}")

    def python(self, text: str) -> str:
        """Run a statement; return what Python shows of it."""
        text = text.replace(SERVER, self.server)
        try:
            value = eval(text, self.names)
        except SyntaxError:
            exec(text, self.names)
            return ""
        return "" if value is None else repr(value)

    def close(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(_LONGEST_S)

"""Every text that the program may say to people, as Babel collects it: of Python, SQL and pydantic.

Raising sites write plain f-strings, so that all texts in the code are looked at, and those that nobody reads on a page are
left out by where they stand. `python -m tests.wording.texts` brings the catalogue up to date.
"""

import ast
import fnmatch
import io
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from pydantic_core._pydantic_core import list_all_errors

from geo_grid.wording.catalogue import parts_of

PACKAGE = Path(__file__).parents[2] / "geo_grid"
CATALOGUE = PACKAGE / "wording/zh.po"

_NOT_ON_PAGES = (
    "cli/*", "supervising/*", "demo/*", "live_demo/*", "db/*", "pictures/start.py",  # terminals
    "settings.py", "clocks.py", "compiling.py", "due/listing.py", "own_work.py", "doctor.py", "served.py", "state_folder.py",
    "client.py", "api/app.py", "api/listening.py", "api/lifetime.py", "locate/locator.py", "locate/assignment.py",
    "changes/kinds.py", "derived/*", "response/worker.py", "response/workers.py", "response/expansion.py", "response/graph.py",
    "response/service_area.py", "response/travel.py", "access/audit.py", "hooks/sending.py", "hooks/delivering.py",
    "exchange/exporting.py", "exchange/writing.py", "files/points/arrow_bodies.py", "exchange/osm.py", "files/extracts.py",
    "maps/*", "layers/meanings.py", "layers/page.py",  # documents, and the map kit
    "indicators/definitions.py", "indicators/report.py", "exchange/reports.py", "field/norms.py",  # in both languages there
    "api/open311/*", "api/ogc/styles.py", "workflow/open311.py", "feeds/rtsp.py", "api/server/metrics.py", "api/boundaries/models.py",
    "changes/schema/*", "names/*",  # protocols of machines, documents of the API
)  # fmt: skip
"""Files whose texts nobody meets on a page."""
_FOR_US = {
    "SetupError",
    "AssertionError",
    "LookupError",
    "RuntimeError",
    "AttributeError",
    "ModuleNotFoundError",
    "OSError",
    "TimeoutError",
}
"""Errors that are faults of the program or its machine: a page shows none of them in their own words."""
_NOT_SAID = re.compile(
    r"^(log|logging|re|typer|warnings|sql)\.|^(Field|Query|Path|Form|File|Body|Header|Cookie|SQL|Layer|Gauge|Counter|Histogram|progress|NamedTuple|load_queries)$"
    r"|\.(execute|SQL|removeprefix|startswith|endswith|partition|get_logger|strptime)$"
)
"""Calls whose arguments are for logs, documents, patterns and the database."""
_KEYWORDS_NOT_SAID = {
    "description",
    "summary",
    "responses",
    "help",
    "title_en",
    "title_zh",
    "name",
    "name_en",
    "names",
    "media_type",
    "tags",
    "headers",
}
_PROSE = re.compile(r"[A-Za-z]{2,} [a-z{]")
_OF_PROGRAMS = re.compile(
    r"^select |\b(insert|update|delete) [a-z_.*{]+ |::|<svg|<path|<script|\n|\{\{(\d|\w\d)?\}\}|^(Bearer|Basic|Digest|Mon|default-src)\b|=\"|ST_[A-Z]"
)
"""What is written for machines: SQL, HTML, headers."""
_OF_DOCUMENTS = re.compile(r"[A-Z][a-z]+ (?!forbids)")
"""What is said begins with a small letter, or with a name; documents of the API begin with a capital."""
_LEAST_LETTERS = 7
"""A text of fewer letters beside its values could be any."""
_MOST_FORMS = 8
_CODES = {
    "refused", "required", "code missing", "locked: no second factor", "geo_grid {city_name_en}", "account {principal_id}",
    "account {proven}", "address {neighbourhood}", "log-in {neighbourhood}", "innermost cell", "csv with parties", "double precision",
    "supervised list", "long answers", "false: it was asked as of a former time, whose circles are not kept",
    "A Mapbox vector tile with a layer of each collection's name", "the database", "a screen shows one page",
    "no lead", "no parent", "not tiled", "overlap or mismatch", "in pieces", "too large", "too small", "open incidents",
    "incidents of 12 months", "new beijing", "import of {file_name}", "nobody is asking: nothing is recorded",
    "administrative divisions", "make-up day", "not filled in yet: the server does it when it starts",
    "{announced}; not announced: {named}, {advice}", "mediation case {case_id}: settled", "the end", "issued to another party", "an extract", "a file geodatabase",
    "audit rows are never changed or deleted", "months are dropped oldest first",
    "months of the audit are dropped on the command line only", "there is no month {value1} in the audit",
    "{value1} is kept until {value2} (retention: {value3} calendar months)",
    "{value1} was not exported since it ended: export it first", "only the owner of the database admits a server",
}  # fmt: skip
"""What looks like a text and is none that a page shows: codes, names, and what only terminals are told."""
_NEVER_OF_REQUESTS = re.compile(
    r"arguments?_|_argument|complex|counter|deque|frozen|fraction|decimal_type|decimal_whole|dataclass|callable|generator|iter"
    r"|ordered_dict|get_attribute|no_such_attribute|attributes_type|missing_sentinel|missing_keyword|missing_positional"
    r"|none_required|is_subclass|is_instance|set_item|set_type|tuple_type|default_factory|mapping_type|recursion_loop"
    r"|needs_python|ellipsis|bytes|time_delta|multiple_argument|unexpected|invalid_key|json_type|string_unicode|string_sub"
)
"""Kinds of errors of pydantic that no body or query of ours can have."""
_PHRASES = (
    "Bad Request", "Unauthorized", "Forbidden", "Not Found", "Method Not Allowed", "Not Acceptable", "Request Timeout", "Conflict",
    "Gone", "Length Required", "Precondition Failed", "Content Too Large", "Request Entity Too Large", "URI Too Long",
    "Unsupported Media Type", "Unprocessable Content", "Unprocessable Entity", "Precondition Required", "Too Many Requests",
    "Request Header Fields Too Large", "Internal Server Error", "Not Implemented", "Bad Gateway", "Service Unavailable",
    "Gateway Timeout", "Insufficient Storage",
)  # fmt: skip
"""Titles of problems; two of them have another name from Python 3.13 on."""
_STAGES = ("reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated")
_ROLES = ("grid_worker", "dispatcher", "planner", "supervisor", "administrator", "auditor")
ALSO = (
    *_PHRASES,
    "JSON decode error",
    "There was an error parsing the body",
    "become {stage}",
    "needs {where}",
    "ends at",
    "a file without an ending",
    *_STAGES,
    *_ROLES,
)


def of_python(file: BinaryIO, keywords: Any, tags: Any, options: Any) -> Iterator[tuple[int, None, str, list[str]]]:
    """Texts of a Python file, as an extraction method of Babel."""
    tree = _Inlined.of(ast.parse(file.read()))
    for line, text in sorted(_said_in(tree)):
        yield line, None, text, []


def of_sql(file: BinaryIO, keywords: Any, tags: Any, options: Any) -> Iterator[tuple[int, None, str, list[str]]]:
    """Texts that the database raises, as an extraction method of Babel; its values have no names."""
    source = file.read().decode()
    for found in re.finditer(r"raise exception\s+'((?:[^']|'')*)'", source):
        numbers = itertools.count(1)
        text = re.sub("%", lambda _: f"{{value{next(numbers)}}}", _escaped(found[1].replace("''", "'")))  # noqa: B023
        yield source.count("\n", 0, found.start()) + 1, None, text, []


class _Inlined(ast.NodeTransformer):
    """A module with its constant texts where they are put into others."""

    def __init__(self, constants: dict[str, str]) -> None:
        self.constants = constants
        self.used: set[str] = set()

    @classmethod
    def of(cls, tree: ast.Module) -> ast.Module:
        inlined = cls(dict(itertools.chain.from_iterable(_named(node) for node in tree.body)))
        tree = inlined.visit(tree)
        tree.body = [node for node in tree.body if not inlined.used.intersection(name for name, _ in _named(node))]
        return tree

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self.constants:
            self.used.add(node.value.id)
            return ast.Constant(self.constants[node.value.id])
        return self.generic_visit(node)


def _named(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Names and values of the constant texts that a statement of a module makes."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return
    [target] = node.targets
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    for name, value in zip(names, values, strict=False):
        if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield name.id, value.value


def _said_in(tree: ast.Module) -> set[tuple[int, str]]:
    silent = _silent(tree)
    found = set()
    for node in ast.walk(tree):
        if id(node) in silent or not isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp | ast.IfExp):
            continue
        forms = _forms(node)
        if forms is None:
            continue
        silent |= {id(part) for part in ast.walk(node) if part is not node}
        found |= {(node.lineno, text.strip()) for text in forms if _is_said(text.strip())}
    return found


def _is_said(text: str) -> bool:
    letters = sum(map(str.isalpha, re.sub(r"\{\w+\}", "", text)))
    is_for_programs = _OF_PROGRAMS.search(text) or _OF_DOCUMENTS.match(text)
    return letters >= _LEAST_LETTERS and bool(_PROSE.search(text)) and not is_for_programs and text not in _CODES


def _silent(tree: ast.Module) -> set[int]:  # noqa: PLR0912
    """Nodes whose texts are for nobody: documentation, logs, patterns, names of fields."""
    silent: set[int] = set()

    def hush(*nodes: ast.AST) -> None:
        for node in nodes:
            silent.update(id(part) for part in ast.walk(node))

    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                hush(node)
            case ast.Call() if _NOT_SAID.search(ast.unparse(node.func)):
                hush(*node.args, *node.keywords)
            case ast.keyword(arg=str(name)) if name in _KEYWORDS_NOT_SAID:
                hush(node)
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in _FOR_US:
                hush(node)
            case ast.Subscript():
                hush(node.slice)
            case ast.Compare() | ast.Assert() | ast.arg() | ast.AnnAssign(value=None):
                hush(node)
            case ast.AnnAssign():
                hush(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                hush(*filter(None, (node.returns, *node.decorator_list)))
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for before, after in itertools.pairwise(body if isinstance(body, list) else []):
                if isinstance(after, ast.Raise) and isinstance(after.exc, ast.Call) and isinstance(before, ast.Assign):
                    name = ast.unparse(after.exc.func).rpartition(".")[2]
                    if name in _FOR_US:
                        hush(before)
    return silent


def _forms(node: ast.AST) -> list[str] | None:  # noqa: PLR0911
    """The templates that an expression may come to; None: it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return [_escaped(text)]
        case ast.JoinedStr():
            parts = [_forms(part) or [] for part in node.values]
            return _joined(parts)
        case ast.FormattedValue():
            return _alternatives(node.value) or ["{" + _name(node.value) + "}"]
        case ast.BinOp(op=ast.Add()):
            left, right = _forms(node.left), _forms(node.right)
            if left is None and right is None:
                return None
            return _joined(
                [
                    side if side is not None else ["{" + _name(of) + "}"]
                    for side, of in ((left, node.left), (right, node.right))
                ]
            )
        case ast.IfExp():
            return _alternatives(node)
    return None


def _alternatives(node: ast.AST) -> list[str] | None:
    """The forms of a choice between texts."""
    match node:
        case ast.IfExp():
            sides = (_forms(node.body), _forms(node.orelse))
            if sides == (None, None):
                return None
            named = ("{" + _name(node.body) + "}", "{" + _name(node.orelse) + "}")
            return [
                form for side, name in zip(sides, named, strict=True) for form in (side if side is not None else [name])
            ]
        case ast.Constant(value=str(text)):
            return [_escaped(text)]
    return None


def _joined(parts: list[list[str]]) -> list[str]:
    if len(list(itertools.islice(itertools.product(*parts), _MOST_FORMS + 1))) > _MOST_FORMS:
        parts = [part if len(part) == 1 else ["{value}"] for part in parts]
    return [_numbered("".join(form)) for form in itertools.product(*parts)]


def _numbered(text: str) -> str:
    """Give each value a name of its own."""
    seen: Counter[str] = Counter()

    def number(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0]
        name = found[1].rstrip("0123456789") or found[1]
        seen[name] += 1
        return "{" + name + (str(seen[name]) if seen[name] > 1 else "") + "}"

    return re.sub(r"\{\{|\}\}|\{(\w+)\}", number, text)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


_PLAIN = {
    "len",
    "sorted",
    "str",
    "repr",
    "list",
    "tuple",
    "int",
    "float",
    "min",
    "max",
    "sum",
    "abs",
    "round",
    "set",
    "next",
}
_OF_SUBJECT = {
    "strip",
    "lower",
    "upper",
    "isoformat",
    "items",
    "keys",
    "values",
    "astimezone",
    "replace",
    "decode",
    "title",
    "capitalize",
}


def _name(node: ast.AST) -> str:  # noqa: PLR0911
    """What a value is called: the last name in its expression."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _PLAIN:
            return _name(first)
        case ast.Call(func=ast.Attribute(attr="join"), args=[first, *_]):
            return _name(first)
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in _OF_SUBJECT:
            return _name(value)
        case ast.Call():
            return _name(node.func)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower() or "value"
        case ast.Subscript(slice=ast.Constant(value=str(name))) if name.isidentifier():
            return name
        case ast.Subscript() | ast.Starred() | ast.Await():
            return _name(node.value)
        case ast.GeneratorExp() | ast.ListComp():
            return _name(node.elt)
        case ast.BoolOp():
            return _name(node.values[0])
        case ast.BinOp():
            return _name(node.right if isinstance(node.left, ast.Constant) else node.left)
        case ast.JoinedStr():
            return next((_name(part.value) for part in node.values if isinstance(part, ast.FormattedValue)), "value")
    return "value"


def collected() -> Catalog:
    """All texts with where they stand."""
    catalogue = Catalog(locale="zh", project="geo_grid", charset="utf-8", fuzzy=False)
    methods = [("**.py", of_python), ("**.sql", of_sql)]
    for file, line, text, _, _ in extract_from_dir(PACKAGE, method_map=methods, directory_filter=lambda _: True):  # type: ignore[arg-type]
        if (
            isinstance(text, str)
            and text not in _CODES
            and not any(fnmatch.fnmatch(file, pattern) for pattern in _NOT_ON_PAGES)
        ):
            catalogue.add(text, locations=[(f"geo_grid/{file}", line)])
    for error in list_all_errors():
        if _NEVER_OF_REQUESTS.search(error["type"]):
            continue
        catalogue.add(re.sub(r"\s+", " ", error["message_template_python"]), locations=[("pydantic", 1)])
    for text in ALSO:
        catalogue.add(text)
    return catalogue


def stored() -> Catalog:
    """The catalogue as it is."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")


def values(text: str) -> Collection[str]:
    """Names of the values of a template."""
    return set(parts_of(text)[1])


def renew() -> None:
    """Write the catalogue with all texts of today; those that are said no more are dropped."""
    wanted = collected()
    if CATALOGUE.exists():
        old = stored()
        for message in wanted:
            known = old.get(message.id) if message.id else None
            if known is not None:
                message.string = known.string
    out = io.BytesIO()
    for message in wanted:
        message.locations = [(file, None) for file in dict.fromkeys(name for name, _ in message.locations)]  # type: ignore[misc]
    write_po(out, wanted, width=120, omit_header=True, sort_output=True, include_lineno=False)
    CATALOGUE.write_bytes(out.getvalue())


if __name__ == "__main__":
    renew()
    missing = [message.id for message in stored() if message.id and not message.string]
    print(f"{len(stored())} texts in {CATALOGUE.name}, {len(missing)} without a translation")

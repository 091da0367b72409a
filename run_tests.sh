#!/usr/bin/env bash
# Linter, type checker and tests, in .venv (made when it is not there).
set -euo pipefail
cd "$(dirname "$0")"
. ./setup_env.sh requirements-test.txt requirements.txt requirements-ray.txt requirements-samples.txt

ruff check .
ruff format --check .
mypy
python -m pytest "$@"

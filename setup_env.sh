# Create .venv and install the requirement files, again only after they change; source it: . ./setup_env.sh FILE...
# PYTHON: the interpreter (default: python3.11, else python3).
# TORCH_INDEX_URL: the package index to install torch from, such as that of its CPU builds (default: pip's index).

python_command=${PYTHON:-$(command -v python3.11 || command -v python3)}
[ -x .venv/bin/python ] || "$python_command" -m venv .venv
. .venv/bin/activate
stamp=$(cat "$@" constraints.txt | cksum)
if [ "$(cat .venv/installed-"$1" 2>/dev/null)" != "$stamp" ]; then
    if [ -n "${TORCH_INDEX_URL:-}" ]; then
        # Its dependencies come from pip's own index below, at the versions of constraints.txt.
        python -m pip install --quiet --no-deps --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements.txt)" >&2
    fi
    for file in "$@"; do
        case $file in
        *-samples.txt) python -m pip install --quiet --no-deps --requirement "$file" >&2 ;;
        *) python -m pip install --quiet --constraint constraints.txt --requirement "$file" >&2 ;;
        esac
    done
    printf '%s' "$stamp" >.venv/installed-"$1"
fi

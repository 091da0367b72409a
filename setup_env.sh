# Create .venv and install the requirement files, again only after they change; source it: . ./setup_env.sh FILE...
# PYTHON: the interpreter (default: python3.11, else python3); 3.11 or later.
# TORCH_INDEX_URL: the package index to install torch from, such as that of its CPU builds (default: pip's index).

if [ ! -x .venv/bin/python ] || [ ! -f .venv/bin/activate ]; then  # stopped while it was created
    for python_command in "${PYTHON:-python3.11}" "${PYTHON:-python3}" ""; do
        "$python_command" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
    done
    if [ -z "$python_command" ]; then
        echo "${PYTHON:-python3.11 or python3} must be Python 3.11 or later; set PYTHON to the path of one" >&2
        return 2
    fi
    "$python_command" -m venv .venv >&2
fi
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

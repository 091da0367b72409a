# Make .venv and install what is pinned, once for each content of the requirement files; source it: . ./setup_env.sh FILE...
# PYTHON names the interpreter (default: python3.11, else python3).

python_command=${PYTHON:-$(command -v python3.11 || command -v python3)}
[ -x .venv/bin/python ] || "$python_command" -m venv .venv
. .venv/bin/activate
stamp=$(cat "$@" | cksum)
if [ "$(cat .venv/installed-"$1" 2>/dev/null)" != "$stamp" ]; then
    for file in "$@"; do
        case $file in
        *-samples.txt) python -m pip install --quiet --no-deps --requirement "$file" >&2 ;;
        *) python -m pip install --quiet --requirement "$file" >&2 ;;
        esac
    done
    printf '%s' "$stamp" >.venv/installed-"$1"
fi

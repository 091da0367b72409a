# Create .venv and install the requirement files, again only after they change; source it: . ./setup_env.sh FILE...
# PYTHON: the interpreter (default: the first of python3.11, python3.12, python3.13 and python3 that can be used).
# TORCH_INDEX_URL: the package index to install torch from, such as that of its CPU builds (default: pip's index).

mkdir -p .venv
( # a subshell, that an error does not end the shell that sources this; its lock lets two runs install one by one
    set -e

    version_of() {
        "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
    }

    # Print why an interpreter cannot be used, such as for modules that are missing; nothing if it can.
    objection() {
        local version
        version=$(version_of "$1") || version=none
        case $version in
        none) echo "$1 does not run" ;;
        3.11 | 3.12 | 3.13) "$1" -c "import $2" 2>/dev/null || echo "$1 is Python $version without $2" ;;
        *) echo "$1 is Python $version" ;;
        esac
    }

    create_venv() {
        local python found objections="" candidates=(python3.11 python3.12 python3.13 python3)
        [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
        for python in "${candidates[@]}"; do
            found=$(objection "$python" "ensurepip, venv")
            if [ -z "$found" ]; then
                "$python" -m venv --clear .venv >&2
                return
            fi
            objections+="${objections:+, }$found"
        done
        echo "Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: the package python3.11-venv, python3.12-venv" \
            "or python3.13-venv) is needed; install one, or set PYTHON to one: $objections" >&2
        exit 2
    }

    check_venv() {
        local version found
        version=$(version_of .venv/bin/python) || true
        found=$(objection .venv/bin/python pip)
        . .venv/bin/activate
        if [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$version" ]; then
            found="it is of Python $version, unlike PYTHON=$PYTHON"
        elif ! [ "$VIRTUAL_ENV" -ef .venv ]; then
            found="it was created as $VIRTUAL_ENV"
        fi
        [ -z "$found" ] || { echo "$PWD/.venv cannot be used; remove it, and run this again: $found" >&2; exit 2; }
    }

    pip_install() {
        python -m pip install --quiet --use-pep517 "$@" >&2
    }

    flock --nonblock 9 || { echo "another run installs into $PWD/.venv; waiting for it" >&2; flock 9; }
    [ -f .venv/bin/activate ] || create_venv # the file that venv writes last
    check_venv
    . .venv/bin/activate
    stamp=$(cat "$@" constraints.txt | cksum)
    [ "$(cat .venv/installed-"$1" 2>/dev/null)" != "$stamp" ] || exit 0
    if [ -n "${TORCH_INDEX_URL:-}" ]; then
        # Its dependencies come from pip's own index below, at the versions of constraints.txt.
        pip_install --no-deps --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements.txt)"
    fi
    for file in "$@"; do
        case $file in
        *-samples.txt) pip_install --no-deps --requirement "$file" ;;
        *) pip_install --constraint constraints.txt --requirement "$file" ;;
        esac
    done
    printf '%s' "$stamp" >.venv/installed-"$1"
) 9<.venv
. .venv/bin/activate

# Create .venv and install the requirement files, again only after they change; source it: . ./setup_env.sh FILE...
# PYTHON: the interpreter (default: the first of python3.11, python3.12, python3.13 and python3 that can be used).
# TORCH_INDEX_URL: the package index to install torch from, such as that of its CPU builds (default: pip's index).

mkdir -p .venv
( # a subshell, so that an error does not end the shell that sources this; its lock lets two runs install one by one
    set -e

    version_of() {
        "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
    }

    # Print why an interpreter cannot be used, such as for modules that are missing; nothing if it can.
    why_unusable() {
        local version
        version=$(version_of "$1") || version=none
        case $version in
        none) echo "$1 does not run" ;;
        3.11 | 3.12 | 3.13) "$1" -c "import $2" 2>/dev/null || echo "$1 is Python $version without $2" ;;
        *) echo "$1 is Python $version" ;;
        esac
    }

    create_venv() {
        local python reason reasons="" candidates=(python3.11 python3.12 python3.13 python3)
        [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
        for python in "${candidates[@]}"; do
            reason=$(why_unusable "$python" "ensurepip, venv")
            if [ -z "$reason" ]; then
                "$python" -m venv --clear .venv >&2
                return
            fi
            reasons+="${reasons:+, }$reason"
        done
        echo "Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: the package python3.11-venv, python3.12-venv" \
            "or python3.13-venv) is needed; install one, or set PYTHON to one: $reasons" >&2
        exit 2
    }

    check_venv() {
        local version reason
        version=$(version_of .venv/bin/python) || true
        reason=$(why_unusable .venv/bin/python pip)
        . .venv/bin/activate
        if [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$version" ]; then
            reason="it is of Python $version, unlike PYTHON=$PYTHON"
        elif ! [ "$VIRTUAL_ENV" -ef .venv ]; then
            reason="it was created as $VIRTUAL_ENV"
        fi
        [ -z "$reason" ] || { echo "$PWD/.venv cannot be used; remove it, and run this again: $reason" >&2; exit 2; }
    }

    pip_install() {
        python -m pip install --quiet --use-pep517 "$@" >&2
    }

    flock --nonblock --conflict-exit-code 75 9 || case $? in
    75) echo "another run installs into $PWD/.venv; waiting for it" >&2 && flock 9 ;;
    *) echo "$PWD/.venv cannot be locked; make sure that no other run installs into it" >&2 ;;
    esac
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
) 9>>.venv.lock
. .venv/bin/activate

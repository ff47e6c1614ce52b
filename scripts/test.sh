#!/usr/bin/env bash
# All checks: set-up with the test tools, ruff (lint, format), mypy, pytest with doctests. Stops at
# the first that fails, with its exit code.
#
#   bash scripts/test.sh                     the checks of every change
#   bash scripts/test.sh --fast              lint, and tests without images: under a minute
#   bash scripts/test.sh --all               also tests marked slow: kills, signals, whole fits
#   bash scripts/test.sh tests/archs -k x    only pytest, with these arguments
#
# Without arguments pytest runs one process a core (PROCESSES=n: n processes).
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap - ERR # a failed check has said why

bash "$root/scripts/setup.sh" --with-tests
cd "$root"

check() {
    local started=$SECONDS
    say "== $*"
    "$venv/bin/python" -m "$@" || exit $?
    say "   $((SECONDS - started)) s"
}

# rooms whose tests need no images and no training
quick=(archs counts scaling records references test_common.py test_rooms.py test_home.py)

if [ $# = 0 ] || [ "$*" = --all ] || [ "$*" = --fast ]; then
    check ruff check .
    check ruff format --check .
    [ "$*" = --fast ] || check mypy
    tests=(-m "not slow")
    [ "$*" != --all ] || tests=()
    [ "$*" != --fast ] || tests+=("${quick[@]/#/tests/}")
    processes=${PROCESSES:-$(nproc 2>/dev/null || echo 2)}
    set -- -n "$processes" --dist worksteal ${tests[@]+"${tests[@]}"}
    export OMP_NUM_THREADS=1 # of each process; nproc would believe it
fi
# processes share compiled files, outside the checkout
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="${PYTHONPYCACHEPREFIX:-$venv/pycache}"
say "== pytest $*"
exec "$venv/bin/python" -m pytest "$@" # last, so that its summary is the last line

# Shell library of scripts/*.sh (sourced): paths, and steps that are timed, logged and explained
# when they fail. For bash 3.2 (macOS): no associative arrays, no empty array under `set -u`.
# shellcheck shell=bash disable=SC2034
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
log=$root/setup.log
step_number=0
step_count=0
step_started=$SECONDS
hint=

say() { printf '%s\n' "$*"; }

# For a machine or a command line that cannot work: prints the message, exits with 2.
refuse() {
    trap - ERR
    printf '%s\n' "$*" >&2
    exit 2
}

# step TEXT: prints "[2/6] TEXT ... "; `done_step` ends the line with the seconds it took, or with
# a word if there was nothing to do.
step() {
    step_number=$((step_number + 1))
    step_started=$SECONDS
    printf '[%d/%d] %s ... ' "$step_number" "$step_count" "$1"
}

done_step() { printf '%s\n' "${1:-$((SECONDS - step_started)) s}"; }

# run COMMAND...: logs its output. If it fails, prints the command, the log's last lines and $hint,
# and exits with 1.
run() {
    printf '\n$ %s\n' "$*" >>"$log"
    local code=0
    "$@" >>"$log" 2>&1 </dev/null || code=$?
    [ "$code" = 0 ] || failed "$code" "$*"
}

# beside NAME COMMAND...: starts a command that runs beside the next steps. `joined NAME` waits for
# it, logs its output and, if it failed, does what `run` does then.
beside() {
    local name=$1
    shift
    printf '\n$ %s\n' "$*" >"$venv/.$name.log"
    "$@" >>"$venv/.$name.log" 2>&1 </dev/null &
    eval "pid_$name=$! command_$name=\$*"
}

joined() {
    local pid=pid_$1 command=command_$1 code=0
    wait "${!pid}" || code=$?
    cat "$venv/.$1.log" >>"$log"
    rm "$venv/.$1.log"
    [ "$code" = 0 ] || failed "$code" "${!command}"
}

failed() {
    trap - ERR
    {
        printf 'failed after %d s\n\n' "$((SECONDS - step_started))"
        printf 'The command that failed (exit code %s):\n  %s\n' "$1" "$2"
        printf 'The last lines of %s:\n' "$log"
        tail -n 15 "$log" | sed 's/^/  | /'
        printf 'What to do: %s\n' "${hint:-read the log, then run the script again to resume}"
    } >&2
    exit 1
}

# For commands outside `run`: a set-up never ends without saying where.
trap 'code=$?
    printf "\n%s: line %s failed (exit code %s): %s\n" "$0" "$LINENO" "$code" "$BASH_COMMAND" >&2
    exit "$code"' ERR
trap 'printf "\ninterrupted: run the script again to resume\n" >&2; exit 130' INT
trap 'printf "\nended by a signal: run the script again to resume\n" >&2; exit 143' TERM

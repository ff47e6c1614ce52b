#!/usr/bin/env bash
# The timing campaign on one GPU (any; an H200 in 25 minutes): a check that everything works, the grid of the paper's timing figures, the same
# networks in timm's and torchvision's code, and the loader where FFCV is. Safe to stop at any moment; the same command goes on from there.
#
#   bash scripts/campaign_h200.sh [--minutes 25] [--out runs/campaign] [--from EARLIER_OUT] [--python python3] [--device auto] [--tiny]
#
#   --minutes M  end after so many, whatever is left. Where a machine takes commands of 10 minutes, call it three times with --minutes 9.
#   --out DIR    records.jsonl (the campaign's), parity.jsonl, check.json and logs
#   --from DIR   records of an earlier call on a machine that is gone: taken over first
#   --tiny       tiny networks, seconds each: a rehearsal, also on a CPU (--dry-run is the same)
#
# Needs Python with torch, PyYAML and filelock, and nothing installed: it runs in the checkout.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
minutes=25
out=$root/runs/campaign
earlier=
python=
device=auto
tiny=

refuse() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set -E/{/^set -E/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --tiny | --dry-run) tiny=yes ;;
    --minutes | --out | --from | --python | --device)
        [ $# -gt 1 ] || refuse "$1 wants a value; --help shows the options"
        case $1 in
        --minutes) minutes=$2 ;;
        --out) out=$2 ;;
        --from) earlier=$2 ;;
        --python) python=$2 ;;
        --device) device=$2 ;;
        esac
        shift
        ;;
    *) refuse "$1: no such option; --help shows them" ;;
    esac
    shift
done
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] && [ "$(printf '%s' "$minutes" | tr -d '0.')" ] || refuse "--minutes must be a number above 0, got $minutes"
if [ -z "$python" ]; then
    python=$root/.venv/bin/python
    [ -x "$python" ] || python=python3
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
"$python" -c 'import torch, yaml, filelock' || refuse "$python lacks torch, PyYAML or filelock; --python names another one"
mkdir -p "$out"
if [ -n "$earlier" ]; then
    [ -d "$earlier" ] || refuse "--from $earlier: no such folder"
    for name in records.jsonl parity.jsonl check.json; do
        [ -e "$out/$name" ] || [ ! -e "$earlier/$name" ] || cp "$earlier/$name" "$out/$name"
    done
fi

began=$SECONDS
whole=$("$python" -c "print(int(60 * $minutes))")
left() { printf '%d' $((whole - SECONDS + began)); }
in_minutes() { "$python" -c "print(max($1, 1) / 60)"; }

# part TITLE SECONDS COMMAND...: run it for so long at most; what goes wrong in it is said and stops nothing else.
failures=0
running=
part() {
    local title=$1 limit=$2 code=0
    shift 2
    if [ "$limit" -le 5 ]; then
        printf '== %s: no time left\n' "$title"
        return
    fi
    printf '== %s (%d s at most)\n' "$title" "$limit"
    # In the background, and waited for: bash takes a signal at once only there. Job control, or the command would ignore INT.
    exec 3> >(trap '' INT TERM && exec tee -a "$out/campaign.log")
    local log=$!
    set -m
    timeout --signal=INT --kill-after=10 "$limit" "$@" >&3 2>&1 3>&- &
    running=$!
    set +m
    wait "$running" || code=$?
    running=
    exec 3>&-
    wait "$log" || true
    case $code in
    0) ;;
    124 | 130 | 137) printf '== %s: its time is up\n' "$title" ;;
    *)
        printf '== %s: exit code %d\n' "$title" "$code"
        failures=$((failures + 1))
        ;;
    esac
}
stop() {
    trap '' INT TERM
    if [ -n "$running" ]; then
        kill -s "$1" "$running" 2>/dev/null || true # timeout hands it on to the command, and kills that after 10 s
        wait "$running" || true
    fi
    printf '\nstopped: the same command goes on from here (records are in %s)\n' "$out" >&2
    exit 130
}
trap 'stop INT' INT
trap 'stop TERM' TERM

grid=paper
check=(--seconds 120)
parity=(--rounds 7)
if [ -n "$tiny" ]; then
    grid=tiny
    check=(--seconds 30 --tiny)
    parity=(regnety-400mf.dds --precision 32-true --batch 2 --rounds 2 --round_s 0.05 --classes 10 --slack 10)
fi

if [ ! -e "$out/check.json" ]; then
    limit=$(left)
    [ "$limit" -lt 150 ] || limit=150
    part "check" "$limit" "$python" "$root/scripts/check_device.py" "${check[@]}" --device "$device" --out "$out/check.json"
fi

# Four fifths of the time for the grid, and the rest for the parity; the loader takes what is left of both.
budget=$(($(left) * 8 / 10))
part "grid $grid" $((budget + 30)) "$python" -m fastscale time --grid "$grid" --budget "$(in_minutes "$budget")" --device "$device" --runs_dir "$out"
there='import sys; from importlib.util import find_spec as f; sys.path.append(sys.prefix + "/parity"); sys.exit(not (f("timm") or f("torchvision")))'
if "$python" -c "$there"; then
    part "parity" "$(left)" "$python" "$root/scripts/compare_timm.py" "${parity[@]}" --device "$device" --runs_dir "$out"
else
    printf '== parity: left out (it needs timm or torchvision)\n'
fi
if "$python" -c 'import ffcv, pytorch_lightning' 2>/dev/null && [ -n "${FASTSCALE_LOADER_DATA:-}" ]; then
    loader=(--recipe imagenet-100ep --batch 256)
    [ -z "$tiny" ] || loader=(--recipe quick --batch 16 --rounds 2)
    network=regnety-500mf
    [ -z "$tiny" ] || network=regnety-tiny
    part "loader" "$(left)" "$python" -m fastscale time "$network" "${loader[@]}" --loader "$FASTSCALE_LOADER_DATA" --device "$device" --runs_dir "$out"
else
    printf '== loader: left out (it needs FFCV, and FASTSCALE_LOADER_DATA naming a data set that was written)\n'
fi
printf '== %d s; records: %s\n' $((SECONDS - began)) "$(cat "$out"/*.jsonl 2>/dev/null | wc -l)"
[ "$failures" = 0 ]

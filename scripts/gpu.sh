#!/usr/bin/env bash
# Checks and measurements on a GPU, in a few minutes, most important first. Each call resumes where
# the one before ended.
#
#   bash scripts/gpu.sh check|time|evidence [--minutes 9] [--out runs/gpu] [--from EARLIER]
#                       [--photos FOLDER] [--python python3] [--tiny]
#
#   check        Does the replayed step equal the eager one? Rates of loader and step together
#                against the slower of both, with and without AutoAugment, beside stock FFCV, timm's
#                loader and step, and torch.compile; rate of fit against the bare step; kill, resume
#   time         device and eager times of a step of the paper's networks (`fastscale time`, grid
#                `paper`), those that claims need first; records.jsonl in --out. Two calls of 9
#                minutes measure over 200 networks
#   evidence     evidence-cifar10-16px and evidence-imagenette: chooses the learning rate on the
#                bases, times the networks, then trains all, several side by side, three seeds of
#                base, dWr and dwgr first; records in DIR/runs/records.jsonl, as each run ends.
#                Predicted from an H100's step times: 15 minutes for all runs one after another,
#                without start and loading, so two calls of 9 minutes
#   --minutes M  end after M minutes, whatever is left
#   --out DIR    where check.jsonl and so on go: a line for each part, written when it is done
#   --from DIR   results of an earlier call, perhaps on another machine: what passed there on the
#                same kind of device is not measured again
#   --photos DIR photographs, made into mosaics of 448 px; without them the loader reads noise with
#                a photograph's spectrum
#   --tiny       a rehearsal with tiny networks, seconds each; also on a CPU, where the graph's code
#                runs uncaptured
#
# Further options: --pictures N (6000), --batch N (256), --device auto. For evidence: --jobs N (runs
# side by side; 4 on a GPU), and --data cifar10:FOLDER, --data imagenette:FOLDER (data that need no
# download). Exit code 1 if a check failed.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=
options=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set -E/{/^set -E/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --python)
        [ $# -gt 1 ] || { printf 'error: --python needs a value\n' >&2 && exit 2; }
        python=$2
        shift
        ;;
    *) options+=("$1") ;;
    esac
    shift
done
if [ -z "$python" ]; then
    python=$root/.venv/bin/python
    [ -x "$python" ] || python=python3
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
exec "$python" "$root/scripts/gpu/run.py" ${options[@]+"${options[@]}"}

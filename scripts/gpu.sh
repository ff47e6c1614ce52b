#!/usr/bin/env bash
# What only a GPU can show, in a few minutes on one, most important first; also in parts: each call goes on where the one before ended.
#
#   bash scripts/gpu.sh check|time|evidence [--minutes 9] [--out runs/gpu] [--from EARLIER] [--photos FOLDER] [--python python3] [--tiny]
#
#   check        the replayed step equals the eager one; loader and step together over the slower of the two, with and without AutoAugment,
#                beside stock FFCV, timm's loader and step, and torch.compile; fit's rate over the bare step's; kill and resume
#   time         step times of the paper's networks, as a CUDA graph and eager: the grid `paper` by `fastscale time`, those first that claims
#                need; records.jsonl in --out. Two calls of 9 minutes measure over 200 networks
#   evidence     evidence-cifar10-16px and evidence-imagenette: the rate chosen on the bases, the networks' times, then all trainings, several
#                side by side, three seeds of base, dWr and dwgr first; records in DIR/runs/records.jsonl, one a run as it ends. Predicted from
#                an H100's step times: 15 minutes of one run after another, beside start and loading: two calls of 9
#   --minutes M  end after so many, whatever is left
#   --out DIR    check.jsonl and so on: a line a part, written when it is done
#   --from DIR   lines of an earlier call, perhaps on a machine that is gone: what was fine there on such a device is not measured again
#   --photos DIR photographs, of which 448 px mosaics are made; without them the loader reads noise with a photograph's spectrum
#   --tiny       tiny networks, seconds each: a rehearsal, also on a CPU, where the graph's code runs uncaptured
#
# Further options: --pictures N (6000), --batch N (256), --device auto; of evidence --jobs N (side by side; 4 on a GPU) and
# --data cifar10:FOLDER, --data imagenette:FOLDER (where they are not to be downloaded). Exit code 1 where something that must hold did not.
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
        [ $# -gt 1 ] || { printf 'error: --python wants a value\n' >&2 && exit 2; }
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

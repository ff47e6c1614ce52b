#!/usr/bin/env bash
# The paper's tables and figures, regenerated: set-up, then `fastscale reproduce` with the same arguments.
#
#   bash scripts/reproduce_table.sh [ARTIFACT ...] [--tier smoke|quick|full]
#
# Without arguments: the quick comparison on real images. All options: .venv/bin/fastscale reproduce --help
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap - ERR # set-up and the command say themselves what went wrong

if [ ! -x "$venv/bin/fastscale" ] && [[ " $* " =~ \ (-h|--help)\  ]]; then # help needs no set-up
    sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
    exit 0
fi
bash "$root/scripts/setup.sh"
cd "$root" # runs and figures belong to this checkout, wherever the command was typed
exec "$venv/bin/fastscale" reproduce "$@"

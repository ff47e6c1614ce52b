#!/usr/bin/env bash
# Regenerates the paper's tables and figures: set-up, then `fastscale reproduce` with the arguments.
#
#   bash scripts/reproduce_table.sh [ARTIFACT ...] [--tier smoke|quick|full]
#
# Without arguments: the quick comparison on real images.
# All options: .venv/bin/fastscale reproduce --help
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap - ERR # set-up and the command report their own errors

# help needs no set-up
if [ ! -x "$venv/bin/fastscale" ] && [[ " $* " =~ \ (-h|--help)\  ]]; then
    sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
    exit 0
fi
bash "$root/scripts/setup.sh"
cd "$root" # runs and figures belong to this checkout, wherever the script is called from
exec "$venv/bin/fastscale" reproduce "$@"

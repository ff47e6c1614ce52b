#!/usr/bin/env bash
# Set-up: .venv with the pinned packages, FFCV and the `fastscale` command. Every other script calls
# it; a second call does nothing.
#
#   bash scripts/setup.sh [--with-tests] [--no-ffcv | --ffcv] [--dry-run] [--help]
#
# --with-tests  also install the tools of scripts/test.sh
# --no-ffcv     leave FFCV out and use the plain loader (remembered); --ffcv installs it again
# --dry-run     print what would be done
#
# PYTHON=...                the Python to use (3.11 to 3.14). Default: that of an active environment
#                           with a GPU build of torch, else the first one found
# FASTSCALE_TORCH_INDEX=... where pip gets torch from, for example the address of PyTorch's CPU
#                           wheel index on a machine without a GPU
# A GPU build of torch >= 2.11, < 2.14, in .venv or in the active environment, is kept.
# Exit codes: 1 a step failed, 2 it cannot work here.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/system_packages.sh
. "$root/scripts/system_packages.sh"

stamp=$venv/.fastscale-setup.json
wheels=$venv/.wheels # built here from sources
# an older pip takes twice as long to read an index; an older setuptools builds no wheel
tools="pip==26.3 $(grep '^setuptools==' "$root/requirements.txt")"
machine=$root/scripts/setup_machine.py
state=$root/scripts/setup_state.py
with_tests=
ffcv=
dry_run=
for option in "$@"; do
    case $option in
        --with-tests) with_tests=yes ;;
        --no-ffcv) ffcv=no ;;
        --ffcv) ffcv=yes ;;
        --dry-run) dry_run=yes ;;
        -h | --help)
            sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *)
            refuse "setup: unknown option '$option'; choose from" \
                "--with-tests, --no-ffcv, --ffcv, --dry-run, --help"
            ;;
    esac
done
# packages from elsewhere must not look like installed ones
unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH
# pip asks nothing, ignores a personal configuration that would install outside .venv, and builds
# source packages by way of a wheel
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 PIP_USE_PEP517=1
unset PIP_TARGET PIP_PREFIX PIP_REQUIRE_HASHES

venv_works() {
    [ -x "$venv/bin/python" ] && [ ! -e "$venv/.unfinished" ] &&
        "$venv/bin/python" -c '' 2>/dev/null
}
in_venv() { "$venv/bin/python" "$@"; }
is_current() {
    [ -x "$venv/bin/python" ] &&
        why=$(in_venv "$state" current "$stamp" "$with_tests" "$ffcv" 2>/dev/null)
}
supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

# One set-up at a time, if flock exists. A pip that outlives a killed set-up keeps the lock.
lock() {
    exec 9>>"$log"
    command -v flock >/dev/null || return 0
    flock -n 9 || { say "another set-up is running here: waiting for it" && flock 9; }
}

# Installs the distribution's Python on a machine that has none.
install_python() {
    if [ -z "$dry_run" ] && ! command -v python3 >/dev/null && [ -z "$(apt_refusal)" ]; then
        say "no Python here: installing python3 by apt"
        apt_install python3 python3-venv
        python=$(command -v python3)
    fi
    supported "$python" || refuse "setup: no Python 3.11 to 3.14 found. Install one
(apt: python3 python3-venv; dnf: python3; brew, conda: python),
or name one: PYTHON=... bash scripts/setup.sh"
}

# Sets `python` to the interpreter to use, and the variables PY_*, TORCH_* and FFCV_* about it.
choose_python() {
    local name
    python=
    if venv_works; then
        python=$venv/bin/python
        supported "$python" ||
            refuse "setup: the Python in .venv is not 3.11 to 3.14: delete .venv, run this again"
        [ -z "${PYTHON:-}" ] ||
            say "note: .venv exists and is used; to make it with PYTHON=$PYTHON, delete it first"
    elif [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || refuse "setup: PYTHON=$PYTHON is not a working Python 3.11 to 3.14"
        python=$(command -v "$PYTHON")
    else
        for name in python python3; do # the Python of an activated environment or a GPU image
            supported "$name" && eval "$("$name" "$machine" interpreter)" &&
                [ -n "$TORCH_KEPT" ] && python=$(command -v "$name") && break
        done
        for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
            [ -n "$python" ] || ! supported "$name" || python=$(command -v "$name")
        done
        [ -n "$python" ] || install_python
    fi
    eval "$("$python" "$machine" interpreter)"
    minor=${PY_VERSION%.*}
    # a new .venv sees the packages of the interpreter that makes it only if its torch is kept
    [ "$python" = "$venv/bin/python" ] || [ -n "$TORCH_KEPT" ] ||
        { TORCH_VERSION='' FFCV_VERSION=''; }
}

# Finds out what is there and what to do; changes nothing.
plan() {
    choose_python
    ffcv=$("$python" "$state" choice "$stamp" "$ffcv")
    torch_pin=$(grep '^torch==' "$root/requirements.txt")
    ffcv_pin=$(grep '^ffcv==' "$root/requirements.txt")
    if [ -n "$TORCH_KEPT" ]; then
        torch_text="torch $TORCH_VERSION ($TORCH_KIND build, from ${python%/bin/*}) is kept"
    else
        torch_text="${torch_pin/==/ }${FASTSCALE_TORCH_INDEX:+ from FASTSCALE_TORCH_INDEX}"
    fi
    build_ready=yes FFCV_WHY='' FFCV_PKG_CONFIG_PATH='' FFCV_CC='' FFCV_CXX=''
    if [ "$ffcv" = yes ] && [ "ffcv==$FFCV_VERSION" != "$ffcv_pin" ]; then
        eval "$("$python" "$machine" probe)"
        [ -z "$FFCV_WHY" ] || build_ready=
    fi
    [ "$python" != "$venv/bin/python" ] || PY_ENSUREPIP=yes # already made
    missing=
    no_apt=
    if [ -z "$build_ready" ] || [ -z "$PY_ENSUREPIP" ]; then
        why_needed=${FFCV_WHY:-"no ensurepip: Python $minor comes without its venv module"}
        no_apt=$(apt_refusal)
        # shellcheck disable=SC2046
        [ -n "$no_apt" ] || missing=$(apt_missing $(
            apt_packages "$minor" "$build_ready" "$PY_HEADERS" "$PY_ENSUREPIP"
        ))
    fi
}

say_plan() {
    say "python           $PY_VERSION ($python)"
    say "torch            $torch_text"
    say "system packages  ${missing:-${no_apt:-nothing missing}}"
    say "FFCV             $(if [ "$ffcv" = yes ]; then say "$ffcv_pin"; else say "left out"; fi)"
    say "test tools       ${with_tests:-no}"
}

# Ends the set-up with a message if packages are missing and apt cannot install them.
check_packages() {
    [ -z "$no_apt" ] || no_system_packages "$no_apt" "$why_needed" "$build_ready" "$PY_ENSUREPIP"
}

install_system_packages() {
    check_packages
    if [ -z "$missing" ]; then
        step "system packages" && done_step "nothing missing"
    else
        step "system packages, by apt: ${missing% }"
        # shellcheck disable=SC2086
        apt_install $missing
        done_step
    fi
    [ -n "$build_ready" ] && return
    eval "$("$python" "$machine" probe)"
    [ -z "$FFCV_WHY" ] ||
        refuse "setup: FFCV cannot be compiled although its packages are installed: $FFCV_WHY
What to do: fix that, or leave FFCV out: bash scripts/setup.sh --no-ffcv"
}

make_venv() {
    step "virtual environment .venv, Python $PY_VERSION"
    if [ "$python" = "$venv/bin/python" ]; then
        in_venv -c 'import pip' 2>/dev/null || run "$venv/bin/python" -m ensurepip
        done_step "there"
    else
        hint="is there room on the disk, and may this user write here?"
        hint="$hint To use another Python: PYTHON=... bash scripts/setup.sh"
        [ ! -e "$venv" ] || [ -e "$venv/pyvenv.cfg" ] || [ -e "$venv/.unfinished" ] ||
            [ -e "$venv/bin/python" ] ||
            refuse "setup: $venv exists and is no virtual environment: move it, then run this again"
        run rm -rf "$venv"
        mkdir "$venv"
        : >"$venv/.unfinished" # until it is complete: the next call removes a half-made one
        if [ -n "$TORCH_KEPT" ] && [ -n "$PY_SYSTEM_SITE" ]; then
            run "$python" -m venv --system-site-packages "$venv"
        else
            run "$python" -m venv "$venv"
        fi
        # a virtual environment made from another one does not see that one's packages without this
        [ -z "$TORCH_KEPT" ] || printf '%s\n' "$PY_PARENT_SITE" \
            >"$venv/lib/python$minor/site-packages/_parent_environment.pth"
        rm "$venv/.unfinished"
        done_step
    fi
    in_venv "$state" begin "$stamp" "$ffcv"
    # shellcheck disable=SC2086
    [ -z "$(in_venv "$state" lacking $tools)" ] || { hint="$no_download" && pip_install $tools; }
}

no_download="no network, or a full disk? Then run this again: finished downloads are kept"
# --no-compile: bytecode is made when a module is first imported, and most of torch's never is
pip_install() { run "$venv/bin/python" -m pip install --no-compile "$@"; }

# Compiles FFCV, and packs what else comes as source only, while torch is downloaded.
build_wheels() {
    # shellcheck disable=SC2046
    sources=$(in_venv "$state" lacking $(
        grep -E "^($([ "$ffcv" = no ] || printf 'ffcv|')fvcore|iopath)==" "$root/requirements.txt"
    ))
    # --no-cache-dir: in a home folder shared by machines, a cached build may need another
    # machine's libraries
    # shellcheck disable=SC2086
    [ -z "$sources" ] || beside wheels env PKG_CONFIG_PATH="$FFCV_PKG_CONFIG_PATH" \
        ${FFCV_CC:+CC="$FFCV_CC"} ${FFCV_CXX:+CXX="$FFCV_CXX"} \
        "$venv/bin/python" -m pip wheel --no-deps --no-build-isolation --no-cache-dir \
        --wheel-dir "$wheels" $sources
}

# FFCV with --no-deps: it requires opencv-python (needs libGL; the headless build works too) and
# packages that only its benchmarks import.
install_wheels() {
    if [ "$ffcv" = no ]; then
        step "FFCV"
        [ -z "$FFCV_VERSION" ] || run "$venv/bin/python" -m pip uninstall -y ffcv
    else
        step "${ffcv_pin/==/ }, compiled here"
        hint="the log says what the compiler misses. To use the plain loader instead of FFCV:"
        hint="$hint bash scripts/setup.sh --no-ffcv"
    fi
    if [ -n "$sources" ]; then
        joined wheels
        # shellcheck disable=SC2086
        pip_install --no-deps --no-index --find-links "$wheels" $sources
        rm -rf "$wheels"
    fi
    if [ "$ffcv" = no ]; then
        done_step "left out, as asked (bash scripts/setup.sh --ffcv installs it)"
    elif [[ $sources != *"$ffcv_pin"* ]]; then
        done_step "there"
    else
        done_step
    fi
}

install_torch() {
    [ "$(uname)" != Linux ] || [ -e /dev/nvidiactl ] || [ -e /dev/kfd ] ||
        [ -n "$TORCH_VERSION" ] || [ -n "${FASTSCALE_TORCH_INDEX:-}" ] ||
        say "note: no GPU found. pip may still install a CUDA build (several GB). For 0.2 GB
      instead, set FASTSCALE_TORCH_INDEX to the address of PyTorch's CPU wheel index (see
      \"Get started\" on its site)"
    step "$torch_text"
    if [ -n "$TORCH_KEPT" ]; then
        done_step "there"
    else
        hint="no network, a full disk, or no such version there"
        hint="$hint (FASTSCALE_TORCH_INDEX=${FASTSCALE_TORCH_INDEX:-not set})? Then run this again"
        pip_install "$torch_pin" ${FASTSCALE_TORCH_INDEX:+--index-url "$FASTSCALE_TORCH_INDEX"}
        done_step
    fi
}

install_packages() {
    local rest=$venv/.requirements.txt tests=
    step "python packages${with_tests:+ and test tools}"
    hint="$no_download"
    # makes its bytecode meanwhile
    "$venv/bin/python" -c "import torch" >/dev/null 2>&1 </dev/null || true &
    {
        grep -Ev '^(torch|ffcv)==' "$root/requirements.txt"
        # pip must not replace the torch that is there
        in_venv -c 'import importlib.metadata as m; print("torch==" + m.version("torch"))'
    } >"$rest"
    [ -z "$with_tests" ] || tests=$root/tests/requirements.txt
    if [ -n "$with_tests" ]; then # in a separate folder: only the tests that compare see them
        run rm -rf "$venv/parity"
        mkdir "$venv/parity"
        beside parity "$venv/bin/python" -m pip install --no-compile --no-deps \
            --target "$venv/parity" -r "$root/tests/requirements-parity.txt"
    fi
    pip_install -r "$rest" ${tests:+-r "$tests"}
    [ -z "$with_tests" ] || joined parity
    done_step
}

install_fastscale() {
    step "fastscale, and a first import of everything"
    hint="the log says what could not be imported"
    local all="cv2, numba, numpy, torch, torchmetrics, pytorch_lightning, tensorboard, fvcore.nn"
    [ "$ffcv" = no ] || all="$all, ffcv.loader, ffcv.writer"
    beside imports "$venv/bin/python" -c "import $all"
    pip_install --no-deps --no-build-isolation --editable "$root"
    joined imports
    run "$venv/bin/python" -c "import fastscale"
    in_venv "$state" stamp "$stamp" "$with_tests" "$ffcv"
    done_step
}

# commands that still run beside a step that failed
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
if [ -z "$dry_run" ]; then
    if is_current; then say "set-up: complete, nothing to do" && exit 0; fi
    lock
    if is_current; then say "set-up: complete, nothing to do" && exit 0; fi
    printf 'setup.sh %s\n%s\n' "$*" "$(date; uname -a)" >"$log"
    if venv_works && supported "$venv/bin/python"; then
        in_venv "$state" repair | tee -a "$log"
    fi
    plan
    say_plan >>"$log"
    say "set-up: ${why:-no .venv yet}. Python $PY_VERSION; the log is $log"
    step_count=6
    install_system_packages
    make_venv
    build_wheels
    install_torch
    install_wheels
    install_packages
    install_fastscale
    torch_now=$(in_venv -c 'import importlib.metadata as m; print(m.version("torch"))')
    say "set-up complete in $SECONDS s: .venv, Python $PY_VERSION, torch $torch_now"
else
    plan
    say_plan
    check_packages
fi

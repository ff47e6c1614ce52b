# The system packages that setup.sh needs (sourced by it): finds the missing ones and installs them,
# or prints one message that names them. Needed are those to compile FFCV and, at its first use, our
# part of its loader (libjpeg-dev); on Debian and Ubuntu also the `venv` module. A trial build
# decides (setup_machine.py probe), so compiler and headers may also come from conda, brew or dnf.
# shellcheck shell=bash source=scripts/lib.sh disable=SC2034,SC2154

# apt_packages MINOR BUILD HEADERS ENSUREPIP: the packages for Python MINOR (3.11). The other
# arguments are 'yes' for what is there already.
apt_packages() {
    local jpeg=libturbojpeg0-dev
    apt-cache show "$jpeg" >/dev/null 2>&1 || ! apt-cache show libturbojpeg-dev >/dev/null 2>&1 ||
        jpeg=libturbojpeg-dev
    [ "$4" = yes ] || say "python$1-venv"
    [ "$2" = yes ] ||
        say g++ pkg-config libopencv-core-dev libopencv-imgproc-dev "$jpeg" libjpeg-dev
    [ "$2" = yes ] || [ "$3" = yes ] || say "python$1-dev"
}

# Prints those of the named packages that are not installed.
apt_missing() {
    local name
    for name in "$@"; do
        dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q 'install ok installed' ||
            printf '%s ' "$name"
    done
}

# Why apt cannot be used here; '' if it can.
apt_refusal() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "there is no apt-get here"
    elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        say "this user is neither root nor has sudo without a password"
    fi
}

apt_install() {
    # dpkg fails if it does not find ldconfig, which an ordinary user's PATH may lack
    local as_root="env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    as_root="$as_root DEBIAN_FRONTEND=noninteractive"
    [ "$(id -u)" = 0 ] || as_root="sudo -n $as_root"
    hint="look at the log's last lines: no network, or a broken package source? Then call this"
    hint="$hint again. Without FFCV: bash scripts/setup.sh --no-ffcv"
    local apt="$as_root apt-get -o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086
    {
        # If an earlier set-up was killed inside dpkg, apt fails until this is run.
        run $as_root dpkg --configure -a 9>&-
        printf '\n$ %s update\n' "$apt" >>"$log"
        $apt update >>"$log" 2>&1 9>&- </dev/null ||
            say 'apt-get update failed: continuing with the old package lists' >>"$log"
        # --no-remove: a set-up never removes packages.
        # 9>&-: services that apt starts must not keep our lock.
        run $apt install -y --no-install-recommends --no-remove --fix-broken "$@" 9>&-
    }
}

# no_system_packages WHY_NOT_APT WHY_NEEDED BUILD ENSUREPIP
no_system_packages() {
    local apt='' dnf='' brew='' conda='' without=''
    [ "$4" = yes ] || { apt=' python3-venv' dnf=' python3' brew=' python' conda=' python'; }
    if [ "$3" != yes ]; then
        apt="$apt g++ pkg-config libopencv-core-dev libopencv-imgproc-dev libturbojpeg0-dev"
        apt="$apt libjpeg-dev python3-dev"
        dnf="$dnf gcc-c++ pkgconf-pkg-config opencv-devel turbojpeg-devel libjpeg-turbo-devel"
        dnf="$dnf python3-devel"
        brew="$brew pkg-config opencv jpeg-turbo"
        conda="$conda cxx-compiler pkg-config libopencv libjpeg-turbo"
        without=$'\nThey are for FFCV, which is compiled here. Without it, fastscale reads images'
        without="$without with its plain loader: bash scripts/setup.sh --no-ffcv"
    fi
    refuse "setup: system packages are missing ($2), and $1 to install them.
Do it in one of these ways, then call this again:
  apt    sudo apt-get install --no-install-recommends$apt
  dnf    sudo dnf install$dnf
  brew   brew install$brew
  conda  conda install -c conda-forge$conda$without"
}

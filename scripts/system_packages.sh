# The system packages that setup.sh needs (sourced by it): which are missing, how to get them here, or one message that names them.
# Only FFCV needs any (it is compiled here; so is our part of its loader, at its first use: libjpeg-dev), and on Debian and Ubuntu the
# `venv` module. Whether the build works is decided by trying (setup_state.py probe), so compiler and headers may as well come from
# conda, brew or dnf.
# shellcheck shell=bash source=scripts/lib.sh disable=SC2034,SC2154

# apt_packages MINOR BUILD HEADERS ENSUREPIP: names for Python MINOR (3.11); each of the others is 'yes' where that is there already.
apt_packages() {
    local turbojpeg=libturbojpeg0-dev
    apt-cache show "$turbojpeg" >/dev/null 2>&1 || ! apt-cache show libturbojpeg-dev >/dev/null 2>&1 || turbojpeg=libturbojpeg-dev
    [ "$4" = yes ] || say "python$1-venv"
    [ "$2" = yes ] || say g++ pkg-config libopencv-core-dev libopencv-imgproc-dev "$turbojpeg" libjpeg-dev
    [ "$2" = yes ] || [ "$3" = yes ] || say "python$1-dev"
}

# Of the packages named, those that dpkg has not installed.
apt_missing() {
    local name
    for name in "$@"; do
        dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q 'install ok installed' || printf '%s ' "$name"
    done
}

# Why apt cannot be used here; '' where it can.
apt_refusal() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "there is no apt-get here"
    elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        say "this user is neither root nor has sudo without a password"
    fi
}

apt_install() {
    # dpkg refuses to work where it does not find ldconfig, which an ordinary user's PATH may lack
    local as_root="env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive"
    [ "$(id -u)" = 0 ] || as_root="sudo -n $as_root"
    hint="look at the log's last lines: no network, or a broken package source? Then call this again. Without FFCV: bash scripts/setup.sh --no-ffcv"
    local apt="$as_root apt-get -o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086
    {
        # An earlier set-up, killed inside dpkg, leaves apt refusing everything until this; where nothing is half done it does nothing.
        run $as_root dpkg --configure -a 9>&-
        printf '\n$ %s update\n' "$apt" >>"$log"
        $apt update >>"$log" 2>&1 9>&- </dev/null || say 'apt-get update failed: going on with the lists that are there' >>"$log"
        # --no-remove: a set-up may add to a system, never take away. 9>&-: no service that apt starts may keep our lock
        run $apt install -y --no-install-recommends --no-remove --fix-broken "$@" 9>&-
    }
}

# no_system_packages WHY_NOT_APT WHY_NEEDED BUILD ENSUREPIP
no_system_packages() {
    local apt='' dnf='' brew='' conda='' without=''
    [ "$4" = yes ] || { apt=' python3-venv' dnf=' python3' brew=' python' conda=' python'; }
    if [ "$3" != yes ]; then
        apt="$apt g++ pkg-config libopencv-core-dev libopencv-imgproc-dev libturbojpeg0-dev libjpeg-dev python3-dev"
        dnf="$dnf gcc-c++ pkgconf-pkg-config opencv-devel turbojpeg-devel libjpeg-turbo-devel python3-devel"
        brew="$brew pkg-config opencv jpeg-turbo"
        conda="$conda cxx-compiler pkg-config libopencv libjpeg-turbo"
        without=$'\nThey are for FFCV, which is compiled here. Without it, fastscale reads images by its plain loader: bash scripts/setup.sh --no-ffcv'
    fi
    refuse "setup: system packages are missing ($2), and $1 to install them. Do it in one of these ways, then call this again:
  apt    sudo apt-get install --no-install-recommends$apt
  dnf    sudo dnf install$dnf
  brew   brew install$brew
  conda  conda install -c conda-forge$conda$without"
}

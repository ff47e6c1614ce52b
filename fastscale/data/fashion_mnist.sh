#!/bin/sh
# Fashion-MNIST where only package registries can be reached: Debian's package of it, fetched by apt and
# unpacked below the current folder, without root. Called by `fastscale data write fashion-mnist`.
#
#   sh fashion_mnist.sh    # -> ./usr/share/datasets/fashion-mnist/*.gz
set -e
package=dataset-fashion-mnist
mkdir -p state/lists/partial cache/archives/partial
fetch() { apt-get -qq -oAPT::Sandbox::User= "$@"; }
fetch download $package || { # the system's lists may be empty or old, and only root may renew them
    set -- -oDir::State="$PWD/state" -oDir::Cache="$PWD/cache" -oDir::State::status=/dev/null
    fetch "$@" update || true
    fetch "$@" download $package
}
dpkg-deb -x $package*.deb .

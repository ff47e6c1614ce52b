#!/bin/sh
# Fashion-MNIST where only package registries can be reached: apt downloads Debian's package and
# dpkg-deb unpacks it below the current folder, without root.
# Called by `fastscale data write fashion-mnist`.
#
#   sh fashion_mnist.sh    # -> ./usr/share/datasets/fashion-mnist/*.gz
set -e
package=dataset-fashion-mnist
mkdir -p state/lists/partial cache/archives/partial
fetch() { apt-get -qq -oAPT::Sandbox::User= "$@"; }
# the system's package lists may be empty or old, and only root may update them
fetch download $package || {
    set -- -oDir::State="$PWD/state" -oDir::Cache="$PWD/cache" -oDir::State::status=/dev/null
    fetch "$@" update || true
    fetch "$@" download $package
}
dpkg-deb -x $package*.deb .

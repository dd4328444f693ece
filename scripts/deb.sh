#!/bin/bash
# Builds the Debian package of this directory for the Debian that it is run on.
#
#     scripts/deb.sh build DIRECTORY   the package, into a directory
#     scripts/deb.sh test FILE         lintian, and an installation in a clean root; as root
#
# To build it takes build-essential, debhelper, libnetfilter-queue-dev, python3-dev, python3-venv
# and a package index for pip; to test it, lintian and mmdebstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
    echo "deb: $*" >&2
    exit 1
}

build() {
    mkdir -p "$1"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/pixguard"
    git ls-files -z --cached --others --exclude-standard |
        tar -c --null --ignore-failed-read -T - | tar -x -C "$work/pixguard"
    cp -r packaging/debian "$work/pixguard/debian"
    (cd "$work/pixguard" && dpkg-buildpackage --build=binary --no-sign)
    mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$1"
    ls "$1"/*.deb
}

# Commands in the clean root, each with what it has to print.
inside() {
    local root=$1 expected=$2 said
    shift 2
    said=$(chroot "$root" "$@" 2>&1) || die "$*: exit code $?: $said"
    [[ $said == *"$expected"* ]] || die "$*: no '$expected' in: $said"
    echo "deb: $*: as it should be"
}

check() {
    local deb=$1 name
    lintian --fail-on=error,warning --tag-display-limit=0 "$deb"
    echo 'deb: lintian has nothing to say'
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    name=$(basename "$deb")
    mmdebstrap --variant=minbase --include=ca-certificates,man-db,logrotate,systemd \
        --customize-hook="copy-in $deb /tmp" \
        --customize-hook="chroot \$1 env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /tmp/$name" \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
    inside "$root" "pixguard, version " pixguard --version
    inside "$root" "rules/pix" sh -c 'ls -d /usr/share/doc/pixguard/examples/* | sed s,examples,rules,'
    cp rules/pix-6.3.conf rules/box.yaml "$root/etc/pixguard/"
    inside "$root" ": good" pixguard check /etc/pixguard/pix-6.3.conf
    inside "$root" "PIXGUARD-STATE" pixguard rules \
        --config /etc/pixguard/pix-6.3.conf --box /etc/pixguard/box.yaml
    inside "$root" "no appliance is running" sh -c 'pixguard status; test $? = 2'
    for name in "$root"/usr/share/man/man1/pixguard*.1.gz; do
        inside "$root" SYNOPSIS man --warnings -l "/usr/share/man/man1/$(basename "$name")"
    done
    inside "$root" pixguard getent passwd pixguard
    inside "$root" "" systemd-analyze verify --man=no /usr/lib/systemd/system/pixguard.service \
        /usr/lib/systemd/system/pixguard-closed.service
    inside "$root" _PIXGUARD_COMPLETE bash -c '. /usr/share/bash-completion/completions/pixguard; declare -f _pixguard_completion'
    inside "$root" rotating logrotate --debug /etc/logrotate.d/pixguard
    chroot "$root" dpkg --purge pixguard
    [ ! -e "$root/usr/lib/pixguard" ] || die 'something is left below /usr/lib/pixguard'
    echo 'deb: it was installed, tried and removed'
}

case ${1:-} in
build) build "${2:-dist}" ;;
test) check "${2:?which package}" ;;
*) die "say what to do: $0 build DIRECTORY, or test FILE" ;;
esac

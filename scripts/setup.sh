#!/bin/bash
# Makes this machine (Debian 12, Ubuntu 24.04 or later) ready for pixguard.
#
#     scripts/setup.sh run               what it takes to run it: Debian packages, and .venv
#     scripts/setup.sh lint              the same, and the tools of `make lint`
#     scripts/setup.sh test              the same, and the programs that the tests use
#     scripts/setup.sh vagrant           the same, and what `make vagrant-test` uses
#     scripts/setup.sh wheels FOLDER     what it takes to run it, from wheels that are there
#     scripts/setup.sh packages NAME...  these Debian packages, and nothing else
#
# Only what is missing is installed, and when nothing is, no network is needed. No service is
# started or enabled, and no package is removed. What one test alone uses is not insisted on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUN=(iproute2 iptables libnetfilter-queue1 nftables procps)
BUILD=(gcc libc6-dev libnetfilter-queue-dev) # NetfilterQueue comes as source only
TEST=(curl libnet-ssleay-perl libsasl2-modules man-db openssl postfix swaks systemd tshark)
UNPACKED=(exim4-daemon-light sendmail-bin) # for one test; to install them is to remove postfix
OFFERED=(vagrant vagrant-libvirt) # for one test; not every Debian or Ubuntu has them
VIRTUAL=(dnsmasq-base e2fsprogs extlinux fdisk libvirt-clients libvirt-daemon-driver-qemu
    libvirt-daemon-system mmdebstrap openssh-client python3-dev python3-venv qemu-system-x86
    qemu-utils rsync syslinux-common)

POLICY=/usr/sbin/policy-rc.d
POLICY_KEPT=$POLICY.before-pixguard
POLICY_MARK='written by scripts/setup.sh of pixguard'

say() { echo "setup: $*"; }

die() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

missing() {
    local name
    for name in "$@"; do
        if [ "$(status_of "$name")" != installed ]; then
            echo "$name"
        fi
    done
}

# Maintainer scripts ask policy-rc.d whether they may start a service; 101 means no.
forbid_services() {
    if [ -e $POLICY ] && ! grep -q "$POLICY_MARK" $POLICY; then
        mv $POLICY $POLICY_KEPT
    fi
    printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" >$POLICY
    chmod 755 $POLICY
}

allow_services() {
    rm -f $POLICY
    if [ -e $POLICY_KEPT ]; then
        mv $POLICY_KEPT $POLICY
    fi
}

# What is started at boot, by systemd or an older init: policy-rc.d does not keep a package from
# adding to it. The numbers of an older init are left out (S??name); insserv may change them all.
boot_links() {
    # Not every machine has both directories.
    { find /etc/systemd/system /etc/rc[2-5S].d -type l \
        \( -path '*.wants/*' -o -name 'S[0-9][0-9]*' \) 2>/dev/null || true; } |
        sed 's,^\(/etc/rc.\.d/S\)[0-9][0-9],\1??,' | sort
}

# Takes back what was added to that. A link of an older init is not removed but becomes one that
# stops the service, as `update-rc.d disable` does it: without any, an upgrade would add it again.
remove_boot_links() {
    local added link
    while read -r added; do
        if [[ $added == *.wants/* ]]; then
            rm -v -- "$added"
            continue
        fi
        for link in $added; do
            mv -v -- "$link" "${link/\/S//K}"
        done
    done
}

status_of() {
    dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true
}

# Other packages may name one that is not there, which is why `apt-cache show` does not tell.
offered() {
    local policy
    policy=$(LC_ALL=C apt-cache policy "$1")
    [[ $policy == *'Candidate: '[^\(]* ]]
}

# What debconf would ask.
answers() {
    case $1 in
    postfix) echo 'postfix postfix/main_mailer_type select No configuration' ;;
    tshark) echo 'wireshark-common wireshark-common/install-setuid boolean false' ;;
    esac
}

# Installs packages, and enables no service of theirs; `installed` tells whether it could.
apt_install() {
    local name before systemd
    say "apt: installing $*"
    for name in "$@"; do answers "$name"; done | debconf-set-selections
    systemd=$(status_of systemd)
    before=$(boot_links)
    trap allow_services EXIT
    forbid_services
    installed=yes
    apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends --no-remove "$@" || installed=no
    # A systemd that has come with them needs the links that it brings.
    if [ "$(status_of systemd)" = "$systemd" ]; then
        comm -13 <(echo "$before") <(boot_links) | remove_boot_links
    fi
    allow_services
    trap - EXIT
}

# Unpacks those of UNPACKED that apt can fetch in .venv/unpacked, with what they need.
unpack_servers() {
    local name folder archives package
    for name in "${UNPACKED[@]}"; do
        folder=.venv/unpacked/$name
        if [ -d "$folder" ]; then
            continue
        fi
        archives=$(mktemp -d)
        mkdir -p .venv/unpacked "$archives/partial" "$archives/root"
        if [ "$(id -u)" -eq 0 ] && apt-get -qq update &&
            apt-get -qq -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root \
                -o Dir::Cache::archives="$archives" \
                install --download-only --no-install-recommends "$name" &&
            compgen -G "$archives/*.deb" >/dev/null; then
            say "unpacking $name in $folder"
            for package in "$archives"/*.deb; do
                dpkg-deb -x "$package" "$archives/root"
            done
            # A program with these bits does not find the libraries that came with it.
            chmod -R ug-s "$archives/root"
            mv "$archives/root" "$folder"
        else
            say "no $name: apt cannot fetch it, and the test that needs it will say so"
        fi
        rm -rf "$archives"
    done
}

# Installs those of the packages that are missing; of OFFERED, those that can be.
ensure_packages() {
    local name wanted=() optional=() there=()
    while read -r name; do
        if [[ " ${OFFERED[*]} " == *" $name "* ]]; then
            optional+=("$name")
        else
            wanted+=("$name")
        fi
    done < <(missing "$@")
    if [ ${#wanted[@]} -eq 0 ] && [ ${#optional[@]} -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if [ ${#wanted[@]} -gt 0 ]; then
            die "these packages are missing: ${wanted[*]}" \
                'Run this as root, or have them installed:' \
                "    apt-get install --no-install-recommends ${wanted[*]}" \
                'Once they are there, this and "pixguard replay" need no root.'
        fi
        go_without "${optional[@]}"
        return
    fi
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    say "apt: looking for" "${wanted[@]}" "${optional[@]}"
    if ! apt-get -q update && [ ${#wanted[@]} -gt 0 ]; then
        die 'apt-get update failed; see above'
    fi
    if [ ${#wanted[@]} -gt 0 ]; then
        apt_install "${wanted[@]}"
        [ $installed = yes ] ||
            die "apt-get could not install ${wanted[*]}; see above. Nothing was removed."
    fi
    for name in "${optional[@]}"; do
        if offered "$name"; then
            there+=("$name")
        else
            go_without "$name"
        fi
    done
    if [ ${#there[@]} -gt 0 ]; then
        apt_install "${there[@]}"
        [ $installed = yes ] || go_without "${there[@]}"
    fi
}

go_without() {
    say "going on without $*: a test that needs one is skipped, and says so"
}

# Whether a Python can make .venv and compile for it; says what it lacks.
lacks() {
    if ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo python3
        return
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    # Where pip is kept from asking an index, it has wheels and compiles nothing.
    [ -n "${PIP_NO_INDEX:-}" ] || "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        echo python3-dev
}

# The python3 that is found first, if it has all it needs; else the system's.
choose_python() {
    python=python3
    mapfile -t python_packages < <(lacks $python)
    if [ ${#python_packages[@]} -gt 0 ]; then
        python=/usr/bin/python3
        mapfile -t python_packages < <(lacks $python)
    fi
    if [ "${python_packages[*]}" = python3 ] && [ -x $python ]; then
        die "$python is $($python -V 2>&1); pixguard needs Python 3.11 or later" \
            'Debian 12, Ubuntu 24.04 and what came after them have it.'
    fi
}

fingerprint() {
    { .venv/bin/python -V && cat setup.cfg pyproject.toml scripts/setup.sh && pwd; } 2>&1 |
        sha256sum
}

done_before() {
    [ -e ".venv/.setup-$1" ] && [ "$(cat ".venv/.setup-$1")" = "$(fingerprint)" ]
}

# Scripts in .venv begin with the path of its Python, so one that was moved is of no use.
usable_venv() {
    .venv/bin/python -m pip --version &>/dev/null &&
        [[ "$(grep '^command = ' .venv/pyvenv.cfg)" == *" $PWD/.venv" ]]
}

# Makes .venv, and installs in it what pip calls by the argument.
install_package() {
    if ! usable_venv; then
        [ ! -L .venv ] || die '.venv is a link, and what it leads to would be emptied; remove the link'
        say "making .venv with $($python -V)"
        $python -m venv --clear "$PWD/.venv"
    fi
    say "pip: installing $1 in .venv, which may take some minutes"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$1" ||
        die 'pip could not install the package; see above'
}

set_up() {
    local packages=("${RUN[@]}") install='.[test]' stages=(run lint test) stage
    case $1 in
    run) install=. stages=(run) ;;
    lint) stages=(run lint) ;;
    test) packages+=("${TEST[@]}") ;;
    esac
    if done_before "$1"; then
        ensure_packages "${packages[@]}"
        return
    fi
    if [ "$1" = test ]; then
        packages+=("${OFFERED[@]}")
    fi
    if [ "$1" = test ] && done_before lint; then
        ensure_packages "${packages[@]}"
    else
        choose_python
        ensure_packages "${packages[@]}" "${BUILD[@]}" "${python_packages[@]}"
        install_package "$install"
    fi
    if [ "$1" = test ]; then
        unpack_servers
    fi
    for stage in "${stages[@]}"; do
        fingerprint >".venv/.setup-$stage"
    done
    say 'done: .venv/bin/pixguard is ready'
}

# Sets up from a folder of wheels.
set_up_from() {
    [ -d "$1" ] || die "say in which folder the wheels are: $0 wheels FOLDER"
    PIP_FIND_LINKS=$(realpath -- "$1")
    export PIP_NO_INDEX=1 PIP_FIND_LINKS
    choose_python
    ensure_packages "${RUN[@]}" "${python_packages[@]}"
    install_package .
    fingerprint >.venv/.setup-run
    say 'done: .venv/bin/pixguard is ready'
}

command -v dpkg-query >/dev/null || die 'this needs Debian or Ubuntu: there is no dpkg-query'
case ${1:-} in
run | lint | test)
    set_up "$1"
    ;;
vagrant)
    set_up test
    ensure_packages "${OFFERED[@]}" "${BUILD[@]}" "${VIRTUAL[@]}"
    ;;
wheels)
    set_up_from "${2:-}"
    ;;
packages)
    ensure_packages "${@:2}"
    ;;
*)
    die "say what for: $0 run, lint, test, vagrant, wheels FOLDER, or packages NAME..."
    ;;
esac

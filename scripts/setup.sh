#!/bin/bash
# Makes this machine (Debian 12, Ubuntu 24.04 or later) ready for pixguard.
#
#     scripts/setup.sh run               what it takes to run it: Debian packages, and .venv
#     scripts/setup.sh lint              the same, and the tools of `make lint`
#     scripts/setup.sh test              the same, and the programs that the tests use
#     scripts/setup.sh packages NAME...  these Debian packages, and nothing else
#
# Only what is missing is installed, and when nothing is, no network is needed. No service is
# started or enabled, and no package is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUN=(iproute2 iptables libnetfilter-queue1 procps)
BUILD=(gcc libc6-dev libnetfilter-queue-dev) # NetfilterQueue comes as source only
TEST=(postfix swaks tshark)
OFFERED=(vagrant vagrant-libvirt) # for one test; not every Debian or Ubuntu has them

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
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
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

# What systemd starts at boot: policy-rc.d does not keep a package from adding to it.
boot_links() {
    if [ -d /etc/systemd/system ]; then
        find /etc/systemd/system -type l -path '*.wants/*' | sort
    fi
}

# Other packages may name one that is not there, which is why `apt-cache show` does not tell.
offered() {
    LC_ALL=C apt-cache policy "$1" | grep -q 'Candidate: [^(]'
}

# What debconf would ask.
answers() {
    case $1 in
    postfix) echo 'postfix postfix/main_mailer_type select No configuration' ;;
    tshark) echo 'wireshark-common wireshark-common/install-setuid boolean false' ;;
    esac
}

# Installs those of the packages that are missing; of OFFERED, those that apt knows.
ensure_packages() {
    local lacking wanted=() name before had_systemd
    mapfile -t lacking < <(missing "$@")
    if [ ${#lacking[@]} -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        die "these packages are missing: ${lacking[*]}" \
            'Run this as root, or have them installed:' \
            "    apt-get install --no-install-recommends ${lacking[*]}" \
            'Once they are there, this and "pixguard replay" need no root.'
    fi
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    say "apt: looking for ${lacking[*]}"
    apt-get -q update || die 'apt-get update failed; see above'
    for name in "${lacking[@]}"; do
        if [[ " ${OFFERED[*]} " != *" $name "* ]] || offered "$name"; then
            wanted+=("$name")
            answers "$name" | debconf-set-selections
        else
            say "apt: there is no $name here; the test that needs it will say so"
        fi
    done
    if [ ${#wanted[@]} -eq 0 ]; then
        return
    fi
    say "apt: installing ${wanted[*]}"
    had_systemd=$(dpkg-query -W -f '${db:Status-Status}' systemd 2>/dev/null || true)
    before=$(boot_links)
    trap allow_services EXIT
    forbid_services
    apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends --no-remove "${wanted[@]}" ||
        die "apt-get could not install ${wanted[*]}; see above. Nothing was removed."
    if [ "$had_systemd" = installed ]; then
        comm -13 <(echo "$before") <(boot_links) | xargs -r -d '\n' rm -v --
    fi
    allow_services
    trap - EXIT
}

# Whether a Python can make .venv and compile for it; says what it lacks.
lacks() {
    if ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo python3
        return
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$1" -c 'import os, sys, sysconfig
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
    for stage in "${stages[@]}"; do
        fingerprint >".venv/.setup-$stage"
    done
    say 'done: .venv/bin/pixguard is ready'
}

command -v dpkg-query >/dev/null || die 'this needs Debian or Ubuntu: there is no dpkg-query'
case ${1:-} in
run | lint | test)
    set_up "$1"
    ;;
packages)
    ensure_packages "${@:2}"
    ;;
*)
    die "say what for: $0 run, lint, test, or packages NAME..."
    ;;
esac

"""scripts/setup.sh with an apt, a dpkg and a Python that only take notes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.namespaces import needs_namespaces

SETUP = Path(__file__).parents[2] / "scripts" / "setup.sh"

RUNS = ("iproute2", "iptables", "libnetfilter-queue1", "nftables", "procps")
BUILDS = ("gcc", "libc6-dev", "libnetfilter-queue-dev")
TESTS = (
    *("curl", "libnet-ssleay-perl", "libsasl2-modules", "man-db", "openssl", "postfix", "swaks"),
    *("systemd", "tshark"),
)

# `python -m venv DIRECTORY` makes a .venv whose Python notes what pip is told.
PYTHON = """\
#!/bin/bash
case "$*" in
-V) echo Python 3.11.2 ;;
'-m venv --clear '*)
    mkdir -p "$4/bin"
    echo "command = python3 $*" >"$4/pyvenv.cfg"
    cp "$0" "$4/bin/python"
    ;;
'-m pip '*) echo "${PIP_NO_INDEX:+$PIP_FIND_LINKS: }$*" >>"$NOTES" ;;
esac
"""


# Notes what it is told, and leaves a package where it is to put them.
APT = """\
#!/bin/bash
echo "apt-get $*" >>"$NOTES"
for option in "$@"; do
    case $option in
    Dir::Cache::archives=*) touch "${option#*=}/one.deb" ;;
    esac
done
"""


class Machine:
    """A tree with setup.sh in it, and the programs that it finds."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.programs = folder / "bin"
        self.notes = folder / "notes"
        (self.tree / "scripts").mkdir(parents=True)
        self.programs.mkdir()
        (self.tree / "scripts" / "setup.sh").write_bytes(SETUP.read_bytes())
        for name in ("setup.cfg", "pyproject.toml"):
            (self.tree / name).write_text(name)
        self.user(1000)
        self.program("python3", PYTHON)
        self.program("apt-get", '#!/bin/bash\necho "apt-get $*" >>"$NOTES"\nexit 1\n')

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def user(self, number: int) -> None:
        self.program("id", f"#!/bin/bash\necho {number}\n")

    def installed(self, *packages: str) -> None:
        self.program(
            "dpkg-query",
            "#!/bin/bash\ncase ${*: -1} in\n"
            + f"{'|'.join(packages) or 'none'}) echo -n installed ;;\n*) exit 1 ;;\nesac\n",
        )

    def offers(self, *packages: str) -> None:
        """What the archive has; each answer is longer than a pipe holds."""
        self.program(
            "apt-cache",
            "#!/bin/bash\nset -e\n"
            + f"case $2 in {'|'.join(packages) or 'none'}) new=1.0 ;; *) new='(none)' ;; esac\n"
            + 'echo "  Candidate: $new"\nfor i in {1..9999}; do echo "     500 of $i"; done\n',
        )

    def installs_from_apt(self, doing: str = "true", failing: str = "none") -> None:
        """Be root; apt-get runs commands of bash when it installs, and cannot install a package."""
        self.user(0)
        self.program("debconf-set-selections", "#!/bin/sh\ncat >/dev/null\n")
        self.program(
            "apt-get",
            '#!/bin/bash\necho "apt-get $*" >>"$NOTES"\n'
            + f'if [[ "$*" == *" install "* ]]; then\n{doing}\n'
            + f'[[ "$* " != *" {failing} "* ]] || exit 1\nfi\n',
        )

    def apt_installs(self) -> list[str]:
        """What apt-get was told to install, a string for each time."""
        lines = self.notes.read_text().splitlines()
        return [
            line.split(" --no-remove ")[1]
            for line in lines
            if " install " in line and "apt-" in line and "--download-only" not in line
        ]

    def set_up(
        self, *arguments: str, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        self.notes.write_text("")
        return subprocess.run(
            [*prefix, "bash", str(self.tree / "scripts" / "setup.sh"), *arguments],
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "NOTES": str(self.notes)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def installs(self) -> list[str]:
        """What pip was told to install."""
        lines = self.notes.read_text().splitlines()
        return [line.rsplit(" ", 1)[1] for line in lines if "pip install " in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_root_the_missing_packages_are_named_and_apt_is_left_alone(
    machine: Machine,
) -> None:
    machine.installed("iproute2", "procps", *BUILDS)
    result = machine.set_up("run")
    assert result.returncode == 1
    assert "--no-install-recommends iptables libnetfilter-queue1 nftables\n" in result.stderr
    assert "replay" in result.stderr
    assert machine.notes.read_text() == ""
    assert not (machine.tree / ".venv").exists()


def test_what_is_done_is_not_done_again(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    first = machine.set_up("run")
    assert (first.returncode, first.stderr) == (0, "")
    assert machine.installs() == ["."]
    second = machine.set_up("run")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert machine.notes.read_text() == ""


def test_what_it_takes_to_compile_is_needed_once(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.installed(*RUNS)
    assert machine.set_up("run").returncode == 0


def test_a_package_that_went_away_is_missed(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.installed("iproute2")
    assert machine.set_up("run").returncode == 1


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml", "scripts/setup.sh"])
def test_a_change_of_what_is_to_be_installed_installs_it(machine: Machine, name: str) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    with (machine.tree / name).open("a") as file:
        file.write("# changed\n")
    assert machine.set_up("run").returncode == 0
    assert machine.installs() == ["."]


def test_a_tree_that_was_moved_gets_a_new_environment(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.tree = machine.tree.rename(machine.tree.with_name("elsewhere"))
    result = machine.set_up("run")
    assert "making .venv" in result.stdout
    assert machine.installs() == ["."]


def test_an_environment_of_another_tree_is_not_emptied(machine: Machine, tmp_path: Path) -> None:
    machine.installed(*RUNS, *BUILDS)
    other = tmp_path / "other"
    other.mkdir()
    (machine.tree / ".venv").symlink_to(other)
    result = machine.set_up("run")
    assert result.returncode == 1
    assert ".venv is a link" in result.stderr
    assert list(other.iterdir()) == []
    assert machine.notes.read_text() == ""


def test_the_tests_get_their_tools_and_then_running_needs_no_more(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS, "vagrant", "vagrant-libvirt")
    assert machine.set_up("test").returncode == 0
    assert machine.installs() == [".[test]"]
    for purpose in ("test", "lint", "run"):
        assert machine.set_up(purpose).stdout == ""
        assert machine.installs() == []


def test_the_tests_find_the_tools_of_lint_there_but_want_their_programs(
    machine: Machine,
) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("lint")
    assert machine.set_up("run").stdout == ""
    result = machine.set_up("test")
    assert result.returncode == 1
    assert f"--no-install-recommends {' '.join(TESTS)}\n" in result.stderr
    machine.installed(*RUNS, *TESTS)
    assert machine.set_up("test").returncode == 0
    assert machine.installs() == []


def test_servers_that_apt_cannot_fetch_are_named_once(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS, "vagrant", "vagrant-libvirt")
    machine.user(0)
    result = machine.set_up("test")
    assert result.returncode == 0
    assert "no exim4-daemon-light: apt cannot fetch it" in result.stdout
    assert "no sendmail-bin: apt cannot fetch it" in result.stdout
    assert list((machine.tree / ".venv" / "unpacked").iterdir()) == []
    assert machine.set_up("test").stdout == ""


def test_servers_are_unpacked_and_not_installed(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS, "vagrant", "vagrant-libvirt")
    machine.user(0)
    machine.program("apt-get", APT)
    machine.program("dpkg-deb", '#!/bin/bash\ntouch "$3/program" && chmod 6755 "$3/program"\n')
    assert machine.set_up("test").returncode == 0
    unpacked = machine.tree / ".venv" / "unpacked"
    assert {path.name for path in unpacked.iterdir()} == {"exim4-daemon-light", "sendmail-bin"}
    for package in unpacked.iterdir():
        assert [path.name for path in package.iterdir()] == ["program"]
        assert (package / "program").stat().st_mode & 0o7777 == 0o755
    calls = [line for line in machine.notes.read_text().splitlines() if line.startswith("apt-get")]
    installs = [line for line in calls if " install " in line]
    assert len(installs) == 2
    assert all(" --download-only " in line for line in installs)
    machine.program("apt-get", "#!/bin/bash\nexit 1\n")
    with (machine.tree / "setup.cfg").open("a") as file:
        file.write("# changed\n")
    assert "cannot fetch" not in machine.set_up("test").stdout


def test_a_pip_that_fails_leaves_no_trace_of_success(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.program("python3", PYTHON.replace('>>"$NOTES" ;;', '>>"$NOTES"; exit 1 ;;'))
    for _ in range(2):
        result = machine.set_up("run")
        assert result.returncode == 1
        assert "pip could not install" in result.stderr
        assert machine.installs() == ["."]


def test_without_root_what_one_test_uses_is_not_demanded(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS)
    result = machine.set_up("test")
    assert (result.returncode, result.stderr) == (0, "")
    assert "going on without vagrant vagrant-libvirt" in result.stdout
    assert machine.notes.read_text().count("apt-get") == 0
    assert machine.installs() == [".[test]"]


# Only in a mount namespace of their own can tests let setup.sh write below /etc and /usr/sbin.
OWN_ROOT = """\
set -e
mount -t tmpfs none "$1"
for each in etc usr/sbin; do
    mkdir -p "$1/$each/upper" "$1/$each/work"
    mount -t overlay none "/$each" \\
        -o "lowerdir=/$each,upperdir=$1/$each/upper,workdir=$1/$each/work"
done
rm -rf /etc/systemd/system/* /etc/rc?.d/*
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/rc2.d /etc/rc6.d
ln -s /dev/null /etc/systemd/system/multi-user.target.wants/old.service
ln -s /dev/null /etc/rc2.d/S01old
if [ -n "$2" ]; then rm -r $2; fi
shift 2
"$@"
echo "links:"
find /etc/systemd/system /etc/rc?.d -type l 2>/dev/null | sort
test -e /usr/sbin/policy-rc.d && echo policy || echo no policy
"""
ENABLING = """\
/usr/sbin/policy-rc.d; echo "policy $?" >>"$NOTES"
if [ -d /etc/systemd/system ]; then
    ln -s /dev/null /etc/systemd/system/multi-user.target.wants/new.service
fi
if [ -d /etc/rc2.d ]; then
    ln -s /dev/null /etc/rc2.d/S01new
    mv /etc/rc2.d/S01old /etc/rc2.d/S02old  # as insserv does to make room
    ln -s /dev/null /etc/rc6.d/K01new
fi
"""
OLD_UNIT = "/etc/systemd/system/multi-user.target.wants/old.service"
NEW_UNIT = "/etc/systemd/system/multi-user.target.wants/new.service"


def own_root(folder: Path, without: str = "") -> tuple[str, ...]:
    folder.mkdir()
    return ("unshare", "--mount", "bash", "-c", OWN_ROOT, "own-root", str(folder), without)


def set_up_in_own_root(machine: Machine, folder: Path, without: str = "") -> list[str]:
    """Set up with the links at boot of OWN_ROOT; returns those that there are afterwards."""
    result = machine.set_up("packages", "new", prefix=own_root(folder, without))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "policy 101\n" in machine.notes.read_text()
    *links, policy = result.stdout.split("links:\n")[1].splitlines()
    assert policy == ("policy" if Path("/usr/sbin/policy-rc.d").exists() else "no policy")
    return links


@needs_namespaces
@pytest.mark.parametrize("systemd", [True, False])
def test_what_a_package_enables_is_taken_back(
    machine: Machine, tmp_path: Path, systemd: bool
) -> None:
    machine.installed(*(["systemd"] if systemd else []))
    machine.installs_from_apt(ENABLING)
    links = set_up_in_own_root(machine, tmp_path / "own")
    # As `update-rc.d new disable` leaves it, so that an upgrade does not add it again.
    assert links == ["/etc/rc2.d/K01new", "/etc/rc2.d/S02old", "/etc/rc6.d/K01new", OLD_UNIT]


@needs_namespaces
def test_a_machine_need_not_know_either_way_of_starting_services(
    machine: Machine, tmp_path: Path
) -> None:
    machine.installed()
    machine.installs_from_apt(ENABLING)
    links = set_up_in_own_root(machine, tmp_path / "a", "/etc/rc2.d /etc/rc6.d")
    assert links == [OLD_UNIT]
    assert set_up_in_own_root(machine, tmp_path / "b", "/etc/systemd/system") == [
        "/etc/rc2.d/K01new",
        "/etc/rc2.d/S02old",
        "/etc/rc6.d/K01new",
    ]


@needs_namespaces
def test_a_systemd_that_comes_along_keeps_the_links_it_brings(
    machine: Machine, tmp_path: Path
) -> None:
    machine.installed()
    text = (machine.programs / "dpkg-query").read_text().replace("none)", "systemd)")
    (machine.programs / "later").write_text(text)
    coming = f"cp {machine.programs}/later {machine.programs}/dpkg-query\n"
    machine.installs_from_apt(ENABLING + coming)
    assert NEW_UNIT in set_up_in_own_root(machine, tmp_path / "own")


@needs_namespaces
@pytest.mark.parametrize(
    ("offered", "failing", "asked", "without"),
    [
        ((), "none", [" ".join(TESTS)], ["vagrant", "vagrant-libvirt"]),
        (("vagrant",), "none", [" ".join(TESTS), "vagrant"], ["vagrant-libvirt"]),
        (
            ("vagrant", "vagrant-libvirt"),
            "vagrant",
            [" ".join(TESTS), "vagrant vagrant-libvirt"],
            ["vagrant vagrant-libvirt"],
        ),
    ],
)
def test_what_one_test_uses_is_installed_where_that_works(
    machine: Machine,
    tmp_path: Path,
    offered: tuple[str, ...],
    failing: str,
    asked: list[str],
    without: list[str],
) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.offers(*offered)
    machine.installs_from_apt(failing=failing)
    result = machine.set_up("test", prefix=own_root(tmp_path / "own"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert machine.apt_installs() == asked
    assert machine.installs() == [".[test]"]
    for packages in without:
        assert f"going on without {packages}:" in result.stdout


def test_from_wheels_nothing_is_compiled_and_no_index_is_asked(
    machine: Machine, tmp_path: Path
) -> None:
    machine.installed(*RUNS)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    result = machine.set_up("wheels", str(wheels))
    assert (result.returncode, result.stderr) == (0, "")
    [installation] = [line for line in machine.notes.read_text().splitlines() if "install" in line]
    assert installation.startswith(f"{wheels}: ")
    assert machine.installs() == ["."]
    assert machine.set_up("run").stdout == ""


@pytest.mark.parametrize("folder", [(), ("nowhere",)])
def test_wheels_have_to_be_somewhere(machine: Machine, folder: tuple[str, ...]) -> None:
    machine.installed(*RUNS)
    result = machine.set_up("wheels", *folder)
    assert result.returncode == 1
    assert "the wheels" in result.stderr


def test_what_virtual_machines_need_is_named(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS, "vagrant", "vagrant-libvirt")
    result = machine.set_up("vagrant")
    assert result.returncode == 1
    assert {"mmdebstrap", "libvirt-daemon-system"} <= set(result.stderr.split())
    assert set(result.stderr.split()).isdisjoint(("vagrant", *TESTS))


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_an_unknown_purpose_is_refused(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.installed()
    result = machine.set_up(*arguments)
    assert result.returncode == 1
    assert "run, lint, test" in result.stderr

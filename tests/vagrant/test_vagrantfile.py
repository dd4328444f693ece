"""The virtual machines' description, as far as Vagrant judges it without starting any."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

VAGRANT = Path(__file__).parents[2] / "vagrant"

needs_vagrant = pytest.mark.skipif(
    shutil.which("vagrant") is None,
    reason="vagrant is not here; `make test` installs it where the system's archive has it",
)


def validate(folder: Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vagrant", "validate"],
        cwd=folder,
        env=os.environ
        | {
            "VAGRANT_HOME": str(home / "home"),
            "VAGRANT_DOTFILE_PATH": str(home / "dot"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_vagrant
@pytest.mark.parametrize("driver", ["kvm", "qemu"])
def test_vagrant_accepts_the_machines(tmp_path: Path, driver: str) -> None:
    result = validate(VAGRANT, tmp_path, PIXGUARD_LIBVIRT_DRIVER=driver)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_vagrant
def test_vagrant_would_notice_an_option_that_it_does_not_have(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    text = (VAGRANT / "Vagrantfile").read_text()
    assert "libvirt.cpus" in text
    (copy / "Vagrantfile").write_text(text.replace("libvirt.cpus", "libvirt.cpu_count"))
    (copy / "provision.sh").touch()
    assert validate(copy, tmp_path).returncode != 0


def test_provisioning_asks_for_a_role() -> None:
    script = "sed 's,^cd .*,:,' provision.sh | bash -s nobody"
    result = subprocess.run(
        ["bash", "-c", script], cwd=VAGRANT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "router, server or client" in result.stderr


def test_provisioning_uses_files_that_are_there() -> None:
    text = (VAGRANT / "provision.sh").read_text()
    named = re.findall(r"\b(?:rules|packaging|scripts)/[\w.-]+", text)
    assert {name.split("/")[0] for name in named} == {"rules", "scripts"}
    for name in named:
        assert (VAGRANT.parent / name).is_file(), name

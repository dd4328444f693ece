#!/bin/bash
# Makes a fresh Debian, in whose root this runs, what Vagrant expects of a box: tests/vagrant/box.py.
set -euo pipefail

KEY=/root/vagrant.pub # Vagrant's public key, which it replaces at the first `vagrant up`
WHEELS=/root/wheels

# Root, and a user vagrant who is as good as root.
useradd --create-home --shell /bin/bash vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 600 -o vagrant -g vagrant $KEY /home/vagrant/.ssh/authorized_keys
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
printf 'UseDNS no\n' >/etc/ssh/sshd_config.d/vagrant.conf

# A name of its own, and a disk.
echo debian >/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >/etc/hosts
: >/etc/resolv.conf # nobody answers there; a name is not found at once
echo '/dev/vda1 / ext4 defaults 0 1' >/etc/fstab
cat >/boot/extlinux/extlinux.conf <<CONF
DEFAULT linux
LABEL linux
  LINUX /boot/$(basename /boot/vmlinuz-*)
  INITRD /boot/$(basename /boot/initrd.img-*)
  APPEND root=/dev/vda1 ro console=ttyS0 quiet
CONF

# The network that Vagrant itself uses; the files that it writes for the others sort before it.
cat >/etc/systemd/network/90-dhcp.network <<CONF
[Match]
Name=e*

[Network]
DHCP=ipv4
LinkLocalAddressing=no

[DHCPv4]
ClientIdentifier=mac
CONF
systemctl enable systemd-networkd

# What would only take time in a machine that lives for minutes.
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer dpkg-db-backup.timer
systemctl disable postfix # but for those that provisioning makes a client or a server

/opt/pixguard/scripts/setup.sh wheels $WHEELS
rm -r $WHEELS $KEY

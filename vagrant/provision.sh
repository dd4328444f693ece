#!/bin/bash
# Makes a virtual machine the router, the server or the client of the lab; may be run again.
set -euo pipefail
cd /opt/pixguard

# The Linux interface that has an address.
interface_of() {
    ip -o -4 address show | awk -v "address=$1/24" '$4 == address { print $2 }'
}

router() {
    scripts/setup.sh packages make
    make install
    systemd-sysusers
    systemctl restart systemd-modules-load systemd-sysctl
    cp rules/pix-6.3.conf /etc/pixguard/pixguard.conf
    sed -e "s/^  outside: .*/  outside: $(interface_of 203.0.113.1)/" \
        -e "s/^  inside: .*/  inside: $(interface_of 10.1.1.1)/" \
        rules/box.yaml >/etc/pixguard/box.yaml
    systemctl daemon-reload
    systemctl enable pixguard-closed pixguard
    systemctl restart pixguard-closed
    systemctl restart pixguard
}

# A route that is there again after a restart, whatever the box configures its network with.
route_at_boot() {
    cat >/etc/systemd/system/pixguard-route.service <<UNIT
[Unit]
Description=Route to the other side of the firewall
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/sbin/ip route replace $1 via $2

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable pixguard-route
    systemctl restart pixguard-route
}

# Postfix with what both ends say, and the arguments.
run_postfix() {
    scripts/setup.sh packages postfix
    if [ ! -e /etc/postfix/main.cf ]; then
        cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
    fi
    postconf -e 'inet_protocols = ipv4' 'mynetworks = 127.0.0.0/8' 'alias_maps =' \
        'maillog_file = /var/log/postfix.log' "$@"
    systemctl enable postfix
    systemctl restart postfix
}

server() {
    route_at_boot 203.0.113.0/24 10.1.1.1
    run_postfix 'myhostname = mail.example.com' 'mydestination = example.com, localhost' \
        'inet_interfaces = all' 'local_recipient_maps =' 'luser_relay = vagrant'
}

client() {
    scripts/setup.sh packages swaks telnet
    run_postfix 'myhostname = client.example.org' 'mydestination = localhost' \
        'inet_interfaces = loopback-only' 'relayhost = [203.0.113.5]'
}

case ${1:-} in
router | server | client) "$1" ;;
*)
    echo "provision: say which machine this is: router, server or client" >&2
    exit 2
    ;;
esac

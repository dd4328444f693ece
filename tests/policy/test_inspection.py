"""Which inspection map the mail of a connection goes through, before 8.3 and from it on."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.admission import Admission, Opening
from appliance.config.model import Configuration
from appliance.live.admission import LiveAdmission
from appliance.live.connmark import PERMITTED
from appliance.policy.judgement import policy_of
from appliance.smtp.release import RELEASES
from tests.policy.rules import configuration

RULES = """\
ASA Version {version}
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
{exemption}
access-list in permit tcp any host 10.1.1.5
access-group in in interface outside
class-map inspection_default
 match default-inspection-traffic
class-map submission
 match port tcp eq 587
policy-map type inspect esmtp mine
 match cmd verb VRFY
  reset
policy-map global_policy
 class inspection_default
  inspect esmtp
 class submission
  inspect esmtp mine
service-policy global_policy global
"""
EXEMPTION = {"8.2(1)": "no nat-control", "8.4(1)": "object network any"}


def live(rules: Configuration, opening: Opening) -> Admission:
    return LiveAdmission(rules, RELEASES["8.4"], adopts=False).admit(opening, PERMITTED)


def policy(rules: Configuration, opening: Opening) -> Admission:
    return policy_of(rules, RELEASES["8.4"]).admit(opening)


@pytest.mark.parametrize("judge", [live, policy])
@pytest.mark.parametrize("version", EXEMPTION)
def test_each_port_has_its_map(version, judge):
    rules = configuration(RULES.format(version=version, exemption=EXEMPTION[version]))
    client, server = IPv4Address("203.0.113.10"), IPv4Address("10.1.1.5")
    names = []
    for port in (25, 587):
        admission = judge(rules, Opening(6, client, 4000, server, port, -1, "outside", "inside"))
        assert admission.inspection
        assert admission.esmtp_map
        names.append(admission.esmtp_map.name)
    assert names == ["_default_esmtp_map", "mine"]

"""Which policy judges a configuration: that of its language."""

from __future__ import annotations

from appliance.config.language import OBJECTS
from appliance.config.model import Configuration
from appliance.policy.object_policy import ObjectPolicy
from appliance.policy.policy import Policy
from appliance.smtp.release import Release


def policy_of(configuration: Configuration, release: Release) -> Policy:
    """What judges the flows that a configuration meets.

    Args:
        configuration: what the rule file says.
        release: what the mail that it inspects is inspected as.

    Raises:
        FindingsError: a translation that cannot translate anything as written.
    """
    kind = ObjectPolicy if configuration.language >= OBJECTS else Policy
    return kind(configuration, release)

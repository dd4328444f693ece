"""`pixguard trace`: which rule decides about a packet, and why."""

"""Captures sent through the firewall."""

"""Measures what the firewall costs, beside the plain kernel and a queue that accepts everything."""

"""Pixguard: a Linux box that treats mail as a Cisco PIX or ASA in the path would."""

__version__ = "0.1.0"

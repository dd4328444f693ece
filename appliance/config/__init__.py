"""The rule file: its commands, their parsing, and the Configuration they state."""

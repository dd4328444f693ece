"""What a Configuration means for a packet."""

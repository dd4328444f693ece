"""What a release of PIX software does to mail."""

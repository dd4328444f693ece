"""`python -m appliance` is `pixguard`."""

from appliance.cli import main

main(prog_name="pixguard")

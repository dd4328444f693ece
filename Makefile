# `make run` and `make test` set up what they need on a Debian or Ubuntu machine, once; as root.
#
#     make run                     the lab: client, firewall and mail server in namespaces
#     make test ARGS='-k greeting' the tests, with arguments to pytest
#     make lint                    ruff and mypy
#     make setup                   .venv/bin/pixguard, and nothing run

.PHONY: run test lint setup

run:
	@scripts/setup.sh run
	@.venv/bin/pixguard lab

test:
	@scripts/setup.sh test
	@.venv/bin/pytest $(ARGS)

lint:
	@scripts/setup.sh lint
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

setup:
	@scripts/setup.sh run

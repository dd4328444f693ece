# `make run` and `make test` set up what they need on a Debian or Ubuntu machine, once; as root.
#
#     make run                     the lab: client, firewall and mail server in namespaces
#     make test ARGS='-k greeting' the tests, with arguments to pytest
#     make test-compiled           the tests of the engine with it compiled, and of a live worker
#     make fuzz TIME=60            strange input, for so many seconds at each door (docs/fuzzing.md)
#     make vagrant-test            the router as a virtual machine (docs/vagrant.md)
#     make differential            the kernel against the policy, 100,000 packets
#     make bench                   what it costs, beside the plain kernel (docs/performance.md)
#     make lint                    ruff and mypy
#     make setup                   .venv/bin/pixguard, and nothing run
#     make install                 the command and the service of this directory (docs/service.md)
#     make wheel                   a wheel and a source distribution, in dist
#     make deb                     a Debian package, in dist
#     make deb-test                that package judged, installed in a clean root, and removed

TIME = 60
PAIRS = 100000
SEED = 1
VERSIONS = before-8.3

.PHONY: run test test-compiled vagrant-test fuzz differential bench lint setup install wheel deb deb-test

run:
	@scripts/setup.sh run
	@.venv/bin/pixguard lab

test:
	@scripts/setup.sh test
	@.venv/bin/pytest $(ARGS)

test-compiled:
	@scripts/setup.sh test
	@scripts/compile.sh
	@cd build/compiled && PYTHONPATH=$(CURDIR)/build/compiled ../../.venv/bin/python -m pytest \
	    tests/engine tests/evasion tests/live/test_appliance.py $(ARGS)

vagrant-test:
	@scripts/setup.sh vagrant
	@.venv/bin/pytest -s -m vagrant tests/vagrant $(ARGS)

fuzz:
	@scripts/setup.sh test
	@.venv/bin/python -m tests.fuzz --time $(TIME) $(ARGS)

differential:
	@scripts/setup.sh test
	@.venv/bin/python -m tests.live.differential --pairs $(PAIRS) --seed $(SEED) \
		--versions $(VERSIONS) $(ARGS)

bench:
	@scripts/setup.sh test
	@scripts/compile.sh
	@.venv/bin/python -m bench $(ARGS)

lint:
	@scripts/setup.sh lint
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

setup:
	@scripts/setup.sh run

wheel:
	@scripts/setup.sh test
	@.venv/bin/python -m build --no-isolation --outdir dist

deb:
	@scripts/setup.sh packages build-essential debhelper git libnetfilter-queue-dev python3-dev \
	    python3-venv
	@scripts/deb.sh build dist

deb-test: deb
	@scripts/setup.sh packages lintian mmdebstrap
	@scripts/deb.sh test dist/pixguard_*.deb

# Python's compiled modules, too: the service may not write any, and without them starts slowly.
install: setup
	.venv/bin/python -m compileall -q appliance
	install -d $(DESTDIR)/usr/local/bin
	ln -sfn $(CURDIR)/.venv/bin/pixguard $(DESTDIR)/usr/local/bin/pixguard
	install -D -m 644 -t $(DESTDIR)/etc/systemd/system packaging/*.service
	install -D -m 644 packaging/pixguard.sysusers $(DESTDIR)/etc/sysusers.d/pixguard.conf
	install -D -m 644 packaging/pixguard.modules $(DESTDIR)/etc/modules-load.d/pixguard.conf
	install -D -m 644 packaging/pixguard.sysctl $(DESTDIR)/etc/sysctl.d/60-pixguard.conf
	install -D -m 644 packaging/pixguard.logrotate $(DESTDIR)/etc/logrotate.d/pixguard
	install -d -m 755 $(DESTDIR)/etc/pixguard

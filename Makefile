# What there is to do with this project, one target each. `make` alone lists them.

SHELL := /bin/bash
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
# Not in PREFIX, and not in /lib, which is a link to /usr/lib wherever /usr is merged.
UNITDIR ?= /usr/lib/systemd/system
BUILD := .build/release
BARE_LOOP := $(BUILD)/bare-loop
PORTAL := Examples/AccountPortal/.build/debug/account-portal
PIPELINED_LOOP := $(BUILD)/pipelined-loop
FUZZ_SECONDS ?= 600
export SWIFT ?= swift
# Else all tests run at once: Foundation's Process crashes beside thousands of open files
# (https://github.com/swiftlang/swift-corelibs-foundation/pull/5472), and a task that waits for a socket or a moment gets its
# turn after all other tests' tasks only. With 24 tests that were up to 87 s beside other programs, with 8 they are 2 s.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8
# Tests that compute: nearly all of them wait for nothing.
COMPUTING_TESTS := ^(DeliveryReports|InternetMessage|MailComposer|MailLint|MailTemplates|Outbox(Client|Core|Settings|Store|Tokens))Tests\.
# With Swift's own libraries inside the programs: a server needs no toolchain, only Debian's libcurl4 and libsqlite3-0.
RELEASE_BUILD := $(SWIFT) build --configuration release --static-swift-stdlib

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz contract-test examples-test apps-test mail-test dsn-test peers-test check build bench bench-quick \
	systemd-test soak install portal portal-build portal-test \
	dependencies test-dependencies check-dependencies portal-dependencies bench-dependencies systemd-test-dependencies

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: dependencies ## Send three mails through a server that refuses the first attempt, and show what happened
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	scripts/demo "$$($(SWIFT) build --show-bin-path)"

test: test-dependencies ## Run all tests
	scripts/run-tests --filter '$(COMPUTING_TESTS)' --skip SecrecyTests
	@# Beside computing tests, and beside 100,000 messages, the time limits of these would pass.
	scripts/run-tests --skip-build --skip '$(COMPUTING_TESTS)'
	scripts/run-tests --skip-build --filter SecrecyTests
	scripts/soak "$$($(SWIFT) build --show-bin-path)" --minutes 0.5

soak: build test-dependencies ## Kills, locks, full disks, clock steps, floods and readers at once, against a ledger (20 minutes)
	$(SWIFT) build --configuration release --product fake-smtp
	scripts/soak $(BUILD) --minutes 15

portal: portal-build ## Try the product by hand: a portal, outboxd, a relay and a mailbox on loopback, until Ctrl-C
	Examples/AccountPortal/scripts/portal "$$($(SWIFT) build --show-bin-path)" $(PORTAL)

portal-test: portal-build ## Walk through the portal in a browser (installs Debian's chromium; a wheel of selenium into .build)
	@scripts/install-dependencies python3 python3-pip chromium chromium-driver fonts-noto-cjk
	Examples/AccountPortal/Tests/portal-test "$$($(SWIFT) build --show-bin-path)" $(PORTAL)

# A package of its own, with a build folder of its own. The C code is optimised, else scrypt takes ten times as long.
portal-build: portal-dependencies
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	$(SWIFT) build --package-path Examples/AccountPortal -Xcc -O2

fuzz: test-dependencies ## Fuzz the conversation with a relay for FUZZ_SECONDS (600); a crash is kept in .build/fuzz
	@# SwiftPM passes two sanitizers in an order that changes from run to run, and the fuzzer sees coverage in one of them
	@# only. So the compiler gets both in one flag; --sanitize fuzzer is for the linker, which needs no main function then.
	@# A build folder of its own, because all objects differ.
	OUTBOXD_FUZZ=1 $(SWIFT) build --scratch-path .build/fuzzing --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address \
		-Xswiftc -enable-testing --product conversation-fuzz
	scripts/fuzz .build/fuzzing/debug/conversation-fuzz $(FUZZ_SECONDS)

contract-test: dependencies ## Try the contract with SQLite 3.39 and later (installs wheels of apsw and pysqlite3-binary into .build)
	@scripts/install-dependencies python3 python3-pip
	$(SWIFT) build --product outboxctl
	scripts/contract-test "$$($(SWIFT) build --show-bin-path)/outboxctl"

examples-test: dependencies ## Run the examples of docs/tokens.md (installs Go and sqlite3; a wheel of Node into .build)
	@scripts/install-dependencies python3 python3-pip sqlite3 golang-go golang-github-mattn-go-sqlite3-dev gcc libc6-dev
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	scripts/examples-test "$$($(SWIFT) build --show-bin-path)"

apps-test: dependencies ## Run applications of several frameworks beside outboxd (installs Debian's, and wheels into .build)
	@scripts/install-dependencies python3 python3-pip python3-venv util-linux \
		php-cli php-sqlite3 php-doctrine-dbal libdbd-sqlite3-perl golang-go golang-github-mattn-go-sqlite3-dev gcc libc6-dev \
		default-jdk-headless libxerial-sqlite-jdbc-java ruby-railties ruby-activerecord ruby-sqlite3 ruby-minitest
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	scripts/apps-test "$$($(SWIFT) build --show-bin-path)"

mail-test: dependencies ## Show the shipped mails as mail programs keep them, and ask SpamAssassin and rspamd (installs Chromium and both; leaves no service)
	@scripts/install-dependencies --no-start python3 python3-pip chromium chromium-driver fonts-noto-core fonts-noto-cjk \
		rspamd spamassassin
	$(SWIFT) build --product outboxctl
	scripts/mail-render-test "$$($(SWIFT) build --show-bin-path)/outboxctl"
	scripts/mail-test "$$($(SWIFT) build --show-bin-path)/outboxctl"

dsn-test: dependencies ## Let two Postfixes report about mails, on loopback (root; installs Postfix, starts no service)
	@scripts/install-dependencies --no-start python3 postfix
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	scripts/dsn-test "$$($(SWIFT) build --show-bin-path)"

peers-test: dependencies ## Let Postfix, Exim and OpenSMTPD take 1,000 mails each (root; puts copies of Debian in .build)
	@scripts/install-dependencies debootstrap iproute2 openssl python3
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	scripts/peers-test "$$($(SWIFT) build --show-bin-path)"

check: check-dependencies ## Prose, format, warnings as errors, dependency checks, the systemd unit
	scripts/check-prose
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift Examples/*/Sources Examples/*/Package.swift
	OUTBOXD_STRICT=1 $(SWIFT) build --build-tests --explicit-target-dependency-import-check error
	scripts/check-unit

build: dependencies ## Build the programs for use
	$(RELEASE_BUILD) --product outboxd
	$(RELEASE_BUILD) --product outboxctl

bench: build bench-dependencies ## Measure against the peers and the limit (a quarter of an hour), and write docs/performance.md
	benchmarks/bench.py $(BUILD) $(BARE_LOOP) $(PIPELINED_LOOP)
	benchmarks/report.py benchmarks/results.json docs

bench-quick: build bench-dependencies ## A small version of it that fails below a floor
	benchmarks/bench.py --quick --results benchmarks/.quick.json $(BUILD) $(BARE_LOOP) $(PIPELINED_LOOP)

systemd-test: build systemd-test-dependencies ## Boot the installed service under systemd (root; puts a Debian in .build)
	$(SWIFT) build --product fake-smtp
	scripts/systemd-test "$$($(SWIFT) build --show-bin-path)/fake-smtp"

install: ## Install the built programs, unit, configuration and templates (DESTDIR, PREFIX; run `make build` first)
	@test -x $(BUILD)/outboxd -a -x $(BUILD)/outboxctl || { echo "nothing built yet: run 'make build' first" >&2; exit 1; }
	@! ldd $(BUILD)/outboxd $(BUILD)/outboxctl | grep -q /libswift \
		|| { echo "these programs would need Swift on the server: run 'make build'" >&2; exit 1; }
	@# Every folder and file gets its mode here: the installing user's umask must not decide who can read them.
	umask 022; \
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/outboxd $(BUILD)/outboxctl \
	&& find config/templates -type f -printf '%P\n' | while read -r file; do \
		install -D -m 0644 "config/templates/$$file" "$(DESTDIR)$(PREFIX)/share/outboxd/templates/$$file" || exit 1; \
	done \
	&& install -d -m 0755 $(DESTDIR)$(UNITDIR) \
	&& sed 's|@PREFIX@|$(PREFIX)|g' systemd/outboxd.service.in > $(DESTDIR)$(UNITDIR)/outboxd.service \
	&& chmod 0644 $(DESTDIR)$(UNITDIR)/outboxd.service \
	&& install -D -m 0644 systemd/outboxd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/outboxd.conf
	@# An operator's configuration is never overwritten.
	@test -e $(DESTDIR)$(SYSCONFDIR)/outboxd/outboxd.yaml \
		|| { umask 022; install -D -m 0644 config/outboxd.yaml $(DESTDIR)$(SYSCONFDIR)/outboxd/outboxd.yaml; }

bench-dependencies: $(BARE_LOOP) $(PIPELINED_LOOP)
	@scripts/install-dependencies postfix python3 python3-pip valgrind binutils

$(BUILD)/%-loop: benchmarks/%-loop.c benchmarks/loop.h
	@scripts/install-dependencies gcc libcurl4-openssl-dev pkg-config
	cc -O2 -Wall -Wextra -o $@ $< $$(pkg-config --cflags --libs libcurl) -lpthread

dependencies:
	@scripts/install-dependencies libcurl4-openssl-dev libsqlite3-dev pkg-config

portal-dependencies: dependencies
	@scripts/install-dependencies python3

test-dependencies:
	@scripts/install-dependencies libcurl4-openssl-dev libsqlite3-dev pkg-config python3 python3-aiosmtpd gcc libc6-dev

systemd-test-dependencies:
	@scripts/install-dependencies debootstrap systemd systemd-container

check-dependencies:
	@scripts/install-dependencies codespell libcurl4-openssl-dev libsqlite3-dev pkg-config python3 systemd

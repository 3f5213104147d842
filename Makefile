# What there is to do with this project, one target each. `make` alone lists them.

SHELL := /bin/bash
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
BUILD := .build/release
SWIFT ?= swift

.DEFAULT_GOAL := help
.PHONY: help demo test check build install dependencies test-dependencies check-dependencies

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: dependencies ## Send three mails through a server that refuses the first attempt, and show what happened
	$(SWIFT) build --product outboxd
	$(SWIFT) build --product outboxctl
	$(SWIFT) build --product fake-smtp
	scripts/demo "$$($(SWIFT) build --show-bin-path)"

test: test-dependencies ## Run all tests
	$(SWIFT) test

check: check-dependencies ## Format, warnings as errors, dependency checks, the systemd unit
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	OUTBOXD_STRICT=1 $(SWIFT) build --build-tests --explicit-target-dependency-import-check error
	scripts/check-unit

build: dependencies ## Build the programs for use
	$(SWIFT) build --configuration release --product outboxd
	$(SWIFT) build --configuration release --product outboxctl

install: ## Install the built programs, unit, configuration and templates (DESTDIR, PREFIX; run `make build` first)
	@test -x $(BUILD)/outboxd -a -x $(BUILD)/outboxctl || { echo "nothing built yet: run 'make build' first" >&2; exit 1; }
	install -D -m 0755 $(BUILD)/outboxd $(DESTDIR)$(PREFIX)/bin/outboxd
	install -D -m 0755 $(BUILD)/outboxctl $(DESTDIR)$(PREFIX)/bin/outboxctl
	install -d $(DESTDIR)$(PREFIX)/share/outboxd
	cp -R --no-preserve=ownership config/templates $(DESTDIR)$(PREFIX)/share/outboxd/
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@PREFIX@|$(PREFIX)|g' systemd/outboxd.service.in > $(DESTDIR)$(UNITDIR)/outboxd.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/outboxd.service
	install -D -m 0644 systemd/outboxd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/outboxd.conf
	@# An operator's configuration is never overwritten.
	@test -e $(DESTDIR)$(SYSCONFDIR)/outboxd/outboxd.yaml \
		|| install -D -m 0644 config/outboxd.yaml $(DESTDIR)$(SYSCONFDIR)/outboxd/outboxd.yaml

dependencies:
	@scripts/install-dependencies libcurl4-openssl-dev libsqlite3-dev pkg-config

test-dependencies:
	@scripts/install-dependencies libcurl4-openssl-dev libsqlite3-dev pkg-config python3 python3-aiosmtpd

check-dependencies:
	@scripts/install-dependencies libcurl4-openssl-dev libsqlite3-dev pkg-config systemd

# beaconwatch: `make demo` shows it, `make test` checks everything, `make build` makes the one binary.
GO       ?= go
VERSION  ?= 0.1.0
# another user's tree as well, or the binary would be another one
COMMIT   ?= $(shell git -c safe.directory='*' rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
BINARY   := build/beaconwatch.ext
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 3s
TWIST    ?=
KERNELS  ?=
KILLS    ?= 100

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST))) FORCE

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BINARY) ## build/beaconwatch.ext: one static binary

# go build knows best what is up to date
$(BINARY): FORCE
	@mkdir -p $(@D)
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./extension || { [ -w $(@D) ] || \
		echo "$(@D)/ belongs to another user: clone for yourself, or say where to: make $(MAKECMDGOALS) BINARY=/tmp/$$(id -un)/beaconwatch.ext"; exit 1; }

demo: build ## watch this host and six senders on loopback for 40 s (TWIST=no-beacon must fail)
	$(BINARY) demo $(if $(TWIST),--twist $(TWIST))

test: check unit fuzz e2e ## format, vet, staticcheck, layering, unit tests with the race detector, fuzzing, end to end

check: ## format, vet, staticcheck, import table
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./test/layering

unit: ## unit tests under the race detector
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(GO) test -race ./internal/... ./extension/... ./packs/...

fuzz: ## every fuzz target for a few seconds (FUZZTIME)
	GO='$(GO)' test/fuzz.sh $(FUZZTIME)

e2e: build ## separation on labelled traffic, replayed traces, real processes through the real protocol
	$(GO) test -count=1 ./test/corpus/... ./test/replay/... ./test/pack/... ./test/inventory/... ./test/endurance/... ./test/e2e/... ./test/server/... ./test/kernel/...

ratios: ## what is claimed of speed, held to its yardstick in the same run
	$(GO) test -count=1 -p 1 ./test/bench/...

bench: ## benchmarks, each with its yardstick
	$(GO) test -run '^$$' -bench . -benchmem ./internal/... ./test/bench/...

test-kills: ## kill the sensor 100 times with -9 under traffic (KILLS): nothing may be left in the kernel
	BEACONWATCH_KILLS=$(KILLS) $(GO) test -count=1 -v -run TestKilledSensorLeavesNothing ./test/e2e

soak: ## everything against live churn (DURATION=1h): memory flat within 2 %, no leaked descriptor or goroutine
	$(GO) test -count=1 -v -timeout 0 -run TestSoak ./test/e2e -soak $(or $(DURATION),1h)

coverage-levels: ## the coverage test at each level: what is missed is exactly what the guide to blind spots says
	$(GO) test -count=1 -v -timeout 10m -run TestCoverageAtEveryLevel ./test/e2e -coverage_levels

test-flood: ## 100 000 connections from 10 000 processes of a hostile user while a beacon runs
	$(GO) test -count=1 -v -run TestFlood ./test/e2e -flood

corpus: ## how well scoring separates, side by side with published scorers
	$(GO) run ./test/corpus/cmd/report

grades: ## which severity labelled programs get: the confusion matrix, and what is graded against its label
	$(GO) test -count=1 -v -run TestGrades ./test/inventory

packs: ## write the packs and packs/tables.md from packs/queries/*.sql and the tables
	$(GO) run ./packs/generate

packs-check: ## fail if a generated file of the packs is not current, or breaks a rule of osquery, Fleet or Elastic
	$(GO) run ./packs/generate -check
	$(GO) test -count=1 ./packs/... ./internal/pack/...

packs-cost: ## what the scheduled queries take of a core with 1 000 connections
	$(GO) test -count=1 -v -run TestCost ./test/pack

test-kernel: build ## Debian's stock kernels in an emulated machine, five minutes (KERNELS=6.1.0 for one); installs qemu
	@command -v qemu-system-x86_64 >/dev/null || { apt-get -q update && apt-get -qy install --no-install-recommends qemu-system-x86; }
	$(GO) test -count=1 -v -timeout 20m -run TestStockKernels ./test/kernel -boot -kernels '$(KERNELS)'

packages: ## deb and rpm for amd64 and arm64, SBOMs and checksums, in build/packages
	extension/packaging/build.sh '$(VERSION)' '$(COMMIT)' build/packages

test-packages: ## install, start, upgrade and purge the packages; the unit under its own limits
	$(GO) test -count=1 ./test/packages

test-report: ## open reports in a real browser; wants Chromium, and Node.js for its driver
	cd test/report && npm install --no-package-lock --no-audit --no-fund --silent
	$(GO) test -count=1 ./test/report

pipeline: ## packs scheduled on 50 hosts, rsyslog, the same rollups on SQLite, PostgreSQL and ClickHouse; installs chdb
	cd test/pipeline && npm install --no-package-lock --no-audit --no-fund --loglevel error
	$(GO) test -count=1 ./test/schedule ./packs/fleet ./test/pipeline

bench-fleet: ## the rollups over ten million rows on three engines, an hour and 20 GB (ROWS=200000 for less)
	$(GO) test -count=1 -v -timeout 3h -run TestMillionsOfRows ./test/pipeline -rows $(or $(ROWS),10000000)

screenshots: build ## the pictures of the README, from a real run; wants root, tmux, Chromium and Node.js
	test/report/screenshots.sh

vulncheck: ## known vulnerabilities in what the binary is built from; wants the vulnerability database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## remove build/
	rm -rf build
FORCE:

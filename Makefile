# The front door: `make help` lists what there is. Meson and Ninja do the building.
SHELL := /bin/bash
BUILD := build

.DEFAULT_GOAL := all
.PHONY: all run test unit e2e asan tsan fuzz soak bench bench-agents bench-db bench-fleet install deb deb-test model examples docs format clean help packages

all: packages ## build the program: build/writ
	@scripts/build.sh $(BUILD)
	@ln -sf src/app/writ $(BUILD)/writ

run: all ## build, start Writ in front of the example service, print two requests to try
	@scripts/run.sh

test: ## everything that CI runs: unit, sanitizers, fuzz corpora, end to end (about 15 minutes)
	@scripts/packages.sh test
	@scripts/test.sh ci

unit: all ## the unit tests alone (a minute)
	@meson test -C $(BUILD) --print-errorlogs --suite unit

e2e: all ## the end-to-end tests alone, against build/writ
	@scripts/packages.sh test
	@test/e2e/run.sh

asan: ## all tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/packages.sh test
	@scripts/test.sh asan

tsan: ## the tests that have threads, with ThreadSanitizer
	@scripts/packages.sh test
	@scripts/test.sh tsan

fuzz: ## libFuzzer on every parser; SECONDS_EACH=60 sets the time
	@scripts/packages.sh test
	@scripts/fuzz.sh $${SECONDS_EACH:-60}

soak: ## the full counts: 200 kills, full scale, long fuzzing (an hour or more)
	@scripts/packages.sh test
	@scripts/test.sh soak

bench: ## side by side with nginx, HAProxy and Caddy; the table of docs/performance.md
	@scripts/packages.sh bench
	@bench/run.sh

bench-agents: ## the MCP and Docker doors beside the plain HTTP door
	@scripts/packages.sh bench
	@scripts/build.sh build-bench -Dbench=true -Dtests=false
	@python3 -B bench/agents.py --writ build-bench/src/app/writ

bench-db: ## the PostgreSQL and Redis doors beside PgBouncer and HAProxy
	@scripts/packages.sh bench
	@scripts/build.sh build-bench -Dbench=true -Dtests=false
	@python3 -B bench/databases.py --writ build-bench/src/app/writ

bench-fleet: ## how long revocations take until three nodes on this machine enforce them
	@scripts/packages.sh bench
	@scripts/build.sh build-bench -Dbench=true -Dtests=false
	@python3 -B bench/fleet.py --writ build-bench/src/app/writ

install: all ## install under DESTDIR and PREFIX (/usr/local)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

deb: ## the Debian package: build/deb/writ_VERSION_ARCH.deb
	@scripts/packages.sh deb
	@scripts/deb.sh build/deb

deb-test: deb ## install, use, upgrade and purge that package on a clean Debian (root, a few minutes)
	@scripts/packages.sh deb-test
	@test/deb.sh build/deb/writ_*.deb

model: ## search the model of the fleet's revocations to its end, and its broken variants (minutes)
	@scripts/packages.sh model
	@test/model.sh

examples: all ## check the examples of compose and Helm
	@scripts/packages.sh examples
	@test/examples.sh build/writ

docs: all ## make the generated parts of docs/ again
	@scripts/docs.sh

format: ## clang-format over all sources
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built
	@rm -rf $(BUILD) build-*

packages:
	@scripts/packages.sh build

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/' | \
	    while IFS=$$'\t' read -r name what; do printf '  make %-9s %s\n' "$$name" "$$what"; done
	@echo; echo "  First steps: README.md. How it is made: docs/tour.md. A new door: docs/adding-a-door.md."

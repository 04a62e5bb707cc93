# aws-like. Every target first brings what it needs into the checkout (tools/setup.sh): a Node >= 24 and node_modules. Nothing is global.
#
#   make run     makes ./workspace from example/ (once), starts the cloud in it and keeps running
#   make demo    plays the story without a terminal: start, drop three files, show what became of them, stop
#   make test    all tests            make check   types, format and lint
#   make bench   all benchmarks       make clean   removes what make brought, but no workspace
#   make conformance   real clients against the cloud: those that are installed     make coverage   renews docs/coverage.md
NODE := $(CURDIR)/.node/bin/node
ARGS ?=

.PHONY: run demo test check bench conformance coverage clean setup

run: setup
	@[ -e workspace ] || $(NODE) bin/aws-like init workspace
	@exec $(NODE) bin/aws-like up --dir workspace $(ARGS)

demo: setup
	@$(NODE) tools/demo.ts

test: setup
	@PATH="$(dir $(NODE)):$$PATH" $(NODE) tools/test.ts $(ARGS)

check: setup
	@PATH="$(dir $(NODE)):$$PATH" $(NODE) node_modules/typescript/bin/tsc
	@$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings

bench: setup
	@PATH="$(dir $(NODE)):$$PATH" $(NODE) bench/all.ts $(ARGS)

conformance: setup
	@$(NODE) conformance/clients/run.ts $(ARGS)

coverage: setup
	@$(NODE) tools/coverage.ts

clean:
	rm -rf node_modules .node dist

setup:
	@tools/setup.sh

# mod_jk_rs: build, run, test and install. `make help` lists the targets.
#
# Variables: CARGO, CARGO_TARGET_DIR, APXS (which httpd), PORT (make run, make cluster), MODULE (another .so for them),
# DESTDIR (packaging), SETUP (make setup).

CARGO  ?= cargo
PORT   ?=
MODULE ?=

ifeq ($(origin APXS),undefined)
APXS := $(shell command -v apxs 2>/dev/null || command -v apxs2 2>/dev/null || echo apxs)
endif

CARGO_TARGET_DIR ?= target
BUILT  := $(CARGO_TARGET_DIR)/release/libmod_jk_rs.so
SO     := $(CARGO_TARGET_DIR)/release/mod_jk_rs.so
FUZZ_SECONDS ?= 10

export APXS CARGO CARGO_TARGET_DIR

.PHONY: all build run cluster test test-parked loom valgrind soak check bench bench-parts fuzz-smoke setup install uninstall clean help

all: build

## build: compile the module to target/release/mod_jk_rs.so (the default)
# The copy is put in place by a rename: an httpd that has the old file mapped keeps it.
build:
	$(CARGO) build --release --locked
	@cp -f '$(BUILT)' '$(SO).new' && mv -f '$(SO).new' '$(SO)'
	@echo 'Built $(SO)'

## run: a private httpd and Tomcat with the module on http://127.0.0.1:8080/ (PORT=n, RUN_CHECK=1)
run:
	@scripts/setup.sh build run
	$(if $(MODULE),,@$(MAKE) --no-print-directory build)
	@PORT='$(PORT)' MODULE='$(or $(MODULE),$(SO))' scripts/run.sh

## cluster: a private httpd and two Tomcats that copy their sessions, to kill one of them (PORT=n, RUN_CHECK=1)
cluster:
	@scripts/setup.sh build cluster
	$(if $(MODULE),,@$(MAKE) --no-print-directory build)
	@PORT='$(PORT)' MODULE='$(or $(MODULE),$(SO))' scripts/cluster.sh

## test: all tests; installs what they need, skips none
test:
	@scripts/setup.sh build run test
	@$(MAKE) --no-print-directory build
	$(CARGO) build --release --locked --example ajp_backend
	$(CARGO) test --locked --test mapping_table --test uri_security --test forward_uri --test ajp_malformed -- --nocapture --test-threads=1
	$(CARGO) test --locked --no-fail-fast
	@$(MAKE) --no-print-directory loom

## test-parked: the live tests once more, with requests that give their threads back at once (15 minutes)
test-parked: build
	@failed=; for file in tests/live_*.rs; do name=$$(basename $$file .rs); \
	  case $$name in live_cluster|live_stores|live_tomcat) continue;; esac; \
	  MODJK_CONF="$$(printf 'JkAsync On\nJkAsyncDelay 0')" $(CARGO) test --locked --test $$name || failed="$$failed $$name"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

## loom: the counts of requests in work under all interleavings; a package and a build tree of their own
loom:
	RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR='$(CARGO_TARGET_DIR)/loom' $(CARGO) test --release --locked --manifest-path tests/loom/Cargo.toml

## valgrind: requests that wait without a thread, HTTP workers and tunnels, httpd under valgrind's memcheck (10 minutes)
valgrind: build
	@scripts/valgrind.sh memcheck

## soak: 200,000 requests that wait without a thread, backends of 0 to 4 ms, aborts, graceful restarts; what is left at the end (3 minutes)
soak: build
	MODJK_LONG=1 $(CARGO) test --locked --test live_async races -- --nocapture --test-threads=1

## check: formatting, lints and documentation, warnings are errors
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --no-deps --document-private-items

## bench: next to mod_jk and mod_proxy_ajp, about 15 minutes; BENCH_QUICK=1, BENCH_ROUNDS=n, BENCH_ONLY=instructions,balancing,failover,calls,cpu,http,tls,memory,waiting,tunnels
bench: build
	$(CARGO) bench --locked --bench httpd

## bench-parts: cost of the AJP codec, of URL mapping, of balancing and of counting alone
bench-parts:
	$(CARGO) bench --locked --bench ajp --bench mapping --bench balance --bench counters

## fuzz-smoke: every fuzz target for FUZZ_SECONDS (10) seconds; needs a nightly compiler and cargo-fuzz
fuzz-smoke:
	@scripts/fuzz-smoke.sh '$(FUZZ_SECONDS)'

## setup: install the packages that are missing (Debian, Ubuntu); SETUP="build run cluster test bench"
setup:
	@scripts/setup.sh $(SETUP)

## install: copy the module into httpd's module directory (as root) and print the LoadModule line
# Not `apxs -i`: it writes into the old file, which kills an httpd that runs from it. Not the compiler as root either.
install:
	@test -f '$(SO)' || { echo 'There is no $(SO) yet: run make first, as yourself.' >&2; exit 1; }
	@dir=$$($(APXS) -q LIBEXECDIR) && test -n "$$dir" || \
	  { echo 'apxs does not run: install apache2-dev (Debian) or httpd-devel (RHEL), or set APXS=/path/to/apxs.' >&2; exit 1; }; \
	to="$(DESTDIR)$$dir"; mkdir -p "$$to" && \
	cp '$(SO)' "$$to/.mod_jk_rs.so.new" && chmod 644 "$$to/.mod_jk_rs.so.new" && \
	mv -f "$$to/.mod_jk_rs.so.new" "$$to/mod_jk_rs.so" && \
	echo "Installed $$to/mod_jk_rs.so. No configuration was changed; the line that loads it, instead of mod_jk's:" && \
	echo && echo "    LoadModule jk_module $$dir/mod_jk_rs.so" && echo && \
	echo "Then: apachectl configtest && apachectl graceful"

## uninstall: remove the module from httpd's module directory
uninstall:
	@dir=$$($(APXS) -q LIBEXECDIR) && test -n "$$dir" || { echo 'apxs does not run: set APXS=/path/to/apxs.' >&2; exit 1; }; \
	rm -f "$(DESTDIR)$$dir/mod_jk_rs.so" && \
	echo "Removed $(DESTDIR)$$dir/mod_jk_rs.so. A LoadModule line that names it must go before httpd restarts."

## clean: remove everything that was built
clean:
	$(CARGO) clean

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r t d; do printf '  make %-11s %s\n' "$$t" "$$d"; done

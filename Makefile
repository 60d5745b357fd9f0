# wfml: machine learning in SQL.  "make demo" and "make test" need nothing
# else; see README.md.
#
#   make                 the library and the install script
#   make install         into the server that PG_CONFIG belongs to
#   make test            everything, in a throw-away cluster of its own
#   make demo            a tour on real data; then "make psql", "make demo-stop"
#   make installcheck    regression and isolation tests in a running server
#   make unit            the core alone, under ASan and UBSan
#   make lint fuzz coverage bench
#   make test-real       opt-in: with n8n and Airflow as they are

EXTENSION = wfml
MODULE_big = wfml
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" wfml.control)

CORE_SRCS = $(sort $(wildcard src/core/*.c))
PG_SRCS = $(sort $(wildcard src/pg/*.c))
OBJS = $(CORE_SRCS:.c=.o) $(PG_SRCS:.c=.o)

# The install script is made of the pieces beside the C and those of the
# workflow floor (workflow/<name>), in the order of src/pg/pieces; a released one
# is never changed again.
piece_files = $(patsubst src/pg/workflow/%,src/workflow/%,$(patsubst %,src/pg/%.sql,$(1)))
SQL_PIECES := $(call piece_files,$(shell sed 's/\#.*//' src/pg/pieces))
INSTALL_SQL = sql/wfml--$(EXTVERSION).sql

# The way from the version before: what older pieces changed, by hand, then the
# pieces that are new, which follow the line "# since" in src/pg/pieces.
LASTVERSION = 0.1.0
UPDATE_SQL = sql/wfml--$(LASTVERSION)--$(EXTVERSION).sql
UPDATE_PIECES := src/pg/update/$(LASTVERSION)--$(EXTVERSION).sql \
	$(call piece_files,$(shell sed '1,/^\# since /d; s/\#.*//' src/pg/pieces))

DATA = $(sort $(INSTALL_SQL) $(UPDATE_SQL) $(wildcard sql/wfml--*.sql))
PG_CPPFLAGS = -Isrc
# Deterministic arithmetic: no fused multiply-add unless a kernel says so.
PG_CFLAGS = -std=gnu11 -ffp-contract=off -Wextra -Wno-unused-parameter -Wno-declaration-after-statement -MMD -MP

# ---- tests in a server -----------------------------------------------------

# In the order of a tour; "make lint" finds a file that is not listed.
REGRESS = $(shell sed 's/\#.*//' test/regress_schedule)
REGRESS_OPTS = --load-extension=wfml
ISOLATION = $(shell sed 's/\#.*//' test/isolation/schedule)
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation
# The clusters of TAP tests refuse to run as root.
TAP_TESTS = $(if $(filter 0,$(shell id -u)),,$(shell perl -MIPC::Run -e 'print 1' 2>/dev/null))
PROVE_TESTS = test/t/*.pl

EXTRA_CLEAN = build results output_iso tmp_check log regression.diffs regression.out \
	$(wildcard src/core/*.d src/pg/*.d)

# No bitcode: nothing here gains from inlining, and its compiler flags are
# not ours (-ffp-contract).
override with_llvm := no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
srcdir = .
all install installcheck uninstall:
	@echo "the server's development files are missing: install postgresql-server-dev-NN, or set PG_CONFIG" >&2; exit 1
clean:
	rm -rf $(EXTRA_CLEAN) $(OBJS)
.PHONY: all install installcheck uninstall clean
endif

# Workers of another build than their leader's must notice (pgteam.c), and what
# another build verified does not count (shared.c).
BUILD_ID = $(shell cat $(CORE_SRCS) $(PG_SRCS) src/core/*.h src/pg/*.h | cksum | tr ' ' '-')
src/pg/pgteam.o src/pg/shared.o: $(CORE_SRCS) $(PG_SRCS)
src/pg/pgteam.o src/pg/shared.o: override CFLAGS += -DWFML_BUILD='"$(BUILD_ID)"'
src/pg/wfml.o: wfml.control
src/pg/wfml.o: override CFLAGS += -DWFML_VERSION='"$(EXTVERSION)"'

# The core is no part of the library's interface; the server's own headers mix
# signed and unsigned.
src/core/%.o: override CFLAGS += -fvisibility=hidden
src/pg/%.o: override CFLAGS += -Wno-sign-compare

all: $(INSTALL_SQL) $(UPDATE_SQL)

$(INSTALL_SQL): $(SQL_PIECES) src/pg/pieces scripts/install-script.sh
	scripts/install-script.sh 'CREATE EXTENSION wfml' $(SQL_PIECES) >$@.new && mv $@.new $@

$(UPDATE_SQL): $(UPDATE_PIECES) src/pg/pieces scripts/install-script.sh
	scripts/install-script.sh "ALTER EXTENSION wfml UPDATE TO '$(EXTVERSION)'" $(UPDATE_PIECES) >$@.new && mv $@.new $@

-include $(wildcard src/core/*.d src/pg/*.d)

# ---- core without a server -------------------------------------------------

UNIT_CC ?= gcc
UNIT_FLAGS = -std=gnu11 -g -O1 -ffp-contract=off -Wall -Wextra -Isrc -Itest/unit -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_TESTS = $(sort $(wildcard test/unit/test_*.c))
UNIT_BINS = $(UNIT_TESTS:test/unit/%.c=build/unit/%)
UNIT_OBJS = $(CORE_SRCS:src/core/%.c=build/unit/core/%.o)

build/unit/core/%.o: src/core/%.c
	@mkdir -p $(@D)
	$(UNIT_CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

build/unit/%.o: test/unit/%.c
	@mkdir -p $(@D)
	$(UNIT_CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

build/unit/libcore.a: $(UNIT_OBJS)
	rm -f $@ && ar rcs $@ $^

build/unit/test_%: build/unit/test_%.o build/unit/testhost.o build/unit/libcore.a
	$(UNIT_CC) $(UNIT_FLAGS) -o $@ $^ -lm -lpthread

unit: $(UNIT_BINS)
	@for t in $(UNIT_BINS); do $$t || fail=1; done; test -z "$$fail"

-include $(wildcard build/unit/*.d build/unit/core/*.d)

# The core alone again for libFuzzer, and for line coverage.
FUZZ_CC ?= clang
FUZZ_FLAGS = -std=gnu11 -g -O1 -ffp-contract=off -Isrc -Itest/unit -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_BINS = $(patsubst test/fuzz/%.c,build/fuzz/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_OBJS = $(CORE_SRCS:src/core/%.c=build/fuzz/core/%.o)

build/fuzz/core/%.o: src/core/%.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

build/fuzz/%.o: test/fuzz/%.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

build/fuzz/fuzz_%: build/fuzz/fuzz_%.o $(FUZZ_OBJS)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ -lm -lpthread

fuzz-build: $(FUZZ_BINS)

-include $(wildcard build/fuzz/*.d build/fuzz/core/*.d)

# How long each target runs.
FUZZ_SECONDS ?= 60
fuzz: fuzz-build
	scripts/fuzz.sh $(FUZZ_SECONDS)

coverage:
	scripts/coverage.sh

lint:
	PG_CONFIG=$(PG_CONFIG) scripts/lint.sh

# ---- the whole, from an empty machine --------------------------------------

test:
	scripts/test.sh

# On tables that n8n and Airflow made themselves; downloads them.
test-real:
	scripts/test-real.sh

demo:
	scripts/demo.sh start

psql:
	scripts/demo.sh psql

demo-stop:
	scripts/demo.sh stop

bench:
	bench/run.sh $(BENCH)

# docs/reference.md from the comments in the catalog of the demo's server.
reference:
	scripts/demo.sh psql -q -f scripts/reference.sql >docs/reference.md

# What the scripts need to know.
list-%:
	@echo $($*)

.PHONY: unit fuzz fuzz-build coverage lint test test-real demo psql demo-stop bench reference
.SECONDARY:

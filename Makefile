# wfml: see README.md.  "make demo" and "make test" do everything.

EXTENSION = wfml
MODULE_big = wfml
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" wfml.control)

CORE_SRCS = $(sort $(wildcard src/core/*.c))
PG_SRCS = $(sort $(wildcard src/pg/*.c))
OBJS = $(CORE_SRCS:.c=.o) $(PG_SRCS:.c=.o)

# The pieces of the install script, in order.
SQL_PIECES = $(addprefix src/pg/, $(shell sed '/^\#/d' src/pg/pieces))

DATA = $(wildcard sql/wfml--*.sql)
PG_CPPFLAGS = -I$(srcdir)/src
# Deterministic arithmetic: no fused multiply-add unless a kernel says so.
PG_CFLAGS = -std=gnu11 -ffp-contract=off -fvisibility=hidden -Wextra -Wno-unused-parameter -Wno-declaration-after-statement -MMD -MP

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

.PHONY: unit
.SECONDARY:

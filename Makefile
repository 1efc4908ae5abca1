# sluice: one Makefile for the extension (PGXS), the worker and the tests.
#
#   make                    the extension and the worker
#   make install            [DESTDIR=] extension, sluice-worker, systemd unit
#   make demo | demo-mysql | demo-psql | demo-stop    [DATASET=inventory|flights] [DEMO_DIR=] [DEMO_PORT=]
#   make check              every test; last line: N passed, N failed
#   make torture SECONDS=n  kill -9 and crash points for n seconds
#   make bench              [ONLY=name]
#   make fuzz SECONDS=n     the binlog's decoder, fed what no server would write
#   make sanitize | lint | clean
#
# Objects lie in $(BUILD) (default build/); nothing is written beside the sources.

BUILD     ?= build
# One name for one folder: the dependency files written under it name their targets by it.
override BUILD := $(abspath $(BUILD))
PG_CONFIG ?= pg_config
# Bitcode for the server's JIT is of no use to a supervisor and would demand clang.
override with_llvm = no
# Defined once, in the control file; the worker gets it as a macro.
SLUICE_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" extension/sluice.control)

EXTENSION  = extension/sluice
MODULES    = $(BUILD)/sluice
DATA       = $(wildcard sql/updates/sluice--*--*.sql)
DATA_built = $(BUILD)/sluice--$(SLUICE_VERSION).sql
EXTRA_CLEAN = $(BUILD)

PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

.DEFAULT_GOAL := all

# Targets that a clean machine can run: they install the packages first, so they must not
# need PGXS to be read. (PGXS also has a "check" of its own that only says no.)
FRONT := check torture bench demo demo-mysql demo-psql demo-stop
ifneq ($(filter $(FRONT),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)
export BUILD PG_CONFIG DATASET DEMO_DIR DEMO_PORT ONLY MAKE
check bench:
	@tests/harness/$@
torture:
	@SECONDS_WANTED='$(or $(SECONDS),60)' tests/harness/torture
demo:
	@tests/harness/demo start
demo-mysql:
	@DATASET=retail tests/harness/demo start
demo-psql:
	@tests/harness/demo psql
demo-stop:
	@tests/harness/demo stop
$(filter-out $(FRONT),$(MAKECMDGOALS)):
	@$(MAKE) --no-print-directory $@

else ifeq ($(PGXS),)
.PHONY: all install clean
all install:
	@echo "PostgreSQL's server headers are missing (looked for '$(PG_CONFIG) --pgxs')." >&2
	@echo "HINT: apt-get install postgresql-server-dev-15 $$(tests/harness/packages --list)" >&2
	@false
clean:
	rm -rf $(BUILD)
else

include $(PGXS)

# ---- the extension ---------------------------------------------------------
EXT_SRC    := $(wildcard extension/*.c)
EXT_OBJ    := $(EXT_SRC:%.c=$(BUILD)/%.o)
EXT_CFLAGS := -std=gnu11 -Wno-declaration-after-statement -Wextra -Wno-unused-parameter \
              -Wno-sign-compare -Werror

$(BUILD)/extension/%.o: extension/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_SL) $(EXT_CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/sluice.so: $(EXT_OBJ)
	$(CC) $(CFLAGS) $(CFLAGS_SL) -shared $^ $(LDFLAGS) $(LDFLAGS_SL) -o $@

# One file a noun, concatenated in name order; the same files install with psql.
SQL_SRC := $(sort $(wildcard sql/*.sql))
$(BUILD)/sluice--$(SLUICE_VERSION).sql: $(SQL_SRC) extension/sluice.control Makefile
	@mkdir -p $(@D)
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION sluice" to load this file. \quit'; \
	   for f in $(SQL_SRC); do echo; echo "-- ---- $$f"; cat $$f; done; } > $@

# ---- the worker ------------------------------------------------------------
WORKER_SRC  := $(sort $(shell find worker -name '*.c' 2>/dev/null))
WORKER_LIBS := -lpq -lcurl -lcjson -lcrypto -lssl -lz -lzstd -lsnappy -lsybdb -lmariadb -lyaml -lm
WORKER_DEFS := -D_GNU_SOURCE -DSLUICE_VERSION='"$(SLUICE_VERSION)"'
WORKER_CFLAGS := -std=c11 -Wall -Wextra -Werror -g -Iworker -I$(shell $(PG_CONFIG) --includedir) $(WORKER_DEFS)
HARDEN      := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SANITIZE    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSLUICE_CRASH_POINTS
UNIT_SRC    := $(sort $(wildcard tests/unit/*_test.c tests/unit/*_driver.c))
UNIT_NAMES  := $(UNIT_SRC:tests/unit/%.c=%)

# $(call variant,folder,flags): objects, a library without main.o, the program
# and the unit tests, built with one set of flags.
define variant
$(1)/worker/%.o: worker/%.c
	@mkdir -p $$(@D)
	$(CC) $(WORKER_CFLAGS) $(2) -MMD -MP -c $$< -o $$@
$(1)/tests/unit/%.o: tests/unit/%.c
	@mkdir -p $$(@D)
	$(CC) $(WORKER_CFLAGS) -Itests/unit $(2) -MMD -MP -c $$< -o $$@
$(1)/libsluice.a: $(patsubst %.c,$(1)/%.o,$(filter-out worker/main.c,$(WORKER_SRC)))
	@rm -f $$@
	ar rcs $$@ $$^
$(1)/sluice-worker: $(1)/worker/main.o $(1)/libsluice.a
	$(CC) $(WORKER_CFLAGS) $(2) $$^ $(WORKER_LIBS) -o $$@
$(1)/unit/%: $(1)/tests/unit/%.o $(1)/libsluice.a
	@mkdir -p $$(@D)
	$(CC) $(WORKER_CFLAGS) $(2) $$^ $(WORKER_LIBS) -o $$@
.PRECIOUS: $(1)/worker/%.o $(1)/tests/unit/%.o
-include $(patsubst %.c,$(1)/%.d,$(WORKER_SRC) $(UNIT_SRC))
endef
$(eval $(call variant,$(BUILD),-O2 $(HARDEN)))
$(eval $(call variant,$(BUILD)/test,-O2 $(HARDEN) -DSLUICE_CRASH_POINTS))
$(eval $(call variant,$(BUILD)/asan,$(SANITIZE)))
-include $(EXT_OBJ:.o=.d)

PROGRAM := $(if $(wildcard worker/main.c),sluice-worker)

# docs/sql-reference.md anew, from the COMMENTs of the staged extension.
docs: stage
	SLUICE_BUILD='$(BUILD)' $(or $(wildcard $(BUILD)/venv/bin/python),python3) tests/harness/sqldoc.py

.PHONY: docs worker unit sanitize simulator simulator-test debezium-sample bench-programs stage lint format
worker: $(addprefix $(BUILD)/,$(PROGRAM)) $(addprefix $(BUILD)/test/,$(PROGRAM))
unit: $(addprefix $(BUILD)/unit/,$(UNIT_NAMES))
sanitize: $(addprefix $(BUILD)/asan/,$(PROGRAM)) $(addprefix $(BUILD)/asan/unit/,$(UNIT_NAMES))

# The simulator has a Makefile of its own: it shares no line with the worker.
SIM_DIR := tests/peers/mssql
simulator:
	@mkdir -p $(BUILD)/mssql
	@$(MAKE) --no-print-directory -C $(SIM_DIR) OUT='$(abspath $(BUILD))/mssql'
	@ln -f $(BUILD)/mssql/mssql-sim $(BUILD)/mssql-sim

# Records anew what Debezium's connector says on the simulator (Maven, a JDK; minutes): not part of `make check`.
debezium-sample: simulator
	SLUICE_BUILD='$(BUILD)' $(or $(wildcard $(BUILD)/venv/bin/python),python3) tests/peers/debezium/record.py

simulator-test: simulator
	@if [ -e $(SIM_DIR)/type_test.c ]; then $(MAKE) --no-print-directory -C $(SIM_DIR) OUT='$(abspath $(BUILD))/mssql' '$(abspath $(BUILD))/mssql/type_test'; fi

# What a benchmark compares with: small programs of its own.
bench-programs: $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libsluice.a $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	$(CC) $(WORKER_CFLAGS) -O2 $(filter %.c %.a,$^) $(WORKER_LIBS) -o $@

# What a log says as no server would: clang's libFuzzer, under ASan and UBSan. Inputs that find more stay in $(BUILD)/fuzz.
FUZZ_SRC := tests/fuzz/binlog_fuzz.c $(wildcard worker/base/*.c) $(wildcard $(addprefix worker/source/mysql/,charset*.c document*.c rows.c shape*.c value*.c position.c))
.PHONY: fuzz fuzz-programs
fuzz-programs: $(BUILD)/fuzz/binlog_fuzz
$(BUILD)/fuzz/binlog_fuzz: $(FUZZ_SRC) $(wildcard worker/base/*.h worker/source/mysql/*.h)
	@mkdir -p $(@D)
	clang $(WORKER_CFLAGS) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(FUZZ_SRC) $(WORKER_LIBS) -o $@
fuzz: fuzz-programs
	@mkdir -p $(BUILD)/fuzz/found
	cd $(BUILD)/fuzz && ./binlog_fuzz -max_total_time=$(or $(SECONDS),60) -timeout=10 -rss_limit_mb=1024 found $(abspath tests/fuzz/corpus)

all: worker

# ---- install ---------------------------------------------------------------
unitdir ?= /lib/systemd/system
install: install-worker
.PHONY: install-worker
install-worker: worker
	$(MKDIR_P) '$(DESTDIR)$(bindir)' '$(DESTDIR)$(unitdir)'
	$(if $(PROGRAM),$(INSTALL_PROGRAM) $(BUILD)/sluice-worker '$(DESTDIR)$(bindir)/')
	sed 's|@bindir@|$(bindir)|g' worker/sluice-worker.service > '$(DESTDIR)$(unitdir)/sluice-worker.service'
uninstall: uninstall-worker
.PHONY: uninstall-worker
uninstall-worker:
	rm -f '$(DESTDIR)$(bindir)/sluice-worker' '$(DESTDIR)$(unitdir)/sluice-worker.service'

# What tests and demo run from: a staged install, never the machine's own.
# All is built before the inner make looks, or two makes would write the same library.
stage: all
	@$(MAKE) --no-print-directory -s install DESTDIR='$(abspath $(BUILD))/stage' BUILD='$(BUILD)'

# ---- lint ------------------------------------------------------------------
# A stamp depends on the object, so on every header the object depends on.
TIDY ?= clang-tidy
LINT := $(patsubst %.c,$(BUILD)/lint/%.ok,$(WORKER_SRC) $(EXT_SRC))
lint: $(LINT)
$(BUILD)/lint/worker/%.ok: worker/%.c $(BUILD)/worker/%.o .clang-tidy
	@mkdir -p $(@D)
	@$(TIDY) --quiet --warnings-as-errors='*' $< -- $(WORKER_CFLAGS) > $@.log 2>/dev/null || { cat $@.log; exit 1; }
	@touch $@
$(BUILD)/lint/extension/%.ok: extension/%.c $(BUILD)/extension/%.o .clang-tidy
	@mkdir -p $(@D)
	@$(TIDY) --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) -std=gnu11 > $@.log 2>/dev/null || { cat $@.log; exit 1; }
	@touch $@
format:
	clang-format -i $(EXT_SRC) $(wildcard extension/*.h) $(WORKER_SRC) $(UNIT_SRC)

endif

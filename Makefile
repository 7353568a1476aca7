# Penstock: build, test, install. `make` alone prints what there is.

PREFIX     ?= /usr/local
DESTDIR    ?=
BINDIR     ?= $(PREFIX)/bin
SYSCONFDIR ?= /etc
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share/penstock
UNITDIR    ?= $(PREFIX)/lib/systemd/system
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
CLANG      ?= clang
SEEDS      ?= 3000
FUZZ_SECONDS ?= 20
SOAK_SECONDS ?= 600

VERSION := $(shell cat .version)

# A flavour is a set of flags with a build folder of its own: release, asan, tsan, fuzz; CI adds more by name.
FLAVOUR ?= release
B := build/$(FLAVOUR)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
            -Wcast-qual -Wformat=2 -Wvla -Wundef -Wno-missing-field-initializers
ifeq ($(FLAVOUR),asan)
  FLAVOUR_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(FLAVOUR),tsan)
  FLAVOUR_FLAGS := -fsanitize=thread -fno-omit-frame-pointer
else ifeq ($(FLAVOUR),fuzz)
  CC := $(CLANG)
  FLAVOUR_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef WERROR
  WARNINGS += -Werror
endif

# Looked up once, and only by targets that compile, so that `make help` and `make deps` work on a bare machine.
LIBS     = liburing libcurl libmicrohttpd jansson
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(LIBS)))$(LIB_CFLAGS)
RING_LIBS  = $(eval RING_LIBS := $$(shell $(PKG_CONFIG) --libs liburing))$(RING_LIBS)
LIB_LIBS   = $(eval LIB_LIBS := $$(shell $(PKG_CONFIG) --libs $(LIBS)) -linih -lm)$(LIB_LIBS)
CLI_LIBS   = $(eval CLI_LIBS := $$(shell $(PKG_CONFIG) --libs ncursesw))$(CLI_LIBS)

ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -DPENSTOCK_VERSION='"$(VERSION)"' $(WARNINGS) $(CFLAGS) $(FLAVOUR_FLAGS) -pthread $(CPPFLAGS)
ALL_LDFLAGS = $(CFLAGS) $(FLAVOUR_FLAGS) -pthread $(LDFLAGS)

ifeq ($(V),1)
  Q :=
else
  Q := @
endif
say = $(if $(Q),@printf '  %-5s %s\n' '$1' '$2')

SOURCES  := $(filter-out src/cli/%,$(wildcard src/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(B)/%.o)
CLI      := $(patsubst %.c,$(B)/%.o,$(wildcard src/cli/*.c))
LOADGEN  := $(patsubst %.c,$(B)/%.o,$(wildcard bench/loadgen/*.c))
UNIT     := $(patsubst test/unit/%.c,$(B)/test/unit/%,$(wildcard test/unit/test_*.c))
SIM      := $(patsubst %.c,$(B)/%.o,$(wildcard test/sim/*.c))
KERNEL   := $(patsubst test/kernel/%.c,$(B)/test/kernel/%,$(wildcard test/kernel/*.c))
FUZZERS  := $(patsubst test/fuzz/%.c,$(B)/test/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))
HELPERS  := $(patsubst test/lib/%.c,$(B)/test/lib/%,$(wildcard test/lib/*.c))
MICRO    := $(patsubst %.c,$(B)/%.o,$(wildcard bench/micro/*.c))
PROGRAMS := $(B)/penstock $(B)/penstock-bench

.PHONY: help all demo demo-udp check check-kernel check-unit check-sim check-integration check-real check-stress asan tsan fuzz fuzz-programs bench bench-micro bench-failures deps-bench soak \
        deps lint install uninstall dist clean unit-programs kernel-programs
.DELETE_ON_ERROR:
.SECONDARY:

help:
	@echo 'make demo               real traffic through Penstock; installs missing packages and builds (about half a minute)'
	@echo 'make demo-udp           the same with UDP'
	@echo 'make check              all tests: kernel, unit, simulated, integration, real servers and clients (about nine minutes)'
	@echo 'make all                penstock and penstock-bench, in $(B)'
	@echo 'make check-kernel       what the code relies on in this kernel; run it first on a new kernel'
	@echo 'make check-unit         unit tests, one program for each module'
	@echo 'make check-sim          the workers on a simulated kernel; SEEDS=N (default $(SEEDS))'
	@echo 'make check-integration  real sockets, both engines, copy and splice; CASE=name for one case'
	@echo 'make check-real         redis, nginx, curl, wrk, gRPC, DNS, iperf3 and DTLS through Penstock'
	@echo 'make check-stress       longer runs with kills and restarts'
	@echo 'make asan | tsan | fuzz the tests with sanitizers; the parsers with libFuzzer'
	@echo 'make bench              comparison with HAProxy and nginx (twelve minutes); ROW=name for one row; see bench/README'
	@echo 'make bench-failures     failed and late requests while servers fail, with the peers (about fifteen minutes)'
	@echo 'make bench-micro        nanoseconds per operation of selectors, table, timers, mailbox'
	@echo 'make soak               $(SOAK_SECONDS) seconds of mixed traffic with kills, to detect leaks'
	@echo 'make lint               rules of src/STYLE: layers, sizes, form, names'
	@echo 'make deps | deps-bench  install required packages (apt); also the peers and tools of make bench'
	@echo 'make install | uninstall | dist | clean      PREFIX=$(PREFIX) DESTDIR= V=1 CC= CFLAGS='

all: $(PROGRAMS)

deps:
	@test/lib/deps

$(B)/penstock: $(CLI) $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS) $(CLI_LIBS)

$(B)/penstock-bench: $(LOADGEN) $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lm

$(B)/libpenstock.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/test/unit/%: $(B)/test/unit/%.o $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LIB_LIBS)

$(B)/test/unit/test_loadgen_window: $(B)/bench/loadgen/udp_window.o
$(B)/test/unit/test_cli_format: $(B)/src/cli/format.o
$(B)/test/unit/test_cli_find: $(addprefix $(B)/src/cli/,find.o remote.o client.o load.o options.o)
$(B)/test/unit/test_cli_replace: $(B)/src/cli/replace.o
$(B)/test/unit/test_cli_status_view: $(addprefix $(B)/src/cli/,status_view.o format.o member.o)
$(B)/test/unit/test_top_model: $(addprefix $(B)/src/cli/,top_model.o member.o)
$(B)/src/admin/dashboard.o: src/admin/dashboard.html

# The simulation has functions of its own in place of these: system calls, and those that count a dropped datagram, note the
# outcome of a session, or free counts (test/sim/engine_udp.c, check_udp_drop.c, check_outcome.c, check_stats.c).
SIM_WRAPS := recvmmsg sendmmsg sendmsg udp_drop backend_note_failure backend_note_success listener_free pool_free
$(B)/test/sim/sim: $(SIM) $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(SIM_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(LIB_LIBS)

$(B)/test/kernel/%: $(B)/test/kernel/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(RING_LIBS)

$(B)/bench/micro/micro: $(MICRO) $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(B)/test/lib/%: $(B)/test/lib/%.o $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(B)/test/fuzz/%: $(B)/test/fuzz/%.o $(B)/libpenstock.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIB_LIBS)

# Changed flags rebuild: the file holds the last command line.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' > $@
.PHONY: FORCE
FORCE:

unit-programs: $(UNIT)

# ---- tests ----

demo:
	@test/lib/deps build
	@$(MAKE) --no-print-directory all
	@test/lib/demo $(B)

demo-udp:
	@test/lib/deps build
	@$(MAKE) --no-print-directory all
	@test/lib/demo-udp $(B)

# What an installed compiler and libraries are needed for comes after the packages are there: in a make of its own.
check:
	@test/lib/deps check
	@$(MAKE) --no-print-directory all kernel-programs unit-programs $(B)/test/sim/sim
	@test/lib/suites 'kernel: make --no-print-directory check-kernel' 'unit: make --no-print-directory check-unit' 'sim: make --no-print-directory check-sim SEEDS=$(SEEDS)' \
	    'integration: make --no-print-directory check-integration' 'real: make --no-print-directory check-real'

unit-programs: $(UNIT)
kernel-programs: $(KERNEL)

check-kernel: $(KERNEL)
	@test/kernel/run $(KERNEL)

check-unit: $(UNIT)
	@test/lib/units $(UNIT)

check-sim: $(B)/test/sim/sim
	@$(B)/test/sim/sim --seeds $(SEEDS)

SUITE_FLAGS = --penstock $(B)/penstock --bench $(B)/penstock-bench $(if $(CASE),--case $(CASE))

check-integration: all
	@test/integration/run $(SUITE_FLAGS) $(if $(FAST),--fast)

check-real: all
	@test/real/run $(SUITE_FLAGS)

check-stress: all
	@test/stress/run --penstock $(B)/penstock --bench $(B)/penstock-bench

asan:
	@$(MAKE) --no-print-directory FLAVOUR=asan CFLAGS='-O1 -g' all unit-programs build/asan/test/sim/sim
	@test/lib/suites 'unit under ASan and UBSan: make --no-print-directory FLAVOUR=asan CFLAGS="-O1 -g" check-unit' \
	    'sim under ASan and UBSan: make --no-print-directory FLAVOUR=asan CFLAGS="-O1 -g" SEEDS=500 check-sim' \
	    'integration under ASan and UBSan: make --no-print-directory FLAVOUR=asan CFLAGS="-O1 -g" FAST=1 check-integration'

# Threads meet in the table, the rings, the log and health: those, and whole processes.
TSAN_UNITS := $(addprefix build/tsan/test/unit/test_,table apply apply_load epoch ring counters intake limit mailbox rate request selector sources survey survey_ask log health_thread health_apply change)

tsan:
	@$(MAKE) --no-print-directory FLAVOUR=tsan CFLAGS='-O1 -g' all $(TSAN_UNITS)
	@test/lib/suites 'table under TSan: test/lib/units $(TSAN_UNITS)' \
	    'integration under TSan: test/integration/run --fast --case echo --case drain --case churn --case udp-sticky --case udp-max --case udp-drain \
	    --case admin-change --case api-changes --case api-sessions --case metrics-numbers --penstock build/tsan/penstock --bench build/release/penstock-bench'

fuzz:
	@$(MAKE) --no-print-directory FLAVOUR=fuzz CFLAGS='-O1 -g' fuzz-programs
	@set -e; for fuzzer in $(patsubst test/fuzz/%.c,build/fuzz/test/fuzz/%,$(wildcard test/fuzz/fuzz_*.c)); do \
	    mkdir -p build/fuzz/corpus/$${fuzzer##*/}; echo "== $${fuzzer##*/}"; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 build/fuzz/corpus/$${fuzzer##*/}; done

fuzz-programs: $(FUZZERS)

# ROW=name narrows it to the rows and curves whose name begins so.
bench: all $(B)/bench/micro/micro
	@bench/run --programs $(B) $(if $(ROW),--row $(ROW))
	@$(if $(ROW),:,$(B)/bench/micro/micro)

bench-micro: $(B)/bench/micro/micro
	@$<

bench-failures: all
	bench/failures --programs $(B)

deps-bench:
	@test/lib/deps bench

soak: all
	@test/stress/run --seconds $(SOAK_SECONDS) --penstock $(B)/penstock --bench $(B)/penstock-bench

lint:
	@test/lint/run

# ---- packaging ----

MAN8 := $(wildcard etc/man/*.8)
MAN7 := $(wildcard etc/man/*.7)
MAN5 := $(wildcard etc/man/*.5)
MAN1 := $(wildcard etc/man/*.1)

install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SYSCONFDIR)/penstock $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
	    $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR)
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 $(MAN7) $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 $(MAN8) $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 etc/prometheus/penstock.rules.yml $(DESTDIR)$(DATADIR)/penstock.rules.yml
	$(INSTALL) -m 644 etc/openapi.yaml $(DESTDIR)$(DATADIR)/openapi.yaml
	$(INSTALL) -m 644 etc/grafana/penstock.json $(DESTDIR)$(DATADIR)/grafana.json
	sed 's|/usr/local/bin|$(BINDIR)|g' etc/penstock.service > $(DESTDIR)$(UNITDIR)/penstock.service
	chmod 644 $(DESTDIR)$(UNITDIR)/penstock.service
	test -e $(DESTDIR)$(SYSCONFDIR)/penstock/penstock.ini || $(INSTALL) -m 644 etc/penstock.ini $(DESTDIR)$(SYSCONFDIR)/penstock/penstock.ini

# The configuration stays: it is the administrator's.
uninstall:
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(PROGRAMS))) $(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(MAN1))) \
	    $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(notdir $(MAN5))) $(addprefix $(DESTDIR)$(MANDIR)/man7/,$(notdir $(MAN7))) \
	    $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(notdir $(MAN8))) $(DESTDIR)$(UNITDIR)/penstock.service \
	    $(addprefix $(DESTDIR)$(DATADIR)/,penstock.rules.yml openapi.yaml grafana.json)

dist:
	@mkdir -p build
	git archive --prefix=penstock-$(VERSION)/ -o build/penstock-$(VERSION).tar.gz HEAD
	@echo build/penstock-$(VERSION).tar.gz

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)

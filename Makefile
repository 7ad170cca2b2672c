# Builds, tests and measures jl. `make help` says what there is.
#
# One makefile for everything: sources are found by pattern, objects and programs go to build/, sanitizers and coverage
# have folders of their own below it. What a target needs from the system is installed by test/deps.sh.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif

# --- where things go -------------------------------------------------------------------------------------------------

comma := ,
B := build
ifdef SAN
B := build/san-$(subst $(comma),-,$(SAN))
endif
ifdef COV
B := build/cov
endif

LIB_SRC := $(sort $(wildcard lib/*/*.c))
CMD_SRC := $(sort $(wildcard cmd/*.c))
HELPER_SRC := $(sort $(wildcard cmd/helper/*.c))
UNIT_SRC := $(sort $(wildcard test/unit/*.c))
FUZZ_SRC := $(filter-out test/fuzz/replay.c,$(sort $(wildcard test/fuzz/*.c)))
BENCH_SRC := $(sort $(wildcard test/bench/*.c))
HEADERS := $(sort $(wildcard lib/*/*.h cmd/*.h test/unit/*.h))

MAIN_RE := ^(int )?main\(
# A file of test/unit with a main is a program; the others help all of them.
UNIT_MAIN := $(if $(UNIT_SRC),$(shell grep -lE '$(MAIN_RE)' $(UNIT_SRC)))
UNIT_HELP := $(filter-out $(UNIT_MAIN),$(UNIT_SRC))
UNIT := $(UNIT_MAIN:%.c=$(B)/%)
FUZZERS := $(FUZZ_SRC:%.c=$(B)/%)
BENCH_TOOLS := $(BENCH_SRC:%.c=$(B)/%)
CMD_MAIN := $(if $(CMD_SRC),$(shell grep -lE '$(MAIN_RE)' $(CMD_SRC)))
# Until there is a main there is no program to link.
JL := $(if $(CMD_MAIN),$(B)/jl)
# Each file of cmd/helper is a program that jl starts when it needs it: jl-NAME.
HELPERS := $(HELPER_SRC:cmd/helper/%.c=$(B)/libexec/jl/jl-%)
# The agent is a program for other hosts: linked to nothing that they would have to have. One for each architecture.
AGENT_SRC := $(sort $(wildcard cmd/agent/*.c))
ARCH := $(shell uname -m)
AGENT := $(B)/libexec/jl/jl-agent-$(ARCH)
# What jl writes of itself: below $(B)/share as below PREFIX/share.
SHARE_FILES := jl/joblib.schema.json bash-completion/completions/jl zsh/site-functions/_jl fish/vendor_completions.d/jl.fish
SHARE := $(SHARE_FILES:%=$(B)/share/%)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

# --- how things are compiled -----------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2 \
	-Wundef $(if $(DEV),-Werror)
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined))
COV_FLAGS := $(if $(COV),--coverage -O0)

PKGS := yaml-0.1 libxxhash libzstd zlib nettle jansson
PKGS_archive := libarchive
PKGS_store-http := libcurl
PKGS_store-rclone := libcurl

base_cflags = -std=c17 -D_GNU_SOURCE -DJL_VERSION='"$(VERSION)"' -Ilib $(WARN) -O2 -g -pthread \
	$(SAN_FLAGS) $(COV_FLAGS) $(PKG_CFLAGS)
all_cflags = $(base_cflags) $(CPPFLAGS) $(CFLAGS)
all_ldflags = -pthread -Wl,--as-needed $(SAN_FLAGS) $(COV_FLAGS) $(LDFLAGS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# --- targets ---------------------------------------------------------------------------------------------------------

.PHONY: all test test-servers test-engines realwork soak demo bench lint format fuzz coverage install uninstall deb clean check-layers \
	check-headers scenarios help \
	tests print-tests FORCE
all: $(B)/libjl.a $(JL) $(HELPERS) $(AGENT) $(if $(JL),$(SHARE))

# The goals that compile nothing need nothing installed.
NO_BUILD := clean help check-layers scenarios format lint uninstall deb print-tests
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
# What pkg-config says, asked once; make reads itself again when this file was made or remade.
include build/deps/flags.mk
build/deps/flags.mk: build/deps/build.ok Makefile
	$(Q)printf 'PKG_CFLAGS := %s\nPKG_LIBS := %s\n' "$$(pkg-config --cflags $(PKGS))" "$$(pkg-config --libs $(PKGS))" >$@
endif

# A purpose's packages are there; the stamp holds their names.
build/deps/%.ok: test/deps.sh
	@mkdir -p $(@D)
	@sh test/deps.sh $* >&2 && sh test/deps.sh --list $* >$@
.PRECIOUS: build/deps/%.ok

# Everything that was compiled with other flags is compiled again; the archive knows when a source went away.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(subst ','\'',$(all_cflags) $(all_ldflags))' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(subst ','\'',$(all_cflags) $(all_ldflags))' >$@
$(B)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_SRC) : $(UNIT_HELP) : $(CMD_SRC) : $(AGENT_SRC) : $(STATIC)' | cmp -s - $@ || echo '$(LIB_SRC) : $(UNIT_HELP) : $(CMD_SRC) : $(AGENT_SRC) : $(STATIC)' >$@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) -MMD -MP -c -o $@ $<
.PRECIOUS: $(B)/obj/%.o

# What it holds as it is.
$(B)/obj/lib/report/page.o: lib/report/page.css lib/report/page.js

$(B)/libjl.a: $(call obj,$(LIB_SRC)) $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# jl starts once a line of somebody's loop, and loading four small libraries costs a fifth of that: they are linked in where
# there are archives of them (STATIC=no: nowhere, as those who package libraries want it).
static_libs = $(if $(filter no,$(STATIC)),$(PKG_LIBS),$(foreach l,$(PKG_LIBS),$(or $(filter /%,$(shell $(CC) -print-file-name=$(l:-l%=lib%.a))),$(l))))
$(B)/jl: $(call obj,$(CMD_SRC)) $(B)/libjl.a $(B)/sources
	$(call say,LD,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o %.a,$^) $(static_libs)

$(HELPERS): $(B)/libexec/jl/jl-%: $(B)/obj/cmd/helper/%.o $(B)/libjl.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o %.a,$^) $(if $(PKGS_$*),$$(pkg-config --libs $(PKGS_$*))) $(PKG_LIBS)

# Sanitizers cannot be linked statically. Nobody needs the symbols elsewhere.
$(AGENT): $(call obj,$(AGENT_SRC)) $(B)/libjl.a $(B)/sources
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) $(if $(SAN),,-static -s) -Wl,--gc-sections -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)

$(B)/share/jl/joblib.schema.json: share_words = schema
$(B)/share/bash-completion/completions/jl: share_words = completion bash
$(B)/share/zsh/site-functions/_jl: share_words = completion zsh
$(B)/share/fish/vendor_completions.d/jl.fish: share_words = completion fish
$(SHARE): $(B)/jl
	@mkdir -p $(@D)
	$(Q)$(B)/jl $(share_words) >$@

$(B)/test/unit/libhelp.a: $(call obj,$(UNIT_HELP)) $(B)/sources
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(UNIT): $(B)/test/unit/%: $(B)/obj/test/unit/%.o $(B)/test/unit/libhelp.a $(B)/libjl.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o %.a,$^) -lcmocka $(PKG_LIBS)
$(call obj,$(UNIT_SRC)): | build/deps/test.ok

# A fuzz target without the fuzzer: it replays files.
$(FUZZERS): $(B)/test/fuzz/%: $(B)/obj/test/fuzz/%.o $(B)/obj/test/fuzz/replay.o $(B)/libjl.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)

$(BENCH_TOOLS): $(B)/test/bench/%: $(B)/obj/test/bench/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $^

tests: all $(UNIT) $(FUZZERS)
print-tests:
	@printf '%s\n' $(UNIT) $(FUZZERS)

# The one gate. T=NAME runs the parts whose name holds NAME (unit/buf, bats/run, check-layers), F=REGEX the bats tests
# whose title matches.
test: build/deps/test.ok
	+@B='$(B)' MAKE='$(MAKE)' SAN='$(SAN)' bash test/run.sh $(if $(T),'$(T)')

# What needs real servers beside sshd: the tests start and stop them.
test-servers: build/deps/test.ok build/deps/servers.ok
	+@SUITE=servers B='$(B)' MAKE='$(MAKE)' SAN='$(SAN)' bash test/run.sh $(if $(T),'$(T)')

# What needs an engine of containers.
test-engines: build/deps/test.ok build/deps/engines.ok
	+@SUITE=engines B='$(B)' MAKE='$(MAKE)' SAN='$(SAN)' bash test/run.sh $(if $(T),'$(T)')

# What `make test` runs in short, in full: minutes.
realwork: build/deps/test.ok
	+@REALWORK=1 BATS_LIMIT=3600 B='$(B)' MAKE='$(MAKE)' SAN='$(SAN)' bash test/run.sh bats/realwork

check-layers:
	@sh test/check-layers.sh
check-headers: $(B)/flags
	@CC='$(CC)' CFLAGS='$(subst ','\'',$(all_cflags))' sh test/check-headers.sh $(HEADERS)

demo: all build/deps/demo.ok
	@unset MAKEFLAGS MFLAGS MAKELEVEL; sh test/demo.sh $(B)/jl

bench: all $(BENCH_TOOLS) build/deps/bench.ok
	@unset MAKEFLAGS MFLAGS MAKELEVEL; B='$(B)' bash test/bench/run.sh '$(BENCH)'

lint: build/deps/lint.ok
	@CC='$(CC)' bash test/lint.sh
format: build/deps/lint.ok
	clang-format -i $(wildcard lib/*/*.[ch] cmd/*.[ch] test/*/*.[ch])

# FUZZ=NAME one target only, MINUTES=N for each (1); ENGINE=libfuzzer, afl or gcc, the first that is there when not named.
# What was worth keeping is in build/fuzz/ENGINE/NAME.
fuzz: build/deps/build.ok
	+@MAKE='$(MAKE)' bash test/fuzz.sh '$(or $(ENGINE),any)' '$(or $(MINUTES),1)' $(FUZZ)

# Everything at once on one small store, for MINUTES.
soak: all
	@unset MAKEFLAGS MFLAGS MAKELEVEL; bash test/soak/soak.sh $(B)/jl '$(or $(SEED),1)' $$(( $(or $(MINUTES),1) * 60 ))

coverage:
	+@rm -rf build/cov && $(MAKE) --no-print-directory COV=1 test T='$(T)'
	@sh test/coverage.sh build/cov

# MODE:FILE:PLACE below PREFIX, of everything that is installed.
installed := 755:$(B)/jl:bin/jl $(foreach p,$(HELPERS) $(AGENT),755:$(p):$(p:$(B)/%=%)) \
	$(foreach p,$(wildcard docs/man/*.[1-8]),644:$(p):share/man/man$(subst .,,$(suffix $(p)))/$(notdir $(p))) \
	$(foreach f,$(SHARE_FILES),644:$(B)/share/$(f):share/$(f)) \
	$(foreach f,README.md $(wildcard docs/*.md docs/formats/*),644:$(f):share/doc/jl/$(f)) \
	644:joblib.yaml.example:share/doc/jl/examples/joblib.yaml
install: all
	@set -e; for f in $(installed); do \
		mode=$${f%%:*} f=$${f#*:}; \
		install -D -m $$mode "$${f%%:*}" '$(DESTDIR)$(PREFIX)'/"$${f#*:}"; \
	done
uninstall:
	@for f in $(installed); do rm -f '$(DESTDIR)$(PREFIX)'/"$${f##*:}"; done
	@cd '$(DESTDIR)$(PREFIX)' 2>/dev/null || exit 0; \
		for d in libexec/jl share/jl share/doc/jl/docs/formats share/doc/jl/docs share/doc/jl/examples share/doc/jl; do \
			if [ -d $$d ]; then rmdir $$d; fi; \
		done

# A Debian package with the distribution's own flags and libraries, from a build folder of its own.
DEB := build/deb
DEB_FLAGS := CFLAGS CPPFLAGS LDFLAGS
deb: build/deps/build.ok build/deps/deb.ok
	@rm -rf '$(DEB)/tree'
	+@env -u DESTDIR -u SAN -u COV -u B $(foreach f,$(DEB_FLAGS),$(f)="$$(dpkg-buildflags --get $(f))") \
		$(MAKE) --no-print-directory B='$(DEB)' STATIC=no PREFIX=/usr DESTDIR='$(abspath $(DEB))/tree' install
	@sh .debian/build.sh '$(abspath $(DEB))/tree' $(VERSION) '$(abspath $(DEB)/..)'/jl_$(VERSION)_$$(dpkg --print-architecture).deb

clean:
	rm -rf build demo

# Which of the numbered faults have a test.
scenarios:
	@sh test/scenarios.sh

help:
	@echo 'make            build $(B)/jl'
	@echo 'make test       build, check and test everything; T=NAME a part of it, F=REGEX some bats tests'
	@echo 'make test-servers   the same for what needs a web server, an object store, a network to cut'
	@echo 'make test-engines   the same for what needs an engine of containers'
	@echo 'make realwork   in full what make test runs in short: the project built by itself, 2,000 steps under 20 seeds'
	@echo 'make demo       run joblib.yaml.example three times'
	@echo 'make bench      measure against other tools into build/bench.md; BENCH=noop,cold,oneof,restore,fanout,memohit,hash,dump,scale,remote,ssh,sshdata'
	@echo 'make lint       shellcheck, cppcheck, the order of layers; make format: clang-format'
	@echo 'make fuzz       FUZZ=NAME a target (all), MINUTES=N for each, ENGINE=libfuzzer, afl or gcc'
	@echo 'make coverage   which lines tests reach'
	@echo 'make soak       kills, damage and eviction at once on a small store: SEED=1 MINUTES=1'
	@echo 'make install    into $$DESTDIR$$PREFIX (PREFIX=/usr/local); make uninstall; make deb: a Debian package in build/'
	@echo 'make scenarios  which of the numbered faults have a test; make check-layers check-headers clean'
	@echo 'Variables: DEV=1 warnings are errors, SAN=address,undefined or SAN=thread, V=1 full lines, CC, CFLAGS, LDFLAGS'

-include $(patsubst %.o,%.d,$(call obj,$(LIB_SRC) $(CMD_SRC) $(HELPER_SRC) $(AGENT_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) test/fuzz/replay.c))

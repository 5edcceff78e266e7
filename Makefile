# platrun: see README.md.  The everyday verbs: make, make check, make fmt, make test T=name.
#
#   make              build/platrun  (SAN=1: with ASan, UBSan, LSan in build/san; DEBUG=1: -O0)
#   make demo         build, then scale the sandbox
#   make check        every test, as CI             make check-fast   without services, < 1 minute
#   make test T=name  the tests whose path contains name
#   make deps         install the missing Debian packages (make deps-check: those of make check too)
#   make fmt lint install bench mutation torture clean

ifdef SAN
B := build/san
else ifdef DEBUG
B := build/debug
else ifdef FUZZ
B := build/fuzz
CC := clang
else
B := build
endif

PREFIX ?= /usr/local
COMMIT := $(shell git describe --always --dirty --exclude='*' 2>/dev/null)
VERSION := 0.1.0$(if $(COMMIT),+$(COMMIT))

CC ?= cc
LUA ?= lua5.4
PKGS := lua5.4 libuv libcurl libssh2 yaml-0.1 jansson libmicrohttpd openssl libcrypto

# Asked on first use, so that `make deps` and `make demo` work before anything is installed.
pkgs_missing = $(error libraries are missing: run "make deps")
ask_pkgs = $(or $(shell pkg-config $1 $(PKGS)),$(pkgs_missing))
pkg_cflags = $(eval pkg_cflags := $(call ask_pkgs,--cflags))$(pkg_cflags)
pkg_libs = $(eval pkg_libs := $(call ask_pkgs,--libs))$(pkg_libs)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings
ifdef WERROR
WARN += -Werror
endif
OPT := -O2 -g
LINK := -Wl,--as-needed
# The dynamic linker looks for each symbol in this order: what defines most of them comes first.
FIRST := -lcrypto -lc -lmicrohttpd
ifdef SAN
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LINK += -fsanitize=address,undefined
else ifdef DEBUG
OPT := -O0 -g3
else ifdef FUZZ
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
else
OPT += -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif
CFLAGS ?=
LDFLAGS ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Iruntime $(OPT) $(WARN) $(pkg_cflags) $(CFLAGS)

SRC := $(sort $(wildcard runtime/*.c runtime/*/*.c))
OBJ := $(SRC:runtime/%.c=$B/obj/%.o)
CORE_OBJ := $(filter $B/obj/base/%.o $B/obj/io/%.o,$(OBJ)) # what C tests link: no Lua
EMBEDDED := $(shell find stdlib -name '*.lua' 2>/dev/null | LC_ALL=C sort) \
	$(sort $(wildcard runtime/prim/*.c))

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all deps deps-check demo check check-fast test fmt fmt-check lint install clean bench \
	mutation torture FORCE

all: $B/platrun

$B/platrun: $(OBJ) $B/obj/gen/embed.o
	@echo "  LINK  $@"
	@$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(FIRST) $(pkg_libs) -lpthread

$B/obj/%.o: runtime/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$B/obj/gen/embed.o: $B/gen/embed.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$B/gen/embed.c: runtime/gen/embed.lua $(EMBEDDED) $B/gen/embed.list
	@echo "  GEN   $@"
	@$(LUA) runtime/gen/embed.lua $@ $(EMBEDDED)

# Changes when a file is added or removed, so that a deleted module leaves the binary.
$B/gen/embed.list: FORCE
	@mkdir -p $(@D)
	@echo '$(EMBEDDED)' | cmp -s - $@ || echo '$(EMBEDDED)' >$@

# `platrun version`: rebuilt when the commit changes, nothing else is.
$B/gen/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

$B/obj/prim/sys.o: ALL_CFLAGS += -DPLATRUN_VERSION='"$(VERSION)"'
$B/obj/prim/sys.o: $B/gen/version

# ---- C tests: tests/c/test_x.c -> build/test/test_x, linked with base/ and io/ ----
CTESTS := $(patsubst tests/c/%.c,$B/test/%,$(sort $(wildcard tests/c/test_*.c)))
CTEST_LIBS = $(shell pkg-config --libs cmocka) $(pkg_libs) -lpthread
.PHONY: ctests
ctests: $(CTESTS)

$B/test/%: tests/c/%.c $(CORE_OBJ)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(LINK) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(CORE_OBJ) $(CTEST_LIBS)

# ---- fuzz targets: make FUZZ=1 fuzzers ----
FUZZERS := $(patsubst tests/fuzz/%.c,$B/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
.PHONY: fuzzers
fuzzers: $(FUZZERS)

$B/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(filter-out $B/obj/main.o,$(OBJ)) \
		$B/obj/gen/embed.o
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LINK) $(LDFLAGS) -o $@ \
		$(filter %.c %.o,$^) $(pkg_libs) -lpthread

-include $(OBJ:.o=.d) $B/obj/gen/embed.d $(CTESTS:=.d)

# ---- what people type ----
deps:
	@tests/deps build

deps-check:
	@tests/deps build check

demo: deps
	@$(MAKE) --no-print-directory all
	@tests/demo $B

check: deps-check
	@tests/run

check-fast:
	@tests/run --fast

test:
	@tests/run --only "$(T)"

fmt:
	@tests/fmt

fmt-check:
	@tests/run --only fmt

lint:
	@tests/run --only lint

BENCH := $B/bench/measure $B/bench/bare_threads $B/bench/bare_json
$B/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(pkg_libs)

bench: deps
	@$(MAKE) --no-print-directory all $(BENCH)
	@XDG_STATE_HOME=$(CURDIR)/$B/bench/state tests/bench/run $(T)

mutation: all
	@tests/mutation/run $(T)

torture: deps-check
	@tests/run --torture

DATA = $(DESTDIR)$(PREFIX)/share/platrun
install: all
	install -D -m 755 $B/platrun $(DESTDIR)$(PREFIX)/bin/platrun
	install -d $(DATA)
	cp -R platrun.conf playbooks inventory examples $(DATA)/
	install -d $(DESTDIR)$(PREFIX)/share/doc/platrun
	cp -R README.md LICENSE CHANGELOG.md docs/. $(DESTDIR)$(PREFIX)/share/doc/platrun/

clean:
	rm -rf build

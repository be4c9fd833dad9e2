# SPDX-License-Identifier: GPL-2.0
# mvmm: a minimal virtual machine monitor for Linux. "make help" lists targets.

# The running kernel's headers, or else the newest that are installed
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -d /lib/modules/*/build 2>/dev/null | sort -rV))
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
# For "make run". KERNEL: the host kernel in the lab, debian or test; CMD: a
# command for the guest; CPUS: the guest's vCPUs; DISK: debian, for a system on
# a disk instead of an initramfs, or raid5, on an array; PULL=1 takes one of its
# members away meanwhile; NET: user, for a guest with a network, or switch, for VMS
# guests on one. ISO: a CD to boot instead, on SCREEN=web, 127.0.0.1:6080 in a browser
KERNEL ?= debian
CMD ?=
CPUS ?= 1
DISK ?=
PULL ?=
NET ?=
VMS ?= 1
SCREEN ?=
ISO ?=

CC ?= gcc
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Iuapi -Iuserspace/lib -Iuserspace -I$(O) -MMD -MP $(CPPFLAGS)
O := build

# What can be left out of the launcher: for each option its files. Where others call
# them, that of its name in without/ is built instead. "all" is each of these, and
# the libraries
left-balloon := devices/virtio/balloon.c
left-console := devices/virtio/console.c $(addprefix char/,file.c ports.c pty.c \
	socket.c stream.c)
left-control := manage/control.c manage/media.c block/empty.c cmd/screen.c
left-disk := cmd/disk.c
left-firmware := $(addprefix boot/,firmware.c netboot.c order.c) \
	$(addprefix devices/,isa/debugcon.c isa/fw_cfg.c isa/pflash.c pci/lpc.c)
left-floppy := devices/isa/i82077% devices/isa/i8237.c
left-host := boot/host.c
left-hpet := devices/isa/hpet.c
left-ide := devices/ide/%
left-keyboard := devices/input.c devices/virtio/input.c $(addprefix devices/isa/, \
	i8042.c keyboard.c mouse.c ps2.c)
left-net := net/bond/% net/switch/% $(addprefix net/,chains.c net.c nets.c offload.c pcap.c \
	stream.c tap.c user.c vde.c) devices/pci/e1000% devices/virtio/net% \
	cmd/net.c cmd/switch.c
left-old := boot/com.c boot/multiboot.c
left-overlay := block/overlay/%
left-rng := devices/virtio/rng.c
left-save := core/vcpu_state.c manage/reload.c manage/snapshot.c
left-sched := cmd/sched%
left-screen := boot/framebuffer.c devices/vga/% devices/virtio/gpu% display/% \
	manage/screen.c
left-tables := boot/mptable.c boot/smbios.c
left-unpack := boot/unpack.c
left-vhost := $(addprefix devices/virtio/,vhost_option.c vhost_user.c \
	virtiofsd.c vsock.c)
parts := $(patsubst left-%,%,$(filter left-%,$(.VARIABLES)))
libraries := nbd raid uring terminal vnc xz zstd
without := $(if $(filter all,$(WITHOUT)),$(parts) $(libraries),$(WITHOUT))
# Leaving out one of these leaves out what needs it
without += $(if $(filter keyboard,$(without)),firmware screen)
without += $(if $(filter screen,$(without)),terminal vnc)
without += $(if $(filter overlay,$(without)),disk)
without += $(if $(filter unpack,$(without)),xz zstd)
without += $(if $(filter vhost,$(without)),host)
# The others are the module's
module-without := $(filter-out all $(parts) $(libraries),$(WITHOUT))
ifneq ($(filter-out $(shell sed -n 's/^options := //p' Kbuild),$(module-without)),)
$(error WITHOUT="$(WITHOUT)": the options are $(sort $(parts)) $(libraries), or all of these, and what Kbuild has for the module)
endif
left := $(sort $(filter $(parts),$(without)))
# A test calls functions of any of them
ifneq ($(if $(left),$(filter unit check test fuzz,$(MAKECMDGOALS))),)
$(error WITHOUT="$(WITHOUT)": tests are of a launcher that has all its options)
endif
# Files that several options have
shared = $(if $(filter-out $(without),$(1)),,$(2))
left-files := $(foreach option,$(left),$(left-$(option))) \
	$(call shared,net vhost,$(addprefix devices/virtio/,vhost.c vhost_kernel.c \
	vhost_link.c) virtqueue/place.c) \
	$(call shared,control net vhost,net/mac.c) \
	$(call shared,console net vnc,base/listen.c) \
	$(call shared,nbd net terminal unpack vnc,base/library.c)

# Libraries that are there, of those that are not left out
exists = $(shell pkg-config --exists $(1) && echo $(2))
have := $(filter-out $(without),$(call exists,libnbd,nbd) \
	$(call exists,libisal,raid) $(call exists,liburing,uring) \
	$(call exists,ncursesw,terminal) \
	$(call exists,libvncserver,vnc) \
	$(call exists,liblzma,xz) $(call exists,libzstd,zstd))
version := $(shell cat VERSION)
named := $(sort $(filter $(parts) $(libraries),$(without)))
# Rewritten when the choice, or the version, is another than last time. Who only asks
# for names of files builds nothing
ifneq ($(MAKECMDGOALS),sources)
$(shell mkdir -p $(O); { for o in $(have); do echo "HAVE_$$o"; done | \
	tr a-z A-Z | sed 's/.*/#define & 1/'; \
	echo '#define MVMM_WITHOUT "$(if $(named),; this mvmm was built without $(named))"'; \
	echo '#define MVMM_VERSION "$(version)"'; } >$(O)/have.$$$$; \
	cmp -s $(O)/have.$$$$ $(O)/have.h || cp $(O)/have.$$$$ $(O)/have.h; \
	rm $(O)/have.$$$$)
endif
# Of the others what is asked for is loaded then: userspace/base/library.h
libs := -lZydis -lZycore -ljansson $(if $(filter raid,$(have)),-lisal) \
	$(if $(filter uring,$(have)),-luring) \
	$(if $(filter-out $(left),screen unpack),-lz) -lpthread
# Tests compress, too. libvncserver, which is loaded later, calls libresolv by way of the
# sanitizers, which have to find it when the program starts
test-libs := $(libs) -lz -Wl,--no-as-needed -lresolv $(if $(filter xz,$(have)),-llzma) \
	$(if $(filter zstd,$(have)),-lzstd)

lib-src := $(wildcard userspace/lib/*.c)
# Another number when programs that use libmvmm.so have to be built anew
so := libmvmm.so.1
dev-src := $(filter-out $(left-files:%=userspace/%),$(wildcard \
	$(addprefix userspace/,base/*.c core/*.c boot/*.c char/*.c block/*.c \
	block/overlay/*.c devices/*.c devices/*/*.c manage/*.c net/*.c net/*/*.c virtqueue/*.c \
	display/*.c $(have:%=block/%/*.c) $(have:%=display/%/*.c)))) \
	$(wildcard $(patsubst %,userspace/without/%.c,$(left) \
	$(filter-out $(have),nbd raid)))
cmd-src := $(filter-out $(left-files:%=userspace/%) \
	$(if $(filter raid,$(have)),,%/raid.c),$(wildcard userspace/cmd/*.c))
lib-obj := $(lib-src:%.c=$(O)/%.o)
pic-obj := $(lib-src:%.c=$(O)/pic/%.o)
dev-obj := $(dev-src:%.c=$(O)/%.o)
cmd-obj := $(cmd-src:%.c=$(O)/%.o)
unit-tests := $(wildcard userspace/tests/test_*.c)
unit-bin := $(unit-tests:%.c=$(O)/%) \
	$(addprefix $(O)/userspace/tests/test_tsan_, bus core iothread machine reset snapshot \
	nic_iothread offload virtio nbd control overlay block vhost switch_ring switch_port switch_server \
	switch_direct)

all: module userspace

help:
	@echo 'all              the module and the userspace programs'
	@echo 'module           mvmm.ko, for the kernel at KDIR=$(KDIR);'
	@echo '                 WITHOUT="slots pv ..." leaves options out:'
	@echo '                 Documentation/options.rst'
	@echo 'userspace        libmvmm and the mvmm command, in $(O)/; WITHOUT=all'
	@echo '                 makes the smallest one, WITHOUT="net ..." one without'
	@echo '                 networks'
	@echo 'install          mvmm, libmvmm, headers, man pages (PREFIX, DESTDIR)'
	@echo 'modules_install  mvmm.ko, for KDIR'
	@echo 'deb              packages for Debian, in $(O)/deb'
	@echo 'dist             the sources as a tarball, in $(O)/'
	@echo 'run              boot a Linux guest in the lab; CMD="..." runs one'
	@echo '                 command in it and exits with its status;'
	@echo '                 DISK=debian boots Debian from a disk, DISK=raid5'
	@echo '                 from three, of which PULL=1 takes one away;'
	@echo '                 CPUS=N sets how many vCPUs it has;'
	@echo '                 NET=user gives it a network, NET=switch VMS=2'
	@echo '                 one with a second guest;'
	@echo '                 SCREEN=web ISO=FILE boots a CD, on a screen in a browser;'
	@echo '                 KERNEL=debian|test picks the host kernel,'
	@echo '                 LAB=bochs|qemu|host the place'
	@echo 'test             all tests'
	@echo 'test-long        shares of CPU time and busy guests, for longer (an hour or two)'
	@echo 'test-matrix      CPU models and host kernels, half an hour; one: MODEL=NAME'
	@echo 'check            the tests that take under two minutes'
	@echo 'fuzz             hostile input, FUZZ_SECONDS=60 for each target'
	@echo 'bench            exits, disks, networks, screens beside KVM, or PART="svm disks" of it'
	@echo 'lint             checkpatch, sparse, W=1, shellcheck, rules for rooms'
	@echo 'headers-check    what the kernel at KDIR lacks that the module needs;'
	@echo '                 KDIR=sid, or another of the lab: that one'
	@echo 'lines            how large each room is, and may be, and the smallest'
	@echo '                 launcher; sources: the files that it is made of'
	@echo 'clean            remove what was built'

module:
	@test -n "$(KDIR)" || { echo 'no kernel headers: set KDIR, or run scripts/setup packages' >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) 'WITHOUT=$(module-without)' modules

modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) 'WITHOUT=$(module-without)' \
		modules_install

userspace: $(O)/mvmm $(O)/libmvmm.a $(O)/$(so)

$(O)/dsdt.hex: userspace/boot/dsdt.asl
	@mkdir -p $(@D)
	iasl -ve -vs -p $(O)/dsdt -tc $< >$(O)/dsdt.log 2>&1 || \
		{ cat $(O)/dsdt.log >&2; exit 1; }

$(O)/userspace/boot/acpi.o $(O)/unit/userspace/boot/acpi.o \
	$(O)/tsan/userspace/boot/acpi.o \
	$(O)/fuzz/obj/userspace/boot/acpi.o: $(O)/dsdt.hex

# What is below a .COM program, as bytes
$(O)/com.hex: userspace/boot/com.S
	@mkdir -p $(@D)
	$(CC) -c -o $(O)/com.o $<
	$(LD) -m elf_x86_64 -Ttext 0 --oformat binary -e 0 -o $(O)/com.bin $(O)/com.o
	od -An -v -tx1 $(O)/com.bin | sed 's/ \([0-9a-f]*\)/0x\1,/g' >$@

$(O)/userspace/boot/com.o $(O)/unit/userspace/boot/com.o \
	$(O)/tsan/userspace/boot/com.o \
	$(O)/fuzz/obj/userspace/boot/com.o: $(O)/com.hex

$(O)/libmvmm.a: $(lib-obj)
	rm -f $@
	$(AR) rcs $@ $^

# What libmvmm.h declares is visible, and nothing else
$(O)/$(so): $(pic-obj)
	$(CC) -shared $(LDFLAGS) -Wl,-soname,$(so) -Wl,-z,defs -o $@ $^ \
		-lZydis -lZycore

$(O)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fPIC -fvisibility=hidden -c -o $@ $<

$(O)/mvmm: $(cmd-obj) $(dev-obj) $(O)/libmvmm.a
	$(CC) $(LDFLAGS) -o $@ $^ $(libs)

# Unit tests feed hostile input: all objects are built once more with sanitizers
unit-flags := -fsanitize=address,undefined -fno-sanitize-recover=all
unit-src := $(lib-src) $(dev-src) $(filter-out %/main.c,$(cmd-src))
unit-obj := $(unit-src:%.c=$(O)/unit/%.o)
$(O)/userspace/tests/test_%: $(O)/unit/userspace/tests/test_%.o $(unit-obj)
	@mkdir -p $(@D)
	$(CC) $(unit-flags) -o $@ $^ -lcmocka $(test-libs)

$(O)/unit/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(unit-flags) -c -o $@ $<

# Those with several threads once more, for data races
tsan-obj := $(unit-src:%.c=$(O)/tsan/%.o)
$(O)/userspace/tests/test_tsan_%: $(O)/tsan/userspace/tests/test_%.o $(tsan-obj)
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread -o $@ $^ -lcmocka $(test-libs)

$(O)/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=thread -c -o $@ $<

# Parsers of what a guest or a file says, by libFuzzer. FUZZ_SECONDS: for each
FUZZ_SECONDS ?= 60
fuzz-flags := -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
fuzz-src := $(wildcard userspace/fuzz/fuzz_*.c)
fuzz-bin := $(fuzz-src:userspace/fuzz/%.c=$(O)/fuzz/%)
fuzz-obj := $(patsubst %.c,$(O)/fuzz/obj/%.o,$(lib-src) $(dev-src))
$(O)/fuzz/fuzz_%: $(O)/fuzz/obj/userspace/fuzz/fuzz_%.o $(fuzz-obj)
	clang -fsanitize=fuzzer $(fuzz-flags) -o $@ $^ $(libs)

$(O)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	clang $(CFLAGS) -Wno-unused-function $(fuzz-flags) -c -o $@ $<

.SECONDARY: $(unit-obj) $(fuzz-obj) $(fuzz-src:%.c=$(O)/fuzz/obj/%.o) $(unit-tests:%.c=$(O)/unit/%.o) $(tsan-obj) \
	$(unit-tests:%.c=$(O)/tsan/%.o)

bench-src := $(addprefix bench/, bench.c interrupts.c kvm.c mvmm.c scale.c)
$(O)/bench/bench: $(bench-src) $(wildcard bench/*.h) $(O)/libmvmm.a
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -D_GNU_SOURCE \
		-Wno-missing-field-initializers -no-pie -o $@ \
		$(filter %.c %.a,$^) \
		-lZydis -lZycore -lpthread

$(O)/bench/frames: $(O)/bench/frames.o $(dev-obj) $(O)/libmvmm.a
	$(CC) $(LDFLAGS) -o $@ $^ $(libs)

# The first sectors of a disk
$(O)/bench/draw: bench/screens.S
	@mkdir -p $(@D)
	$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,-Ttext=0x7c00,--oformat=binary -o $@ $<

# For a guest without a C library; where nothing else is, for bench/where
$(O)/bench/requests $(O)/bench/packets $(O)/bench/viewer: $(O)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -D_GNU_SOURCE -static -no-pie \
		-Wl,-Ttext-segment=0x20000000 -o $@ $<

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

unit: $(unit-bin)

install: userspace
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/include/mvmm \
		$(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(addprefix $(DESTDIR)$(PREFIX)/lib/,udev/rules.d sysusers.d \
			tmpfiles.d systemd/system)
	install -m 755 $(O)/mvmm $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(O)/libmvmm.a $(O)/$(so) $(DESTDIR)$(LIBDIR)/
	ln -sf $(so) $(DESTDIR)$(LIBDIR)/libmvmm.so
	install -m 644 uapi/mvmm.h userspace/lib/libmvmm.h \
		$(DESTDIR)$(PREFIX)/include/mvmm/
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(version)|' \
		userspace/lib/libmvmm.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libmvmm.pc
	install -m 644 userspace/99-mvmm.rules \
		$(DESTDIR)$(PREFIX)/lib/udev/rules.d/
	for kind in sysusers tmpfiles; do \
		install -m 644 userspace/mvmm.$$kind \
			$(DESTDIR)$(PREFIX)/lib/$$kind.d/mvmm.conf || exit; \
	done
	for unit in mvmm@.service mvmm-switch@.service; do \
		sed 's|/usr/bin|$(PREFIX)/bin|' userspace/$$unit \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; \
	done
	install -m 644 userspace/mvmm.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mvmm
	install -m 644 Documentation/*.1 \
		$(DESTDIR)$(PREFIX)/share/man/man1/

# By itself make returns 2 for every failure; "make run" returns the status of
# CMD
ifneq ($(filter run,$(MAKECMDGOALS)),)
-load $(O)/make_exit.so
endif

$(O)/make_exit.so: scripts/make-exit.c
	@scripts/setup packages
	@mkdir -p $(@D)
	@$(CC) -shared -fPIC -o $@ $<

dist:
	@scripts/dist

deb:
	@scripts/setup deb-packages
	@scripts/deb

# One word of the shell, whatever is in it
quoted = '$(subst ','\'',$(1))'

run-guest:
	@scripts/setup packages
	@mkdir -p $(O)
	@scripts/run-guest --kernel $(call quoted,$(KERNEL)) \
		--cpus $(call quoted,$(CPUS)) --vms $(call quoted,$(VMS)) \
		$(if $(DISK),--disk $(call quoted,$(DISK))) $(if $(PULL),--pull) \
		$(if $(NET),--net $(call quoted,$(NET))) \
		$(if $(SCREEN),--screen $(call quoted,$(SCREEN))) \
		$(if $(ISO),--iso $(call quoted,$(ISO))) \
		$(if $(CMD),--command $(call quoted,$(CMD))); \
		echo $$? >$(O)/run-status

run: run-guest
	@: $(exit $(shell cat $(O)/run-status))

test:
	@scripts/setup packages
	@scripts/test all

test-long:
	@scripts/setup packages
	@scripts/test long

test-matrix:
	@scripts/setup packages
	@scripts/test matrix $(MODEL)

bench:
	@scripts/setup packages
	@bench/run $(PART)

check:
	@scripts/setup packages
	@scripts/test quick

fuzz: $(fuzz-bin)
	@for target in $(^F); do \
		corpus=$(O)/fuzz/corpus/$${target#fuzz_}; \
		mkdir -p $$corpus; \
		tar -xJf userspace/fuzz/seeds/$${target#fuzz_}.tar.xz \
			-C $$corpus; \
		$(O)/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(O)/fuzz/$$target- -verbosity=0 \
			-print_final_stats=1 $$corpus || exit; \
	done

lint:
	@scripts/setup packages
	@scripts/lint

headers-check:
	@scripts/headers-check '$(KDIR)'

# Of the launcher as it is to be built
sources:
	@echo $(lib-src) $(dev-src) $(cmd-src)

lines:
	@scripts/rooms lines

clean:
	$(if $(KDIR),$(MAKE) -C $(KDIR) M=$(CURDIR) 'WITHOUT=$(module-without)' clean)
	rm -rf $(O)

-include $(shell find $(O)/userspace $(O)/pic $(O)/unit $(O)/tsan $(O)/fuzz -name '*.d' 2>/dev/null)

.PHONY: all help module modules_install userspace unit install dist deb run-guest run \
	test test-long test-matrix bench fuzz check lint headers-check sources lines clean

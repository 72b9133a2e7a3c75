#!/usr/bin/env bats
# guest/: the kernel file and the initrd, from what makes them to a boot.

setup_file() {
    REPOSITORY=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    SHARE=${SHARE:-$REPOSITORY/build/share/runvm}
    export REPOSITORY SHARE
}

# bzimage COMPRESSOR...: makes $BATS_TEST_TMPDIR/bzImage with an ELF file as payload: a setup header as
# in the kernel's Documentation/arch/x86/boot.rst, two sectors of set-up, 16 bytes of code, the payload, and then
# other data.
bzimage() {
    local image=$BATS_TEST_TMPDIR/bzImage payload=$BATS_TEST_TMPDIR/payload
    cp -L /bin/true "$BATS_TEST_TMPDIR/elf"
    "$@" <"$BATS_TEST_TMPDIR/elf" >"$payload"
    # Every format but gzip is followed by the uncompressed size.
    [[ $1 == gzip ]] || printf 'SIZE' >>"$payload"
    truncate --size=1552 "$image"
    poke 0x1f1 '\x02'
    poke 0x202 HdrS
    poke 0x206 '\x0f\x02'
    poke 0x248 '\x10\x00\x00\x00'
    poke 0x24c "$(printf '\\x%02x' $(($(stat -c %s "$payload") % 256)) $(($(stat -c %s "$payload") / 256 % 256)) \
        $(($(stat -c %s "$payload") / 65536)) 0)"
    cat "$payload" >>"$image"
    head -c 1000 /dev/urandom >>"$image"
}

poke() { printf '%b' "$2" | dd of="$BATS_TEST_TMPDIR/bzImage" bs=1 seek=$(($1)) conv=notrunc status=none; }

extracts() {
    bzimage "$@"
    "$REPOSITORY/guest/extract-vmlinux" "$BATS_TEST_TMPDIR/bzImage" "$BATS_TEST_TMPDIR/vmlinux"
    objcopy --strip-all "$BATS_TEST_TMPDIR/elf"
    cmp "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/vmlinux"
}

@test "extract-vmlinux: gzip" { extracts gzip -c; }
@test "extract-vmlinux: xz" { extracts xz --check=crc32 -c; }
@test "extract-vmlinux: zstd, as Debian 13 has it" { extracts zstd -22 --ultra -cq; }
@test "extract-vmlinux: lz4, as Debian 12 has it" { extracts lz4 -l -9 -c; }

@test "extract-vmlinux: what is no kernel is refused, and nothing is left" {
    bzimage gzip -c
    poke 0x202 Nope
    run "$REPOSITORY/guest/extract-vmlinux" "$BATS_TEST_TMPDIR/bzImage" "$BATS_TEST_TMPDIR/vmlinux"
    [[ $status -eq 1 && $output == *"not a bzImage"* ]]
    bzimage bzip2 -c
    run "$REPOSITORY/guest/extract-vmlinux" "$BATS_TEST_TMPDIR/bzImage" "$BATS_TEST_TMPDIR/vmlinux"
    [[ $status -eq 1 && $output == *"unknown compression"* ]]
    [[ ! -e $BATS_TEST_TMPDIR/vmlinux && ! -e $BATS_TEST_TMPDIR/vmlinux.part ]]
}

@test "initrd: modules are listed in the order in which they can be loaded" {
    cd "$BATS_TEST_TMPDIR"
    cpio -id --quiet <"$SHARE/initrd.img"
    [[ -x init && -s etc/runvm/modules ]]
    local modules line name loaded=" "
    mapfile -t modules <etc/runvm/modules
    for line in "${modules[@]}"; do
        [[ -s .$line ]]
        for name in $(objcopy -O binary --only-section=.modinfo ".$line" /dev/stdout | tr '\0' '\n' |
            sed -n 's/^depends=//p' | tr ',' ' '); do
            # What is not listed must be built in.
            if [[ " ${modules[*]} " == *"/$name.ko "* ]]; then [[ $loaded == *" $name "* ]]; fi
        done
        name=$(basename "$line" .ko)
        loaded+="${name//-/_} "
    done
    # All files below lib/modules are listed.
    diff <(find lib/modules -type f -printf '/%p\n' | sort) \
        <({ cat etc/runvm/modules && cut -d' ' -f2 etc/runvm/modules-on-demand; } | sort -u)
}

@test "initrd: the same input gives the same bytes" {
    local kernel_root=("$SHARE"/../../guest/*/root)
    local copy
    for copy in 1 2; do
        "$REPOSITORY/guest/make-initrd" "$SHARE/../../libexec/runvm/runvm-agent" "${kernel_root[0]}" \
            "$REPOSITORY/guest/modules.list" "$BATS_TEST_TMPDIR/$copy"
        sleep 1.1
    done
    cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2"
    cmp "$BATS_TEST_TMPDIR/1" "$SHARE/initrd.img"
}

@test "initrd: an agent that is linked dynamically is refused" {
    local kernel_root=("$SHARE"/../../guest/*/root)
    run "$REPOSITORY/guest/make-initrd" /bin/true "${kernel_root[0]}" "$REPOSITORY/guest/modules.list" \
        "$BATS_TEST_TMPDIR/initrd"
    [[ $status -eq 1 && $output == *"linked dynamically"* && ! -e $BATS_TEST_TMPDIR/initrd ]]
}

@test "kernel and initrd boot to the first instruction of init" {
    run "$REPOSITORY/bench/bare-boot" 1
    [[ $status -eq 0 && $output =~ ^[0-9]+$ ]]
}

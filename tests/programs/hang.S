# A kernel that starts (PVH, as the guest's does) and then does nothing, not even print.

    .section .note.hang, "a", @note
    .align 4
    .long 4                # length of the name
    .long 4                # length of the value
    .long 18               # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .text
    .globl _start
_start:
    cli
wait:
    hlt
    jmp wait

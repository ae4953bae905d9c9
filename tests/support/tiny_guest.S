/* SPDX-License-Identifier: MIT */
/* The smallest guest that can stand in for a kernel on a microvm (PVH entry, 32-bit, no paging):
 * it announces itself on the first serial port and then obeys single characters from there:
 * p powers off through the ACPI sleep register of a microvm, r resets by the keyboard controller,
 * k claims a kernel panic and resets; everything else comes back. Used by tests in place of a
 * kernel package. Source of the entry: xen/include/public/arch-x86/hvm/start_info.h. */
        .code32
        .section .note.pvh, "a", @note
        .long 4, 4, 18          /* name length, description length, XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .long _start

        .text
        .globl _start
_start: movl $hello, %esi
        call print
loop:   movw $0x3fd, %dx        /* line status */
        inb %dx, %al
        testb $1, %al
        jz loop
        movw $0x3f8, %dx
        inb %dx, %al
        cmpb $'p', %al
        je power
        cmpb $'r', %al
        je reset
        cmpb $'k', %al
        je panic
        call put
        jmp loop

power:  movb $0x34, %al         /* sleep enable, type 5 */
        movb %al, 0xfea00200    /* the sleep control register of a microvm's event device */
hang:   hlt
        jmp hang
panic:  movl $dying, %esi
        call print
reset:  movb $0xfe, %al         /* pulse the reset line */
        outb %al, $0x64
        jmp hang

print:  movb (%esi), %al
        testb %al, %al
        jz done
        call put
        incl %esi
        jmp print
done:   ret

put:    movb %al, %bl
wait:   movw $0x3fd, %dx
        inb %dx, %al
        testb $0x20, %al        /* holding register empty */
        jz wait
        movw $0x3f8, %dx
        movb %bl, %al
        outb %al, %dx
        ret

        .section .rodata
hello:  .asciz "[    0.000000] Linux version 0.0.0-tiny\r\nbanger-guest: none\r\n"
dying:  .asciz "[    1.000000] Kernel panic - not syncing: as told\r\n"
        .section .note.GNU-stack, "", @progbits

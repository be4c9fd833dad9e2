/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first sector of a disk: a firmware loads it to 0x7c00 and starts it there,
 * in real mode. The first times it resets the machine. Then it asks the firmware for
 * what a boot loader asks for, closes and opens the gate of A20, prints what it found
 * on the serial port, and ends mvmm with status 42.
 */
	.code16
	.globl	_start
_start:	ljmp	$0, $1f
1:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%dl, drive
	/* The battery keeps the number of boots */
	mov	$0x77, %al
	out	%al, $0x70
	in	$0x71, %al
	inc	%al
	out	%al, $0x71
	cmp	$2, %al
	jb	4f
	je	3f
	/* The third time only the CPU is reset, and the firmware goes on at 2 */
	movw	$2f, 0x467
	mov	%ds, 0x469
	mov	$0x0f, %al
	out	%al, $0x70
	mov	$0x0a, %al
	out	%al, $0x71
	mov	$1, %al
	out	%al, $0x92
	jmp	.
	/* Without an IDT it is a triple fault */
3:	lidt	nothing
	int3
	/* By the keyboard controller */
4:	mov	$0xfe, %al
	out	%al, $0x64
	jmp	.

2:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
	sti
	/* The second sector, by LBA; and by cylinder, head and sector */
	mov	drive, %dl
	mov	$packet, %si
	mov	$0x42, %ah
	int	$0x13
	jc	failed
	mov	$0x0201, %ax
	mov	$0x8200, %bx
	mov	$0x0002, %cx
	mov	$0, %dh
	mov	drive, %dl
	int	$0x13
	jc	failed
	mov	$0x8000, %si
	call	print
	mov	$0x8200, %si
	call	print
	/* Behind 1 MiB is what is at 0, while the gate of A20 is closed */
	mov	$0xffff, %ax
	mov	%ax, %es
	mov	$0, %al
	out	%al, $0x92
	movw	$0x1234, 0x8600
	cmpw	$0x1234, %es:0x8610
	jne	failed
	mov	$2, %al
	out	%al, $0x92
	movw	$0x4321, %es:0x8610
	cmpw	$0x1234, 0x8600
	jne	failed
	mov	%ds, %ax
	mov	%ax, %es
	/* How much RAM there is below 64 MiB, and that time goes on */
	mov	$0xe820, %eax
	xor	%ebx, %ebx
	mov	$24, %ecx
	mov	$0x534d4150, %edx
	mov	$0x8400, %di
	int	$0x15
	jc	failed
	cmp	$0x534d4150, %eax
	jne	failed
	mov	0x46c, %ax
2:	hlt
	cmp	0x46c, %ax
	je	2b
	/* The teletype of int 0x10, which is the serial port here */
	mov	$good, %si
3:	lodsb
	test	%al, %al
	jz	4f
	mov	$0x0e, %ah
	xor	%bx, %bx
	int	$0x10
	jmp	3b
	/* Its last bytes come with a tick */
4:	mov	$4, %cx
5:	hlt
	loop	5b
	mov	$42, %al
	out	%al, $0xf4

failed:	mov	$bad, %si
	call	print
	mov	$1, %al
	out	%al, $0xf4

print:	lodsb
	test	%al, %al
	jz	2f
	mov	%al, %ah
	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$0x20, %al
	jz	1b
	mov	%ah, %al
	mov	$0x3f8, %dx
	out	%al, %dx
	jmp	print
2:	ret

drive:	.byte	0
nothing: .word	0, 0, 0
bad:	.asciz	"the firmware failed\r\n"
good:	.asciz	"by the firmware's teletype\r\n"
	.balign	4
packet:	.byte	16, 0
	.word	1, 0x8000, 0
	.quad	1

	.org	510
	.word	0xaa55
	/* What it prints twice */
	.asciz	"from the second sector\r\n"
	.org	1024

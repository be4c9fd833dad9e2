/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program of 16 bits needs for a screen, measured by itself: it starts as a
 * disk, by a BIOS with a video BIOS, and prints ticks on the serial port. Text is
 * scrolled, and four planes are filled. With a 1 in byte 508 it fills 1024x768 pixels in
 * a linear mode instead, as often as a viewer looks many times meanwhile; with a 2 it
 * sends a byte for each interrupt of the keyboard, until Q. Ends with port 0xf4.
 */
#define SECTORS		4
#define SERIAL		0x3f8
#define LINEAR		0x4144	/* 1024x768, 32 bits, by SeaVGABIOS; linear */
#define PIXELS		(1024 * 768)

	.code16
	.globl	_start
_start:	ljmp	$0, $1f
1:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
	mov	$packet, %si
	mov	$0x42, %ah
	int	$0x13
	jc	end
	jmp	measure

	.balign	4
packet:	.byte	16, 0
	.word	SECTORS, 0x7e00, 0
	.quad	1

/* Prints the text at SI */
1:	call	put
print:	lodsb
	test	%al, %al
	jnz	1b
	ret

put:	push	%ax
	mov	$SERIAL + 5, %dx
1:	in	%dx, %al
	test	$0x20, %al
	jz	1b
	pop	%ax
	mov	$SERIAL, %dx
	out	%al, %dx
	ret

/* Prints EAX, as a number, and ends the line */
number:	mov	$10, %ecx
	xor	%bx, %bx
1:	xor	%edx, %edx
	div	%ecx
	push	%dx
	inc	%bx
	test	%eax, %eax
	jnz	1b
2:	pop	%ax
	add	$'0', %al
	call	put
	dec	%bx
	jnz	2b
	mov	$newline, %si
	jmp	print

end:	mov	$0, %al
	out	%al, $0xf4
1:	hlt
	jmp	1b

newline:.asciz	"\r\n"
	.org	508
what:	.byte	0
	.org	510
	.word	0xaa55

/* Ticks of one of \times, printed after \name */
.macro	row name, times, routine
	rdtsc
	mov	%eax, start
	mov	%edx, start + 4
	mov	$\times, %cx
1:	push	%cx
	call	\routine
	pop	%cx
	loop	1b
	rdtsc
	sub	start, %eax
	sbb	start + 4, %edx
	mov	$\times, %ecx
	div	%ecx
	push	%eax
	mov	$newline, %si
	call	print
	mov	$\name, %si
	call	print
	pop	%eax
	call	number
.endm

measure:
	cmpb	$1, what
	je	2f
	ja	keys
	mov	$0x0003, %ax
	int	$0x10
	row	scroll_name, 4, scroll
	mov	$0x0012, %ax
	int	$0x10
	row	planar_name, 4, planar
	jmp	end
2:	call	set_linear
	jc	end
	call	fill
	mov	$drawn, %si
	call	print
	row	fill_name, 1000, fill
	jmp	end

keys:	cli
	movw	$on_key, 9 * 4
	movw	$0, 9 * 4 + 2
	sti
	mov	$ready, %si
	call	print
1:	hlt
	jmp	1b

on_key:	push	%ax
	push	%dx
	in	$0x60, %al
	cmp	$0x10, %al
	je	end
	mov	$SERIAL, %dx
	out	%al, %dx
	mov	$0x20, %al
	out	%al, $0x20
	pop	%dx
	pop	%ax
	iret

/* 24 of 25 rows go up by one */
scroll:	mov	$0xb800, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	$160, %si
	xor	%di, %di
	mov	$80 * 24, %cx
	rep movsw
	mov	$0x0720, %ax
	mov	$80, %cx
	rep stosw
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	ret

/* 640x480: all planes get the same, as after the mode was set */
planar:	mov	$0xa000, %ax
	mov	%ax, %es
	xor	%di, %di
	mov	$0xff, %al
	mov	$80 * 480, %cx
	rep stosb
	mov	%cx, %es
	ret

/* Carry: there is no such mode. ES reaches all memory afterwards */
set_linear:
	mov	$0x4f01, %ax
	mov	$LINEAR & 0x1ff, %cx
	mov	$mode, %di
	int	$0x10
	cmp	$0x004f, %ax
	jne	1f
	mov	$0x4f02, %ax
	mov	$LINEAR, %bx
	int	$0x10
	cmp	$0x004f, %ax
	jne	1f
	cli
	lgdt	gdt
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	mov	$8, %bx
	mov	%bx, %es
	and	$0xfe, %al
	mov	%eax, %cr0
	xor	%bx, %bx
	mov	%bx, %es
	ret
1:	stc
	ret

fill:	mov	mode + 0x28, %edi
	mov	colour, %eax
	addl	$0x010203, colour
	mov	$PIXELS, %ecx
	addr32 rep stosl
	ret

	.balign	8
gdt:	.word	15
	.long	table
	.balign	8
table:	.quad	0
	.quad	0x008f92000000ffff	/* data, 4 GiB */
colour:	.long	0
start:	.quad	0
scroll_name: .asciz "vga_text_scroll ticks "
planar_name: .asciz "planar_fill ticks "
fill_name: .asciz "fb_fill ticks "
ready:	.asciz	"ready\r\n"
drawn:	.asciz	"drawn\r\n"
	.org	512 * (1 + SECTORS)
mode:

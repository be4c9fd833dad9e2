/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that starts as a disk, in 16 bits, and has the machine to itself: a text
 * screen, mode 13h, a planar mode, a note of the speaker by the PIT, a clock of 18.2 Hz
 * by interrupt 8, and keys by interrupt 9. It says on the text screen what it found;
 * each key goes on, and "q" ends mvmm with status 42.
 */
	.code16
	.globl	_start
_start:	ljmp	$0, $1f
1:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
	mov	%dl, drive
	mov	$packet, %si
	mov	$0x42, %ah
	int	$0x13
	jc	2f
	jmp	begin
2:	hlt
	jmp	2b

drive:	.byte	0
	.balign	4
packet:	.byte	16, 0
	.word	3, 0x7e00, 0
	.quad	1
	.org	510
	.word	0xaa55

begin:	cli
	mov	0x24, %eax
	mov	%eax, old_key
	movw	$key, 0x24
	movw	$0, 0x26
	mov	0x20, %eax
	mov	%eax, old_tick
	movw	$tick, 0x20
	movw	$0, 0x22
	sti
	/* Ten ticks; their number is right if the keyboard's clock is that of the PIT */
1:	hlt
	cmpw	$10, ticks
	jb	1b
	mov	$text_1, %si
	call	screen
	call	wait

	/* 320x200, a byte for each pixel: columns, each of its colour */
	mov	$0x13, %ax
	int	$0x10
	mov	$0xa000, %ax
	mov	%ax, %es
	xor	%di, %di
1:	mov	%di, %ax
	xor	%dx, %dx
	mov	$320, %bx
	div	%bx
	mov	%dl, %al
	stosb
	cmp	$64000, %di
	jb	1b
	mov	%es:(1000), %al
	mov	%al, chained
	call	wait

	/* 640x480, planes: green below what is red, by the map mask and mode 2 */
	mov	$0x12, %ax
	int	$0x10
	mov	$0xa000, %ax
	mov	%ax, %es
	mov	$0x3ce, %dx
	mov	$0x0205, %ax
	out	%ax, %dx
	xor	%di, %di
	mov	$4, %al
	mov	$19200, %cx
	rep	stosb
	mov	$2, %al
	mov	$19200, %cx
	rep	stosb
	/* Read mode 1: bits that have colour 2 */
	mov	$0x0a05, %ax
	out	%ax, %dx
	mov	$0x0202, %ax
	out	%ax, %dx
	mov	%es:(20000), %al
	mov	%al, planar
	call	wait

	/* Back to text; 440 Hz for three ticks, and what channel 2 counts */
	mov	$3, %ax
	int	$0x10
	mov	$0xb6, %al
	out	%al, $0x43
	mov	$(1193182 / 440) & 0xff, %al
	out	%al, $0x42
	mov	$(1193182 / 440) >> 8, %al
	out	%al, $0x42
	in	$0x61, %al
	or	$3, %al
	out	%al, $0x61
	/* Its output goes up and down */
	xor	%bx, %bx
	movw	$0, ticks
1:	in	$0x61, %al
	and	$0x20, %al
	cmp	%al, %bl
	je	2f
	mov	%al, %bl
	inc	%bh
2:	cmpw	$3, ticks
	jb	1b
	in	$0x61, %al
	and	$0xfc, %al
	out	%al, $0x61
	mov	$text_2, %si
	cmp	$20, %bh
	jb	3f
	cmpb	$(1000 - 3 * 320), chained
	jne	3f
	cmpb	$0xff, planar
	je	4f
3:	mov	$text_3, %si
4:	call	screen
1:	call	wait
	cmp	$0x10, %al	/* q */
	jne	1b
	mov	$42, %al
	out	%al, $0xf4

	/* SI to the second row of the screen, in yellow */
screen:	mov	$0xb800, %ax
	mov	%ax, %es
	mov	$160, %di
	mov	$0x0e, %ah
1:	lodsb
	test	%al, %al
	jz	2f
	stosw
	jmp	1b
2:	ret

	/* AL: the next key that goes down */
wait:	hlt
	mov	last, %al
	test	%al, %al
	jz	wait
	movb	$0, last
	ret

tick:	incw	%cs:ticks
	ljmp	*%cs:old_tick

	/* The BIOS's handler is left out: the port is read here */
key:	push	%ax
	in	$0x60, %al
	test	$0x80, %al
	jnz	1f
	mov	%al, %cs:last
1:	mov	$0x20, %al
	out	%al, $0x20
	pop	%ax
	iret

text_1:	.asciz	"Text: press a key"
text_2:	.asciz	"Seen: text, 320x200, planes, a note, a clock; q ends"
text_3:	.asciz	"Something is wrong here"
ticks:	.word	0
old_tick: .long	0
old_key: .long	0
last:	.byte	0
chained: .byte	0
planar:	.byte	0
	.org	2048

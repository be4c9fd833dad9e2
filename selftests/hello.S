/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A .COM program: it prints its name and its arguments, reads a key, prints that,
 * and ends by INT 20h, to which a RET goes. A divide error finds its own handler.
 */
	.code16
	.globl	_start
_start:	mov	$text, %dx
	mov	$9, %ah
	int	$0x21
	/* The arguments, which have their length before them */
	mov	$0x80, %si
	movb	(%si), %cl
	xor	%ch, %ch
	lea	1(%si), %dx
	mov	$1, %bx
	mov	$0x40, %ah
	int	$0x21
	jc	failed
	mov	$8, %ah
	int	$0x21
	mov	%al, %dl
	mov	$2, %ah
	int	$0x21
	/* Its own handler, and what it was before */
	mov	$0x3500, %ax
	int	$0x21
	mov	%bx, %si
	mov	$divided, %dx
	mov	$0x2500, %ax
	int	$0x21
	xor	%ax, %ax
	div	%al
	cmp	$0x1234, %di
	jne	failed
	mov	$0x3500, %ax
	int	$0x21
	cmp	$divided, %bx
	jne	failed
	cmp	%si, %bx
	je	failed
	/* A function that is not there */
	mov	$0x99, %ah
	int	$0x21
	jnc	failed
	ret

divided:
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	mov	$0x1234, %di
	iret

failed:	mov	$0x4c01, %ax
	int	$0x21

text:	.ascii	"a program:$"

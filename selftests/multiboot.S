/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel by Multiboot, of version VERSION: it prints its command line, what its
 * first module begins with, and whether a pixel of the screen keeps its colour, on
 * the serial port, and ends mvmm with status 42.
 */
	.code32
	.globl	_start
	.balign	8
header:
#if VERSION == 1
	.long	0x1badb002, 7, -(0x1badb002 + 7)
	.long	0, 0, 0, 0, 0
	.long	0, 800, 600, 32
#else
	.long	0xe85250d6, 0, 2f - header, -(0xe85250d6 + 2f - header)
	/* The framebuffer is an option */
	.word	5, 1
	.long	20, 800, 600, 32
	.balign	8
	.word	0, 0
	.long	8
2:
#endif

_start:	mov	$stack, %esp
	cld
#if VERSION == 1
	cmp	$0x2badb002, %eax
	jne	failed
	mov	16(%ebx), %ebp		/* command line */
	mov	24(%ebx), %eax
	mov	(%eax), %edi		/* its module */
	xor	%ecx, %ecx
	testl	$0x1000, (%ebx)
	jz	1f
	mov	88(%ebx), %ecx		/* its framebuffer */
1:
#else
	cmp	$0x36d76289, %eax
	jne	failed
	xor	%ecx, %ecx
	lea	8(%ebx), %esi
1:	mov	(%esi), %eax
	cmp	$1, %eax
	jne	2f
	lea	8(%esi), %ebp
2:	cmp	$3, %eax
	jne	2f
	mov	8(%esi), %edi
2:	cmp	$8, %eax
	jne	2f
	mov	8(%esi), %ecx
2:	mov	4(%esi), %edx
	add	$7, %edx
	and	$~7, %edx
	add	%edx, %esi
	test	%eax, %eax
	jnz	1b
#endif
	mov	$name, %esi
	call	print
	mov	%ebp, %esi
	call	print
	mov	%edi, %esi
	call	print
	jecxz	3f
	/* The last pixel of the first row, if there are so many bytes of it */
	movl	$0x123456, 799*4(%ecx)
	cmpl	$0x123456, 799*4(%ecx)
	jne	failed
	mov	$pixel, %esi
	call	print
3:	mov	$42, %al
	out	%al, $0xf4

failed:	mov	$1, %al
	out	%al, $0xf4

	/* ESI, up to a zero or the end of a line */
print:	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$0x20, %al
	jz	1b
	mov	$0x3f8, %dx
	lodsb
	cmp	$10, %al
	jbe	2f
	out	%al, %dx
	jmp	print
2:	mov	$10, %al
	out	%al, %dx
	ret

name:	.ascii	"multiboot "
	.byte	'0' + VERSION, 0
pixel:	.asciz	"a pixel"

	.bss
	.skip	4096
stack:

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The little of DOS and of a BIOS that a .COM program finds: it can print, read
 * keys and end. The keyboard and the screen are the serial port. com.c puts it to
 * segment 0x60, and sets the vectors.
 */
	.code16
	/* What com.c knows: where these begin */
	.word	nothing, teletype, key, end, dos

nothing:
	iret

	/* AL: to the serial port */
print:	push	%dx
	push	%ax
	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$0x20, %al
	jz	1b
	pop	%ax
	mov	$0x3f8, %dx
	out	%al, %dx
	pop	%dx
	ret

	/* AL: from there */
read:	push	%dx
	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$1, %al
	jz	1b
	mov	$0x3f8, %dx
	in	%dx, %al
	pop	%dx
	ret

	/* INT 10h */
teletype:
	cmp	$0x0e, %ah
	jne	1f
	call	print
1:	iret

	/* INT 16h: 0 waits for a key, others look: none */
key:	test	%ah, %ah
	jnz	1f
	call	read
	xor	%ah, %ah
	iret
1:	push	%bp
	mov	%sp, %bp
	orw	$0x40, 6(%bp)
	pop	%bp
	iret

	/* INT 20h, with status 0 */
end:	xor	%al, %al
leave:	out	%al, $0xf4
1:	hlt
	jmp	1b

	/* INT 21h */
dos:	sti
	cmp	$0x4c, %ah
	je	leave
	test	%ah, %ah
	je	end
	cmp	$0x02, %ah
	je	put
	cmp	$0x09, %ah
	je	text
	cmp	$0x40, %ah
	je	write
	cmp	$0x01, %ah
	je	echo
	cmp	$0x07, %ah
	je	get
	cmp	$0x08, %ah
	je	get
	cmp	$0x25, %ah
	je	set
	cmp	$0x35, %ah
	je	vector
	cmp	$0x30, %ah
	je	version
	/* Function number invalid */
	mov	$1, %ax
	push	%bp
	mov	%sp, %bp
	orw	$1, 6(%bp)
	pop	%bp
	iret

put:	mov	%dl, %al
	call	print
	iret

echo:	call	read
	call	print
	iret

get:	call	read
	iret

	/* DS:DX, up to a dollar */
text:	push	%si
	mov	%dx, %si
1:	lodsb
	cmp	$'$', %al
	je	2f
	call	print
	jmp	1b
2:	pop	%si
	iret

	/* CX bytes at DS:DX, whatever the handle is */
write:	push	%si
	push	%cx
	mov	%dx, %si
	jcxz	2f
1:	lodsb
	call	print
	loop	1b
2:	pop	%cx
	pop	%si
	mov	%cx, %ax
	push	%bp
	mov	%sp, %bp
	andw	$~1, 6(%bp)
	pop	%bp
	iret

	/* The vector AL is DS:DX from now on */
set:	push	%ds
	push	%es
	push	%bx
	xor	%bx, %bx
	mov	%bx, %es
	mov	%al, %bl
	shl	$2, %bx
	mov	%dx, %es:(%bx)
	mov	%ds, %es:2(%bx)
	pop	%bx
	pop	%es
	pop	%ds
	iret

	/* ES:BX is the vector AL */
vector:	xor	%bx, %bx
	mov	%bx, %es
	mov	%al, %bl
	shl	$2, %bx
	les	%es:(%bx), %bx
	iret

version:
	mov	$0x0003, %ax
	xor	%bx, %bx
	xor	%cx, %cx
	iret

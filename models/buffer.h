/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of x86 for Promela, where each statement happens at once and in order.
 * A store waits in the CPU's store buffer, here of one entry, until it gets to
 * memory at any later time; the CPU itself sees it before. A locked instruction
 * and a full barrier wait until the buffer is empty. What the CPU's other
 * accesses may do is no more than that, so only variables are in here whose
 * stores are followed by a load in the protocol.
 *
 * The model defines VARS and THREADS, and runs drain(t) for each thread.
 */
#define EMPTY	255

byte mem[VARS];
byte buf_var[THREADS] = EMPTY;
byte buf_val[THREADS];

#define LOAD(t, v)	(buf_var[t] == v -> buf_val[t] : mem[v])

inline store(t, v, x)
{
	atomic { buf_var[t] == EMPTY; buf_var[t] = v; buf_val[t] = x }
}

inline full_barrier(t)
{
	buf_var[t] == EMPTY
}

proctype drain(byte t)
{
end:	do
	:: atomic {
		buf_var[t] != EMPTY ->
		mem[buf_var[t]] = buf_val[t];
		buf_var[t] = EMPTY
	   }
	od
}

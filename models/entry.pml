/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry protocol: in_guest, requests, tlb_gen and the inbox of one vCPU.
 * A sender posts an interrupt, and another one does, too, or an invalidation
 * takes a page away twice. Meanwhile the vCPU enters the guest, leaves it,
 * halts, and moves between two CPUs.
 *
 *   vcpu     run_loop() and the vendor's run_once(): mvmm_enter_begin() to
 *            mvmm_enter_end(), mvmm_apic_collect(), wait_for_request()
 *   sender   leave_in_inbox(), mvmm_request(), mvmm_kick_cpu()
 *   zapper   mvmm_zap(), mvmm_flush_guests(), mvmm_kick_guests()
 *
 * Proved, for every order of their steps:
 *   - when an invalidation has returned, the guest uses no old translation;
 *   - when mvmm_request() has returned, the vCPU is not in the guest, and not
 *     asleep, with the sender's interrupt left in the inbox and nothing on its
 *     way to it;
 *   - nobody waits for what does not come.
 *
 * Wrong, and so found by spin, with one of these defined:
 * NO_BARRIER_ENTER: without the barrier in mvmm_enter_begin()
 * NO_BARRIER_KICK: without the barrier in mvmm_kick_guests()
 * NO_BARRIER_SLEEP: without the barrier of rcuwait_wait_event()
 * NO_BARRIER_REQUEST: when mvmm_request() may look before it asks
 * NO_BARRIER_COLLECT: when mvmm_apic_collect() may look before it clears
 * NO_ORDER_POST: when leave_in_inbox() may ask before it has posted
 * NO_WAIT: when mvmm_kick_guests() does not wait for the vCPU to leave
 * NO_MOVED: when vcpu_load() forgets MVMM_TLB_MOVED
 * FLUSH_FIRST: when the generation is looked at before in_guest is set
 */
#define ZAPS	2
#define MOVED	254	/* MVMM_TLB_MOVED */

/* Threads with a store buffer; the senders' stores are locked instructions */
#define VCPU	0
#define ZAPPER	1
#define THREADS	2

/* In memory; what only locked instructions change needs no buffer */
#define IN_GUEST 0
#define CPU	1	/* vcpu->cpu */
#define STATE	2	/* of the thread; 1: asleep, or about to be */
#define TLB_GEN	3
#define VARS	4
#include "buffer.h"
byte inbox;		/* a bit a sender */
bool request;		/* MVMM_REQ_EVENTS */
byte entry;		/* of the nested table: how often it was changed */

/* Hardware */
byte on;		/* the CPU that the vCPU's thread is on */
bool irqs_off;		/* there */
bool ipi;		/* on its way there; elsewhere one is taken at once */
bool call;		/* the same, and somebody waits until it is taken */
byte tlb[2];		/* 0: empty, else 1 + the entry that it has */

/* What is to be proved is about these */
byte returned;		/* invalidations */
byte asked;		/* senders that have returned */
byte kicking;		/* senders that are to kick, and have not yet */
bool executes;		/* the guest does */
bool asleep;

inline send_ipi(c, waits)
{
	if
	:: irqs_off && on == c -> ipi = 1; call = call | waits
	:: else
	fi
}

proctype sender(byte me)
{
	byte cpu;
	bool was, in_guest;

#ifndef NO_ORDER_POST
	inbox = inbox | me;
#endif
#ifdef NO_BARRIER_REQUEST
	/* The loads of mvmm_kick_cpu(), too early */
	cpu = mem[CPU];
	in_guest = mem[IN_GUEST];
#endif
	atomic { was = request; request = 1; kicking = kicking + !was }
#ifdef NO_ORDER_POST
	inbox = inbox | me;
#endif
	if
	:: was -> asked = asked | me
	:: else ->
		/* mvmm_kick_cpu() */
#ifndef NO_BARRIER_REQUEST
		cpu = mem[CPU];
		in_guest = mem[IN_GUEST];
#endif
		atomic {
			if
			:: in_guest -> send_ipi(cpu, 0)
			:: else -> mem[STATE] = 0 /* rcuwait_wake_up() */
			fi;
			kicking--;
			asked = asked | me;
			cpu = 0;
			in_guest = 0
		}
	fi
}

proctype zapper()
{
	byte i;
	bool in_guest;

	for (i : 1 .. ZAPS) {
		entry = i;
		store(ZAPPER, TLB_GEN, i);
#ifndef NO_BARRIER_KICK
		full_barrier(ZAPPER);
#endif
		in_guest = LOAD(ZAPPER, IN_GUEST);
		if
		:: in_guest ->
			atomic { send_ipi(mem[CPU], 1); in_guest = 0 }
#ifndef NO_WAIT
			!call
#endif
		:: else
		fi;
		returned = i
	}
}

inline clear_request()
{
	/* A locked instruction */
	atomic { full_barrier(VCPU); request = 0 }
}

inline take_inbox()
{
	atomic {
		full_barrier(VCPU);
		halted = halted && !inbox;
		inbox = 0
	}
}

inline collect()
{
#ifdef NO_BARRIER_COLLECT
	take_inbox();
	clear_request()
#else
	clear_request();
	take_inbox()
#endif
}

/* wait_for_request() */
inline sleep()
{
	do
	:: store(VCPU, STATE, 1);
#ifndef NO_BARRIER_SLEEP
	   full_barrier(VCPU);
#endif
	   if
	   :: request -> break
	   :: else
	   fi;
	   /* schedule() */
	   atomic { full_barrier(VCPU); asleep = 1 }
end_asleep:
	   atomic { !mem[STATE] -> asleep = 0 }
	od;
	store(VCPU, STATE, 0)
}

inline flush()
{
	atomic {
		if
		:: LOAD(VCPU, TLB_GEN) != seen ->
			tlb[on] = 0;
			seen = LOAD(VCPU, TLB_GEN)
		:: else
		fi
	}
}

inline use_memory()
{
	atomic {
		if
		:: !tlb[on] -> tlb[on] = 1 + entry
		:: else
		fi;
		assert(tlb[on] > returned)
	}
}

inline move()
{
	/* The host moves the thread; then vcpu_load() */
	atomic {
		on = 1 - on;
#ifndef NO_MOVED
		seen = MOVED;
#endif
		store(VCPU, CPU, on)
	}
}

proctype vcpu()
{
	byte seen = MOVED;
	bool halted;

outer:	/* Interrupts are on */
	if
	:: request -> collect(); goto outer
	:: !request && halted -> sleep(); goto outer
	:: move()
	:: !halted
	fi;
	irqs_off = 1;
inner:	/* mvmm_enter_begin() */
#ifdef FLUSH_FIRST
	flush();
#endif
	store(VCPU, IN_GUEST, 1);
#ifndef NO_BARRIER_ENTER
	full_barrier(VCPU);
#endif
	if
	:: request ->
		store(VCPU, IN_GUEST, 0);
		/* VMX looks itself: mvmm_come_back() */
		if
		:: collect();
		   if
		   :: halted
		   :: else -> goto inner
		   fi
		:: true
		fi;
		goto irqs_on
	:: else
	fi;
	/* vmx_flush() or svm_flush() */
#ifndef FLUSH_FIRST
	flush();
#endif
	executes = 1;
end_in_guest:
	do
	:: use_memory()
	:: ipi -> break
	:: halted = 1 -> break
	:: break
	od;
	executes = 0;
	/* mvmm_enter_end() */
	store(VCPU, IN_GUEST, 0);
irqs_on:
	atomic { irqs_off = 0; ipi = 0; call = 0 }
	if
	:: goto outer
	:: !halted -> irqs_off = 1; goto inner /* mvmm_host_interrupts() */
	fi
}

proctype nothing_is_lost()
{
end:	atomic {
		inbox & asked && !kicking &&
		(executes && !ipi || asleep && mem[STATE]) -> assert(false)
	}
}

init
{
	atomic {
		run drain(VCPU);
		run drain(ZAPPER);
		run vcpu();
		run nothing_is_lost();
		run sender(1);
		/* All three at once are too many states, and show no more */
		if
		:: run sender(2)
		:: run zapper()
		fi
	}
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The slot protocol: two vCPUs want one slot. Their threads enter the guest,
 * return to userspace with the slot, halt, with or without it, spin, and wait for
 * the slot. Slices end at any time; or else one of the threads is kicked.
 *
 *   vcpu       run_loop(), do_work(), mvmm_slot_leave(), mvmm_slot_get(),
 *              mvmm_slot_put(), mvmm_slot_rest(), mvmm_slot_wake(); Linux may not
 *              run it for however long
 *   timer      slice_ended(), mvmm_slot_look()
 *   kicker     mvmm_request(MVMM_REQ_KICK)
 *   settle()   with look_at_holder(), wake_holder(), stop_rests(), take_back():
 *              kmod/slots/slots.c
 *   fill() and the like: kmod/logic/sched.c, without policies, caps, affinity
 *
 * Proved, for every order of their steps:
 *   - only the holder of the slot is in the guest;
 *   - nobody sleeps on who has been given the slot, or was kicked;
 *   - who waits gets the slot: none is idle meanwhile, no holder rests, and none is in
 *     the guest, in userspace or not run by Linux without a timer or an IPI on its way;
 *   - nobody waits for what does not come.
 *
 * Wrong, and so found by spin, with one of these defined:
 * NO_BARRIER_ENTER: without the barrier in mvmm_enter_begin()
 * NO_BARRIER_LOOK: when look_at_holder() may look before it asks
 * NO_BARRIER_WAIT: without the barrier of rcuwait_wait_event()
 * NO_REQUEST: when block() does not set MVMM_REQ_SLOT
 * NO_BARRIER_REST: without the barrier in mvmm_slot_rest()
 * LATE_REQUEST: when take_back() asks after it has taken
 * NO_SECOND_LOOK: when look_at_holder() arms no timer for one in the guest
 * NO_WAKE_TIMER: when wake_holder() arms no timer
 * NO_TIMER: when it arms none for one that is not
 * NO_WAKE: when settle() does not wake whom it gives the slot
 * NO_SETTLE: when mvmm_slot_put() does not give the slot away
 * LATE_CLEAR: when mvmm_slot_get() clears MVMM_REQ_SLOT behind the lock
 * KICK_WAITS: when a thread that was kicked goes on waiting, in userspace
 */
#define THREADS	2
#define NOBODY	2

/* In memory, for each thread */
#define IN_GUEST(v)	(v)
#define STATE(v)	(2 + (v))	/* 1: asleep, or about to be */
#define REST(v)		(4 + (v))	/* 1: halted, with a slot to be had */
#define VARS	6
#include "buffer.h"

/* Bits of vcpu->requests, changed by locked instructions */
bool req_slot[2] = 1, req_kick[2];

/* Under the lock; st[] is also read without */
bool locked;
mtype = { BLOCKED, WAITING, RUNNING };
mtype st[2] = BLOCKED;
bool missed[2];		/* waits, and gets no slot before its thread comes: se.away */
byte holder = NOBODY;
bool shared;		/* the holder's slice ends: vsched_vcpu.until */
bool competes[2];
bool kick;		/* vsched.kick */
bool contended;		/* also read without */

/* Hardware and the host */
bool irqs_off[2], ipi[2], armed[2];

/* What is to be proved is about these */
bool executes[2];	/* in the guest */
bool outside[2];	/* in userspace, for however long */
bool away[2];		/* Linux runs another thread */
bool asleep[2];
bool halted[2];
bool firing;		/* the timer is about to take the lock */
bool kicked;

/* While it is held, a step is what others can see of it without the lock */
inline lock()
{
	atomic { !locked -> locked = 1 }
}

inline unlock()
{
	locked = 0
}

/* ---- kmod/logic/sched.c ---- */

#define CAN_RUN(v)	(st[v] == WAITING && !missed[v])

inline fill(got)
{
	got = NOBODY;
	if
	:: holder == NOBODY && CAN_RUN(0) -> got = 0
	:: holder == NOBODY && CAN_RUN(1) -> got = 1
	:: holder != NOBODY || !CAN_RUN(0) && !CAN_RUN(1)
	fi;
	if
	:: got != NOBODY ->
		st[got] = RUNNING;
		holder = got;
		shared = st[1 - got] == WAITING
	:: else
	fi
}

inline compete(v)
{
	if
	:: st[v] == WAITING && !competes[v] && holder != NOBODY ->
		competes[v] = 1;
		/* Some policies take a slot before its slice ends */
		if
		:: !shared -> shared = 1; kick = 1
		:: shared
		:: shared -> kick = 1
		fi
	:: else
	fi
}

/* vsched_kick() */
inline find_victim(who)
{
	compete(0);
	compete(1);
	who = (kick -> holder : NOBODY);
	kick = 0
}

inline drop_slot()
{
	holder = NOBODY;
	kick = 0
}

inline begin_to_wait(v)
{
	st[v] = WAITING;
	missed[v] = 0;
	competes[v] = 0
}

/* ---- kmod/slots/slots.c ---- */

/* rcuwait_wake_up() */
inline wake_up(v)
{
	mem[STATE(v)] = 0
}

inline kick_cpu(v)
{
	if
	:: mem[IN_GUEST(v)] -> ipi[v] = irqs_off[v]
	:: else -> wake_up(v)
	fi
}

inline block(v)
{
	if
	:: st[v] == RUNNING -> drop_slot()
	:: else
	fi;
	st[v] = BLOCKED;
	missed[v] = 0;
#ifndef NO_REQUEST
	req_slot[v] = 1
#endif
}

/* On a CPU outside of the guest it only has to be looked at again */
inline act_for(v)
{
	if
	:: st[v] == RUNNING && shared -> block(v)
	:: st[v] == RUNNING && shared ->
		/* vsched_miss() */
		drop_slot();
		begin_to_wait(v);
		missed[v] = 1
	:: st[v] == RUNNING && shared ->
#ifndef NO_TIMER
		armed[v] = 1
#else
		skip
#endif
	:: st[v] != RUNNING || !shared
	fi
}

/* took: it did rest, and is blocked now */
inline take_back(v)
{
#if !defined LATE_REQUEST && !defined NO_BARRIER_LOOK
	req_slot[v] = 1;
#endif
	atomic {
		took = mem[REST(v)];
		if
		:: took ->
			mem[REST(v)] = 0;
			drop_slot();
			st[v] = BLOCKED
		:: else
		fi
	}
#ifdef LATE_REQUEST
	req_slot[v] = 1
#endif
}

inline look_at_holder(v)
{
	if
	:: st[v] == RUNNING ->
		take_back(v);
		if
		:: atomic { took -> took = 0 }
		:: else -> look_at_thread(v)
		fi
	:: else
	fi
}

/* The rest of look_at_holder() */
inline look_at_thread(v)
{
#ifdef NO_BARRIER_LOOK
	in_guest = mem[IN_GUEST(v)];
	req_slot[v] = 1;
#else
	in_guest = mem[IN_GUEST(v)];
#endif
	if
	:: in_guest ->
		kick_cpu(v);
#ifndef NO_SECOND_LOOK
		armed[v] = 1
#endif
	:: else -> atomic { act_for(v) }
	fi;
	in_guest = 0
}

inline wake_holder(v)
{
#ifndef NO_WAKE_TIMER
	armed[v] = armed[v] || shared;
#endif
	wake_up(v)
}

/* Linux runs another thread for a while */
inline preempted(v)
{
	if
	:: away[v] = 1; away[v] = 0
	:: skip
	fi
}

inline settle()
{
	do
	:: atomic {
		fill(who);
		if
#ifndef NO_WAKE
		:: who != NOBODY -> wake_holder(who)
#endif
		:: else
		fi
	   }
	   /* stop_rests(), of the one holder that there can be */
	   if
	   :: atomic {
		!contended && (st[0] == WAITING || st[1] == WAITING) ->
		contended = 1;
		who = holder
	      }
	      if
	      :: who != NOBODY && mem[REST(who)] -> take_back(who); took = 0
	      :: else
	      fi;
	      who = 0
	   :: else ->
		atomic { find_victim(who) }
		if
		:: who != NOBODY -> look_at_holder(who)
		:: else -> break
		fi
	   fi
	od;
	atomic {
		if
		:: st[0] != WAITING && st[1] != WAITING -> contended = 0
		:: else
		fi;
		who = 0
	}
}

proctype timer()
{
	byte v, who;
	bool in_guest, took;

end:	do
	:: atomic {
		if
		:: armed[0] -> v = 0
		:: armed[1] -> v = 1
		fi;
		armed[v] = 0;
		firing = 1
	   }
	   /* mvmm_slot_look() */
	   lock();
	   look_at_holder(v);
	   settle();
	   atomic { unlock(); firing = 0; v = 0 }
	od
}

proctype kicker()
{
	atomic { req_kick[0] = 1 }
	kick_cpu(0);
	kicked = 1
}

/* Of mvmm_slot_get(), the end; eintr: without a slot */
inline wait_for_slot(v)
{
	do
	:: atomic {
		st[v] == RUNNING ->
		/* arm() */
		armed[v] = armed[v] || shared;
		unlock();
		break
	   }
	:: atomic { st[v] != RUNNING -> unlock() }
	   store(v, STATE(v), 1);
#ifndef NO_BARRIER_WAIT
	   full_barrier(v);
#endif
	   if
	   :: !CAN_RUN(v) || req_kick[v]
	   :: else ->
		/* schedule() */
		atomic { full_barrier(v); asleep[v] = 1 }
		atomic { !mem[STATE(v)] -> asleep[v] = 0 }
	   fi;
	   store(v, STATE(v), 0);
	   preempted(v);
	   atomic { full_barrier(v); lock() }
	   if
	   :: atomic {
		st[v] != RUNNING && req_kick[v] ->
		req_kick[v] = 0;
		eintr = 1;
#ifndef KICK_WAITS
		block(v)
#endif
	      }
	      settle();
	      unlock();
	      break
	   :: atomic {
		(missed[v] || st[v] == BLOCKED) && !req_kick[v] ->
		req_slot[v] = 0;
		begin_to_wait(v)
	      }
	      settle()
	   :: else
	   fi
	od
}

inline slot_get(v)
{
	atomic {
		lock();
#ifndef LATE_CLEAR
		req_slot[v] = 0;
#endif
		if
		:: st[v] == BLOCKED -> begin_to_wait(v)
		:: st[v] == WAITING -> begin_to_wait(v)
		:: st[v] == RUNNING && CAN_RUN(1 - v) ->
			/* vsched_pause() */
			begin_to_wait(v);
			holder = 1 - v;
			st[1 - v] = RUNNING;
			kick = 0;
			wake_holder(1 - v)
		:: st[v] == RUNNING && shared ->
			/* vsched_yield() */
			drop_slot();
			begin_to_wait(v)
		:: st[v] == RUNNING
		fi
	}
	settle();
	wait_for_slot(v)
#ifdef LATE_CLEAR
	;
	req_slot[v] = 0
#endif
}

proctype vcpu(byte me)
{
	byte who;
	bool in_guest, eintr, took;

userspace:
	outside[me] = 1;
end_userspace:
	outside[me] = 0;
enter:
	atomic { irqs_off[me] = 1; store(me, IN_GUEST(me), 1) }
#ifndef NO_BARRIER_ENTER
	full_barrier(me);
#endif
	if
	:: atomic { !req_slot[me] && !req_kick[me] -> executes[me] = 1 }
	   atomic {
		executes[me] = 0;
		store(me, IN_GUEST(me), 0);
		if
		:: ipi[me]
		:: req_slot[me] = 1 /* as MVMM_REQ_PAUSE: it spins */
		:: goto leave
		:: goto halt
		fi
	   }
	:: else -> store(me, IN_GUEST(me), 0)
	fi;
	/* do_work() */
work:
	atomic { full_barrier(me); irqs_off[me] = 0; ipi[me] = 0 }
	preempted(me);
	if
	:: atomic { req_kick[me] -> req_kick[me] = 0; goto leave }
	:: atomic { !req_kick[me] && !req_slot[me] -> goto enter }
	:: !req_kick[me] && req_slot[me]
	fi;
	slot_get(me);
	if
	:: atomic { !eintr -> goto enter }
	:: atomic { eintr -> eintr = 0 }
	fi;
leave:	/* mvmm_slot_leave() */
	atomic { irqs_off[me] = 0; ipi[me] = 0 }
	if
	:: req_slot[me] ->
		lock();
		if
		:: atomic { st[me] == WAITING -> block(me) }
		:: else -> look_at_holder(me)
		fi;
		settle();
		unlock()
	:: else
	fi;
	goto userspace;
halt:	/* wait_for_request(), mvmm_slot_rest() */
	atomic { irqs_off[me] = 0; ipi[me] = 0 }
	if
	:: !contended && !req_slot[me] ->
		store(me, REST(me), 1);
#ifndef NO_BARRIER_REST
		full_barrier(me);
#endif
		if
		:: atomic { !contended && !req_slot[me] -> goto rest }
		:: else
		fi;
		/* end_rest() */
		atomic { full_barrier(me); mem[REST(me)] = 0 }
	:: else
	fi;
	/* mvmm_slot_put() */
	atomic { lock(); block(me) }
#ifndef NO_SETTLE
	settle();
#endif
	unlock();
	/* Until something comes, which entry.pml is about */
	atomic { armed[me] = 0; halted[me] = 1 }
end_halt:
	atomic { halted[me] = 0; goto work }
rest:
	halted[me] = 1;
end_rest:
	halted[me] = 0;
	/* mvmm_slot_wake() */
	atomic { full_barrier(me) }
	if
	:: atomic { mem[REST(me)] = 0; goto work }
	:: mem[REST(me)] ->
		/* On another CPU */
		lock();
		take_back(me);
		took = 0;
		settle();
		unlock();
		goto work
	fi
}

/* Nothing is going to happen unless the guest or userspace does it */
#define QUIET(v) \
	(!locked && !firing && !armed[v] && \
	 (executes[v] && !ipi[v] || outside[v] || away[v] || halted[v]))

#define WRONG(v) \
	(executes[v] && holder != v || \
	 asleep[v] && mem[STATE(v)] && !locked && \
	 (!CAN_RUN(v) || \
	  st[v] == WAITING && (holder == NOBODY || QUIET(1 - v))) || \
	 v == 0 && kicked && req_kick[v] && \
	 (executes[v] && !ipi[v] || asleep[v] && mem[STATE(v)]))

proctype all_is_well()
{
end:	atomic { WRONG(0) || WRONG(1) -> assert(false) }
}

init
{
	atomic {
		run drain(0);
		run drain(1);
		run vcpu(0);
		run vcpu(1);
		run all_is_well();
		/* Both at once are ten times the states, and show no more */
		if
		:: run timer()
		:: run kicker()
		fi
	}
}

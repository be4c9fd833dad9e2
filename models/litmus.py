#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run litmus tests: can the "exists" clause come true?

Every execution of the small subset of C that Documentation/litmus needs is
tried: straight-line code, without locks. Two memory models:
  weak  accesses to different locations go in any order, unless a barrier, an
        acquire, a release or a dependency holds them. A store reaches all CPUs
        at once, which the kernel's own model does not promise
  x86   only a load may pass an earlier store; locked instructions pass nothing
A load that passes a store to its own location takes the stored value, so a late
store is one that waits in a store buffer.

  litmus.py FILE...   prints for each file what both models say. Of the kernel's
                      tools/memory-model/litmus-tests, those without locks and
                      branches, "weak" says what they say, except one
                      (Z6.0+pooncerelease+poacquirerelease+fencembonceonce)
"""
import re
import sys
from collections import namedtuple

# kind: R load, W store, U both, F fence, and RCU's begin, end, wait
# how: "acquire", "release", "full", "once"; of a fence: its name
Op = namedtuple('Op', 'kind how loc value reg', defaults=('', '', ''))
LOC, VAL = r'\*?(\w+)', r'([-\w]+)'
SYNTAX = [(re.compile(p + ';$'), f) for p, f in [
    (rf'(\w+) = (?:READ_ONCE|rcu_dereference|atomic_read)\({LOC}\)',
     lambda r, x: [Op('R', 'once', x, '', r)]),
    (rf'(\w+) = smp_load_acquire\({LOC}\)',
     lambda r, x: [Op('R', 'acquire', x, '', r)]),
    (rf'(?:WRITE_ONCE|atomic_set)\({LOC}, {VAL}\)',
     lambda x, v: [Op('W', 'once', x, v)]),
    (rf'(?:smp_store_release|rcu_assign_pointer)\({LOC}, {VAL}\)',
     lambda x, v: [Op('W', 'release', x, v)]),
    (rf'smp_store_mb\({LOC}, {VAL}\)',
     lambda x, v: [Op('W', 'once', x, v), Op('F', 'mb')]),
    (rf'(\w+) = (?:atomic_)?xchg(_\w+)?\({LOC}, {VAL}\)',
     lambda r, how, x, v: [Op('U', (how or '_full')[1:], x, '=' + v, r)]),
    (rf'(\w+) = atomic_fetch_(or|andnot)\({VAL}, {LOC}\)',
     lambda r, f, v, x: [Op('U', 'full', x, '|&'[f != 'or'] + v, r)]),
    (rf'atomic_(or|andnot)\({VAL}, {LOC}\)',
     lambda f, v, x: [Op('U', 'once', x, '|&'[f != 'or'] + v)]),
    (r'smp_(mb|wmb|rmb)\(\)', lambda f: [Op('F', f)]),
    (r'smp_mb__(before|after)_atomic\(\)', lambda f: [Op('F', f)]),
    (r'rcu_read_(lock|unlock)\(\)',
     lambda f: [Op('begin' if f == 'lock' else 'end', 'once')]),
    (r'synchronize_rcu\(\)', lambda: [Op('wait', 'full')]),
    (r'(?:int|int \*) ?\w+', lambda: [])]]
ORDERS = {'mb': 'RWU', 'before': 'RWU', 'after': 'RWU', 'wmb': 'WU',
          'rmb': 'RU'}


class Test:
    def __init__(self, path):
        text = open(path).read()
        self.header = re.search(r'\(\*(.*?)\*\)', text, re.S).group(1)
        text = re.sub(r'\(\*\s.*?\*\)|//[^\n]*', '', text, flags=re.S)
        init, body = re.match(r'C [^\n]*\s*\{(.*?)\}(.*)', text, re.S).groups()
        body, exists = re.match(r'(.*)\bexists\b(.*)', body, re.S).groups()
        self.init = dict(re.findall(r'(\w+) ?= ?&?([-\w]+)', init))
        self.threads = [[op for line in code.split('\n') if line.strip()
                         for op in self.parse(line.strip())]
                        for code in re.findall(r'P\d+\(.*?\)\s*\{(.*?)\}',
                                               body, re.S)]
        exists = re.sub(r'(\d+:)?(\w+)=([-\w]+)', r'is_("\1\2", "\3")', exists)
        self.exists = compile(exists.replace('/\\', ' and ')
                              .replace('\\/', ' or ').replace('~', ' not ')
                              .strip(), path, 'eval')

    @staticmethod
    def parse(line):
        for pattern, make in SYNTAX:
            match = pattern.match(line)
            if match:
                return make(*match.groups())
        raise ValueError('not understood: ' + line)

    def barriers(self):
        """(thread, name, the threads without it) for each ordering"""
        for t, ops in enumerate(self.threads):
            for i, op in enumerate(ops):
                if op.kind in ('F', 'wait'):
                    less = ops[:i] + ops[i + 1:]
                elif op.how != 'once':
                    less = ops[:i] + [op._replace(how='once')] + ops[i + 1:]
                else:
                    continue
                name = {'F': op.how, 'wait': 'grace period'}.get(op.kind) or \
                    f'{op.how} order of {op.loc}'
                yield t, name, \
                    self.threads[:t] + [less] + self.threads[t + 1:]

    def reachable(self, model, threads=None):
        """Does an execution of this model make "exists" true?"""
        start = (tuple(tuple(t) for t in threads or self.threads), (),
                 frozenset())
        todo, seen = [start], {start}
        while todo:
            state = todo.pop()
            if not any(state[0]):
                end = dict(state[1])
                if eval(self.exists, {'is_': lambda x, v: str(end.get(
                        x, self.init.get(x, '0'))) == v}):
                    return True
            for nxt in self.steps(state, model):
                if nxt not in seen:
                    seen.add(nxt)
                    todo.append(nxt)
        return False

    def steps(self, state, model):
        threads, values, readers = state
        now = dict(values)
        for t, ops in enumerate(threads):
            get = lambda v: now.get(f'{t}:{v}', v)
            for i, op in enumerate(ops):
                if any(ordered(a, op, model) for a in ops[:i]):
                    continue
                new, inside, rest = dict(now), readers, ops[:i] + ops[i + 1:]
                loc = get(op.loc)
                if op.kind == 'begin':
                    inside |= {t}
                elif op.kind == 'end':
                    inside -= {t}
                elif op.kind == 'wait' and op.value == '':
                    # Those who read now are waited for, not those who come
                    rest = (op._replace(value=readers),) + rest
                elif op.kind == 'wait':
                    if op.value & readers:
                        rest = (op._replace(value=op.value & readers),) + rest
                old = new.get(loc, self.init.get(loc, '0'))
                for a in ops[:i]:
                    if a.kind == 'W' and a.loc == op.loc:
                        old = get(a.value)
                if op.kind in 'RU' and op.reg:
                    new[f'{t}:{op.reg}'] = old
                if op.kind == 'W':
                    new[loc] = get(op.value)
                elif op.kind == 'U':
                    v = get(op.value[1:])
                    new[loc] = v if op.value[0] == '=' else str(
                        int(old) | int(v) if op.value[0] == '|' else
                        int(old) & ~int(v))
                yield (threads[:t] + (rest,) + threads[t + 1:],
                       tuple(sorted(new.items())), inside)


def ordered(a, b, model):
    """Must a, earlier in the program, be done before b?"""
    if a.reg and a.reg in (b.loc, b.value.lstrip('=|&')
                           if isinstance(b.value, str) else ''):
        return True
    if a.kind in 'RWU' and b.kind in 'RWU' and a.loc == b.loc:
        return (a.kind, b.kind) != ('W', 'R') or a.value.isidentifier()
    if model == 'x86':
        return a.kind != 'W' or b.kind in 'WU' or b.how == 'mb' or \
            b.kind in ('end', 'wait')
    if a.kind == 'F' and b.kind == 'F':
        return False
    if a.kind == 'F' or b.kind == 'F':
        fence, other = (a, b) if a.kind == 'F' else (b, a)
        return other.kind not in 'RWU' or other.kind in ORDERS[fence.how]
    return 'full' in (a.how, b.how) or a.how == 'acquire' or \
        b.how == 'release' or a.kind == 'begin' or b.kind == 'end'


def main():
    for path in sys.argv[1:]:
        try:
            test = Test(path)
        except ValueError as error:
            print(f'{path}: {error}')
            continue
        for model in 'weak', 'x86':
            print(f'{path}: {model}',
                  'Sometimes' if test.reachable(model) else 'Never')


if __name__ == '__main__':
    main()

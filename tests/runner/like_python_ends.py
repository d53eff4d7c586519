"""More programs for test_like_python.py: when objects end. `tag` marks a value as one that came out of a call; a
module in a folder named site-packages is library code."""

from __future__ import annotations

from textwrap import dedent

from .like_python import Program

_BEGIN = """\
import sys
sys.path.insert(0, 'site-packages')
tag = getattr(__import__('builtins'), 'tag', lambda value: value)

class D:
    def __init__(self, name, *kept):
        self.name, self.kept = name, kept
    def __del__(self):
        print('del', self.name)
    def __repr__(self):
        return f'D({self.name})'
    def __add__(self, other):
        return D(f'{self.name}+{getattr(other, "name", other)}')
    def __iadd__(self, other):
        self.name += '='
        return self
    def __getitem__(self, key):
        return D(f'{self.name}[{key}]')
    def __setitem__(self, key, value):
        pass
    def __str__(self):
        return tag('str of ' + self.name)
    def __lt__(self, other):
        return self.name < other.name
    def __iter__(self):
        yield from (D(self.name + '0'), D(self.name + '1'))
    def __enter__(self):
        return D('entered ' + self.name)
    def __exit__(self, *error):
        print('exit', self.name)
        return True
    def m(self, *args):
        return D(self.name + '.m')
    @property
    def p(self):
        return D(self.name + '.p')

"""

_LIBRARY = """\
import asyncio, contextlib, sys, warnings

class L:
    def __init__(self, name, *kept):
        self.name, self.kept = name, kept
    def __del__(self):
        print('del library', self.name)
    def part(self, *args):
        return L(self.name + '.part')
    def __iter__(self):
        return numbers(2, self.name)
    def __aiter__(self):
        return ticks(2, self.name)
    def __enter__(self):
        return L('entered ' + self.name)
    def __exit__(self, *error):
        print('exit library', self.name)

def numbers(count, name=''):
    try:
        for number in range(count):
            yield L(f'{name}{number}')
    finally:
        print('closed', name)

async def ticks(count, name=''):
    try:
        for number in range(count):
            yield L(f'{name}{number}')
    finally:
        print('closed', name)

async def later(value):
    try:
        return value
    finally:
        print('awaited')

async def looks(fail=False):
    warnings.warn('this is for who called', stacklevel=2)
    await asyncio.sleep(0)
    if fail:
        raise ValueError('failed')
    return sys._getframe(1).f_code.co_name

@contextlib.contextmanager
def context(value):
    try:
        yield value
    finally:
        print('left')

def same(value):
    return value

def call(function, *args):
    return function(*args)

def fails(*args):
    kept = L('local')
    raise ValueError(*args)
"""


def _p(source: str, **env: str) -> Program:
    return Program(_BEGIN + dedent(source), files={"site-packages/lib.py": _LIBRARY}, env=env)


ENDS: dict[str, Program] = {
    "operands of operators end as they do": _p(
        """
        def step(text): print('--', text)
        step('sum'); D('a') + D('b')
        step('nested'); (D('a') + D('b')) + (D('c') + D('d'))
        """
    ),
    "temporaries end as they do": _p(
        """
        def step(text): print('--', text)
        def f(*args, **kwargs): print('in f'); return args[-1]
        t, i = tag('text'), tag(7)
        step('expression'); D('a')
        step('sum with text'); D('a') + t; D('a') + i
        step('item'); D('a')[D('k')]; D('a')[t]
        step('method'); D('a').m(D('b'), t).m(D('c'))
        step('property'); D('a').p.p.name
        step('call'); f(D('a'), D('b'), k=D('c')); f(*[D('a'), D('b')], **{'k': D('c')})
        step('text'); f'{D("a")}{D("b")!r:>9}{t}'
        step('percent'); '%s %s %s' % (D('a'), D('b'), t); '%s' % D('a')
        step('format'); '{} {x}'.format(D('a'), x=D('b')); str(D('a')); repr(D('a')); ''.join([str(D('a')), t])
        step('in place'); x = D('x'); x += D('y'); x = None
        step('in place item'); d = [D('x')]; d[0] += D('y'); d[0] = t; d[0] += t; d = None
        step('assigned'); x = D('1'); x = D('2'); x = D('3', x); x = x.kept[0]; x = None
        step('several'); a = b = D('ab'); a = None; b = None
        step('unpacked'); a, b = D('u'); a = None; b = None; a, *b = D('v'); a = b = None
        step('loop')
        for x in D('l'): print(x)
        x = None
        step('comprehension'); [len(x.name) for x in D('c') if x.name]; {x.name: x for x in D('c')}; any(x.name for x in D('c'))
        step('with')
        with D('w') as x: D('inside')
        step('after'); x = None
        with D('w') as x: raise ValueError(D('error'))
        x = None
        step('match')
        match D('m'):
            case D(name=n): print(n)
        step('compared'); D('a') < D('b') < D('c'); D('a') in [D('b')]; D('a') is D('b'); not D('a')
        step('chosen'); D('a') if D('b') else D('c'); D('a') and D('b') or D('c')
        step('display'); [D('a'), D('b')]; {D('a').name: D('b')}; (D('a'), [D('b')]); [*D('s')]
        step('sorted'); sorted([D('b'), D('a')]); max(D('b'), D('a')); list(map(D, ['p', t])); next(map(D, [t]))
        step('lambda'); (lambda q: q.m())(D('a')); (lambda q=D('default'): q)()
        step('deleted'); x = D('x'); del x; l = [D('0'), D('1')]; del l[0]; l.pop(); l = None
        step('walrus'); (y := D('y')).m(); y = None
        step('partial'); import functools; functools.partial(f, D('a'))(D('b')); functools.reduce(lambda p, q: p + q, [D('a'), D('b'), D('c')])
        step('copied'); import copy; copy.copy(D('a')); copy.deepcopy(D('b', [D('c')]))
        step('end')
        """
    ),
    "objects of libraries end as they do": _p(
        """
        import lib
        from lib import L
        t = tag('text')
        print('-- object'); L('a'); L(t); L('b', t)
        print('-- part'); L('a').part(t); L(t).part().name
        print('-- same'); lib.same(L('a')); lib.same(t); lib.call(L, t); lib.call(lambda v: D(v), t)
        print('-- kept'); x = L('a', t); x = None; x = lib.same(L('b', t)); y = x; x = None; y = None
        print('-- loop')
        for x in L(t): print(x.name)
        x = None
        print('-- broken off')
        for x in L(t): break
        print('after'); x = None
        for x in lib.numbers(3, t):
            if x.name.endswith('1'): break
        else:
            print('never')
        print('after'); x = None
        print('-- next'); g = lib.numbers(3, t); next(g); print('one'); x = next(g); g = None; print('gone'); x = None
        g = iter(L(t)); next(g); del g
        print('-- unpacked'); a, b = L(t); a = b = None; a, *b = lib.numbers(2, t); a = b = None
        try: a, b, c = lib.numbers(2, t)
        except ValueError as e: print(e)
        print('-- from')
        def g():
            yield from lib.numbers(2, t)
        i = g(); next(i); i.close(); print('closed'); i = g(); next(i); del i
        def h():
            for x in L(t): yield x
        i = h(); next(i); i = None; print('h')
        list(zip(L(t), [1])); print('zipped'); [*L(t)]; print('listed'); sorted(L(t), key=lambda v: v.name); print('sorted')
        print('-- with')
        with L(t) as x: print(x.name)
        x = None
        with lib.context(L(t)) as x: x = None; print('in')
        with lib.context(t), L('second'): print('both')
        print('-- error')
        try: lib.fails(D('argument'), t)
        except ValueError as e: print('caught')
        print('handled')
        try:
            try: lib.fails(t)
            except ValueError as e: raise KeyError(D('k')) from e
        except KeyError as e: print(type(e.__cause__))
        print('end')
        """
    ),
    "asynchronous code ends as it does": _p(
        """
        import asyncio, lib, gc
        t = tag('text')
        async def user(name):
            try:
                d = D(name)
                yield d
                yield 2
            finally:
                print('user closed')
        async def main():
            print('-- awaited'); (await lib.later(lib.L(t))).name
            print('-- loop')
            async for x in lib.ticks(2, t): print(x.name)
            x = None
            print('-- broken off')
            async for x in lib.L(t): break
            x = None
            await asyncio.sleep(0); await asyncio.sleep(0); print('after')
            async for x in user('u'): break
            x = None
            await asyncio.sleep(0); await asyncio.sleep(0); print('after')
            print('-- comprehension'); [x.name async for x in lib.L(t)]
            print('-- task'); task = asyncio.create_task(lib.later(D('in task'))); await task; task = None; print('done')
            print('-- gathered'); await asyncio.gather(lib.later(D('g1')), lib.later(lib.L(t))); print('done')
            print('-- cancelled')
            async def waits():
                d = D('waiting')
                await asyncio.sleep(9)
            task = asyncio.create_task(waits()); await asyncio.sleep(0); task.cancel()
            try: await task
            except asyncio.CancelledError: print('cancelled')
            task = None; print('done')
            c = lib.later(D('closed')); c.close(); c = None; print('closed')
        asyncio.run(main())
        async def never(): pass
        never(); x = never(); x = None
        import lib; lib.later(1)
        print('end')
        """
    ),
    "tasks of a library's coroutine look as they do": _p(
        """
        import asyncio, inspect, lib, traceback, warnings
        warnings.simplefilter('always')
        t = tag('text')
        async def main():
            task = asyncio.create_task(lib.looks())
            await asyncio.sleep(0)
            print([(f.f_code.co_name, f.f_lineno) for f in task.get_stack()], task)
            coroutine = task.get_coro()
            print(coroutine.__qualname__, coroutine.cr_code.co_name, inspect.getcoroutinestate(coroutine))
            print(inspect.iscoroutine(coroutine), asyncio.iscoroutine(coroutine), isinstance(coroutine, type(main_)))
            print(await task, await asyncio.gather(lib.looks(), lib.looks()), await asyncio.wait_for(lib.looks(), 9))
            try: await asyncio.gather(lib.looks(True))
            except ValueError: traceback.print_exc()
            task = asyncio.create_task(lib.looks())
            await asyncio.sleep(0)
            task.cancel()
            try: await task
            except asyncio.CancelledError: traceback.print_exc()
            task = asyncio.create_task(lib.later(1)); task.cancel()
            print(await asyncio.gather(task, return_exceptions=True))
        main_ = main(); asyncio.run(main_)
        print(asyncio.run(lib.looks()))
        """
    ),
    "weak references end as they do": _p(
        """
        import weakref, lib, gc, re, io, copy, decimal, datetime, pathlib, collections
        t = tag('text')
        class C:
            def __init__(self, x): self.x = x
        values, keys, some = weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(), weakref.WeakSet()
        def show(*a): print(len(values), len(keys), len(some), *a)
        for make in (lambda: C(t), lambda: C([t]), lambda: lib.L(t), lambda: lib.same(C(t)), lambda: lib.L('x').part(t),
                     lambda: lib.numbers(1, t), lambda: copy.copy(C(t)), lambda: copy.deepcopy(C({'a': t})), lambda: set([t]),
                     lambda: re.compile(t), lambda: io.StringIO(t), lambda: lib.later(t), lambda: collections.deque([t]),
                     lambda: lib.call(C, t), lambda: (lambda: t), lambda: lib.call(lambda: C(t)), lambda: type(t, (), {})):
            x = make()
            name = type(x).__name__
            r = weakref.ref(x, lambda r: print('callback', r() is None))
            values['x'] = x
            weakref.finalize(x, print, 'finalized', name)
            try: keys[x] = 1; some.add(x)
            except TypeError: pass
            y = x
            del x
            show('still', name, r() is y)
            if hasattr(y, 'close'): y.close()
            del y
            gc.collect() if name in ('type', 'deepcopy') else None
            show('gone', r())
        p = weakref.proxy(lib.L(t))
        try: p.name
        except ReferenceError as e: print(e)
        m = weakref.WeakMethod(D('m').m); print(m())
        cache = weakref.WeakValueDictionary()
        def cached(key):
            if key not in cache: found = cache[key] = lib.L(key); return found
            return cache[key]
        a = cached(t); b = cached(tag('text')); print(a is b, len(cache)); a = None; print(len(cache)); b = None; print(len(cache))
        """
    ),
    "files are closed as they are": _p(
        """
        import gc, io, os, tempfile, socket, csv, gzip, json, zipfile, lib
        gc.disable()  # a GzipFile is a cycle: when the collector comes is chance
        t = tag('text.txt')
        def link(fd):
            try: return os.readlink('/proc/self/fd/' + fd)
            except OSError: return ''
        def opened(): return sorted(os.path.basename(l) for l in map(link, os.listdir('/proc/self/fd')) if l.startswith(os.getcwd() + '/'))
        def f(): return open(t, 'w')
        open(t, 'w').write(tag('some\\ntext\\n'))
        print('-- dropped'); open(t).read(); print(open(t).readline()); [line for line in open(t)]
        for line in open(t): break
        print('-- variable'); x = open(t); x = None; x = f(); x.write(t); del x; print(open(t).read())
        print('-- passed'); json.dump([t], open(t, 'w')); json.load(open(t)); lib.same(open(t)); list(csv.reader(open(t)))
        print('-- unpacked'); a, *b = open(t); a = b = None
        print('-- with')
        with open(t) as x: pass
        print(x.closed); x = None
        with io.TextIOWrapper(open(t, 'rb')) as x: x.read()
        print('-- kinds'); io.StringIO(t); io.BytesIO(t.encode()); gzip.open('g.gz', 'w');
        x = tempfile.NamedTemporaryFile('w', dir='.'); n = x.name; print(os.path.exists(n)); x = None; print(os.path.exists(n))
        x = tempfile.TemporaryDirectory(dir='.'); n = x.name; x.cleanup(); x = None; print(os.path.exists(n))
        x = zipfile.ZipFile('z.zip', 'w'); x.writestr(t, t); x = None; print(zipfile.ZipFile('z.zip').namelist())
        print('-- function')
        def g():
            x = open(t)
            return [x.readline(), x.read()]
        g()
        def h():
            with open(t) as x: yield from x
        next(h()); i = h(); next(i); i = None
        print(opened())
        last = open(t)
        """,
        PYTHONWARNINGS="always",
    ),
    "objects that outlive the program": _p(
        """
        import lib, atexit, weakref
        t = tag('text')
        class Last:
            def __init__(self, name): self.name = name
            def __del__(self):
                text = f'{self.name} {len(self.name) + 1}'
                parts = [c.upper() for c in self.name.split()]
                total = 0
                for part in parts: total += len(part)
                print('last', text, parts[0] + '!', '%s' % self.name, total)
        a, b = Last('one'), Last(tag('two three'))
        c = lib.L(t); d = [Last('in list')]
        e = Last('cycle'); e.me = e
        Last.kept = Last('on class')
        def f(): return g.h
        g = Last('global'); g.f = f
        weakref.finalize(g, lambda: print('finalize', t + '!', f'{len(t)}'))
        atexit.register(lambda: print('atexit', t[:2] + '.', '__file__' in globals(), sorted([t])))
        i = lib.numbers(2, t); next(i)
        lib.kept = Last('in library')
        sys.kept = Last('in sys')
        print('end')
        """
    ),
}

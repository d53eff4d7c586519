"""More programs for test_like_python.py: what a program can learn about itself."""

from __future__ import annotations

from .like_python import Program, _p

_TEMPLATES = [
    "%s%s", "%s %r %%", "%%%s%a", "%5s|%-5s", "%05s%+s", "%.2s%9.3s", "%00s%-0r", "%123s%s", "%.123s%s", "%5.s%.s", "%s", "%s%s%s",
    "%d%s", "%(a)s%s", "%ls%s", "%c%s", "%", "%s%", "", "%%", "x", "% s%#s", "%*s", "%i %s", "%-s%.0s",
]  # fmt: skip

FRAMES: dict[str, Program] = {
    "texts formatted by percent": _p(
        "import traceback\nclass C:\n    def __init__(self, n):\n        print('made', n)\n        self.n = n\n"
        "    def __str__(self):\n        print('str', self.n)\n        return 'c' * self.n\n    __repr__ = __str__\n"
        "    def __del__(self):\n        print('del', self.n)\n"
        + "".join(
            f"try: print({template!r} % (C(1), C(2)))\nexcept Exception: traceback.print_exc()\n"
            for template in _TEMPLATES
        )
        + "print('%s' % (1,), '%s' % 1, '%s %s' % (*'ab',), b'%s' % (b'x',), '%s' % ((1, 2),), '%%' % (), '' % (), '%s' % [C(3)])\n"
        "try: print('%s %s' % (C(1), 1 /\n 0))\nexcept Exception: traceback.print_exc()\n"
        "class E:\n    def __str__(self): return 1\ntry: print('%s %s' % (C(1),\n E()))\nexcept Exception: traceback.print_exc()\n"
    ),
    # -- where things are
    "positions in a traceback": _p(
        """
        import sys, traceback

        def f(x): return x

        class C:
            def __getattr__(self, name):
                raise AttributeError(name)
            __add__ = __getitem__ = __call__ = __enter__ = lambda *a: 1 / 0

        c = C()
        for source in [
            "f(c)   .  name", "1 + (c + 1) + 2", "c\\\\\\n[\\n1]", "f(1)(2)", "(c\\n (1,\\n 2))", "f'{f(1)} {c.x!r:>{c.y}}'",
            "[f(i) for i in (1, 2)\\n if c.z]", "x = y = c.a.b", "a, b = f(1)", "c.a += c.b", "c[c.a] += 1", "f(*c.a, **c.b)",
            "with c: pass", "for i in c:\\n  pass", "assert not c.a", "del c.q", "raise c", "lambda: 1\\nc.q()\\n", "-c", "f(x=c.a\\n,y=2)",
            "f(1, 2)", "len(5)", "int('x')", "{}['k']", "[][0]", "'a'.b", "f(1)\\\\\\n  .c\\\\\\n  .d()", "f\\\\\\n (c\\n  .x)", "await_ = c.x if c else 0",
        ]:
            try:
                exec(compile(source, "<source>", "exec"))
            except Exception as error:
                frames = [(p.f_code.co_name, n) for p, n in traceback.walk_tb(error.__traceback__)]
                print(repr(source), type(error).__name__, error, frames)
        """
    ),
    "errors at every kind of operation": _p(
        """
        import traceback

        class C:
            def __getattr__(self, name):
                raise AttributeError(name)
            def __setattr__(self, name, value):
                raise TypeError("set")
            __add__ = __getitem__ = __setitem__ = __call__ = __enter__ = __neg__ = __format__ = lambda *a: 1 / 0
            __exit__ = None

        c, f, n = C(), lambda *a, **k: a, None

        def show(g):
            try:
                g()
            except Exception:
                traceback.print_exc()

        def a1():
            c.a += 1
        def a2():
            c[0] += (1 +
                2)
        def a3():
            x = (f(1)
                 [c.b])
        def a4():
            with c as d:
                pass
        def a5():
            for x, y in [(1, 2), (3,)]:
                pass
        def a6():
            f(*n, **n)
        def a7():
            return f'''{c.x}
            {c}'''
        def a8():
            return f'{c!r:>{c.y}}'
        def a9():
            return [x.y for x in f(1)
                    if x]
        def b1():
            return (-
                    c) + 1
        def b2():
            (f(1)
             .index(2))
        def b3():
            yield_ = (x / 0 for x in [1])
            print(*yield_)
        def b4():
            match n:
                case None if c.z:
                    pass
        def b5():
            a = b = c.q = 1
        def b6():
            del c[0], c.x
        def b7():
            assert f(n.x), 'm'
        def b8():
            raise ValueError(f"{1 / 1}") from n.x
        def b9():
            n += 1
        def c1():
            return lambda: n.x, (lambda: n.y)()
        def c2():
            async def co():
                async with f(1):
                    await n
            co().send(None)
        def c3():
            async def co():
                await n
            co().send(None)
        def c4():
            async def co():
                async for x in n:
                    pass
            co().send(None)
        def c5():
            a, *b = n
        def c6():
            [*n, *f(1)]
        def c7():
            {**n}
        def c8():
            x = 1 if n.x else \\
                2
        def c9():
            print("%d" % "x", "%s" % (1, 2))
        def d1():
            "{} {}".format(1)
        def d2():
            (1).foo(c.x)
        def d3():
            f(1)(2)
        def d4():
            x: int = n[0]
        def d5():
            while n.x: pass
        def d6():
            return f(1) @ f(2)
        def d7():
            return 1 < f(1) < 2
        def d8():
            print(f"{n.x=}")
        def d9():
            f(a.b for a in [n])[0].send

        for name, g in list(globals().items()):
            if len(name) == 2 and name[1].isdigit():
                print(name, flush=True)
                show(g)
        """
    ),
    "errors of generators and coroutines": _p(
        """
        import asyncio, traceback
        def g():
            x = yield 1
            yield x.y
        def h():
            r = yield from g()
            return r
        async def co(n):
            if n == 0:
                await asyncio.sleep(0)
                return None.x
            return await co(n - 1)
        async def ag():
            yield 1
            raise KeyError('k')
        async def main():
            for f in (lambda: co(3), lambda: asyncio.gather(co(1), co(0)), lambda: asyncio.wait_for(co(1), 1)):
                try:
                    await f()
                except Exception:
                    traceback.print_exc()
            try:
                async for x in ag():
                    print(x)
            except KeyError:
                traceback.print_exc()
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(1)
            except TimeoutError:
                traceback.print_exc()
            async with asyncio.TaskGroup() as group:
                group.create_task(co(1))
        i = h()
        next(i)
        try:
            i.send(5)
        except Exception:
            traceback.print_exc()
        import sys
        if sys.version_info >= (3, 11):
            asyncio.run(main())
        """
    ),
    "names and objects of errors": _p(
        """
        class C: pass
        c = C()
        for f in (lambda: c.x, lambda: C.y, lambda: nope, lambda: c.x.y, lambda: __import__('nope'), lambda: {}['k']):
            try:
                f()
            except Exception as e:
                print(repr(e), getattr(e, 'name', 0), getattr(e, 'obj', 0) is c, e.args, e.__traceback__.tb_lasti > 0)
        """
    ),
    # -- inspect
    "what a function uses": _p(
        """
        import inspect
        def f(a, b):
            def g(c): return len(str(c)) + a + b
            return g
        found = inspect.getclosurevars(f(1, 2))
        print(inspect.getclosurevars(f), found.nonlocals, found.globals, sorted(found.builtins), found.unbound)
        print(inspect.signature(inspect.getclosurevars), inspect.getclosurevars.__name__, inspect.getclosurevars.__module__)
        print(inspect.getsource(inspect.getclosurevars)[:30])
        try: inspect.getclosurevars(3)
        except TypeError: import traceback; traceback.print_exc()
        """
    ),
    "inspect": _p(
        '''
        import inspect, functools

        @functools.lru_cache
        def cached(a, b=1): "cached doc"; return a

        class A:
            """doc of A

            more"""
            x: int = 1

            def m(self, a, /, b: "str" = 'x', *args, c=[1 + 1], **kw) -> None:
                """doc of m"""
                return f"{a + b}"

            @staticmethod
            def s(a): return lambda y: y + a

            @property
            def p(self):
                return self.x + 1

        def outer():
            v = 1
            def inner(): return v + 1
            return inner

        async def co(x): return await x
        def gen(): yield 1
        async def agen(): yield 1

        for f in (cached, A.m, A.s, A.s(1), outer, outer(), co, gen, agen, A):
            print(inspect.getsource(f), inspect.getsourcelines(f)[1], inspect.getdoc(f), inspect.getmodule(f))
            if f is not A:
                print(f is cached or (inspect.getfile(f) == __file__, inspect.getsourcefile(f) == __file__))
                print(inspect.signature(f), inspect.isfunction(f), inspect.iscoroutinefunction(f),
                      inspect.isgeneratorfunction(f), inspect.isasyncgenfunction(f), inspect.unwrap(f).__qualname__)
        print(inspect.getclosurevars(outer()).nonlocals, inspect.getclosurevars(A.m).globals)
        print(inspect.getcomments(A), [n for n, _ in inspect.getmembers(A) if not n.startswith('__')])
        code = A.m.__code__
        print(code.co_varnames, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_freevars,
              code.co_cellvars, code.co_flags, code.co_name, code.co_firstlineno, code.co_filename == __file__)
        print(A.m.__defaults__, A.m.__kwdefaults__, A.m.__annotations__, A.__annotations__, A.m.__module__, A.m.__qualname__)
        print(outer().__closure__[0].cell_contents, inspect.getargvalues(inspect.currentframe()).args)
        i = gen()
        print(inspect.getgeneratorstate(i), i.gi_frame.f_lineno, next(i), inspect.getgeneratorlocals(i), i.gi_code.co_name)
        c = co(1)
        print(inspect.getcoroutinestate(c), c.cr_frame.f_locals, c.cr_origin, c.__name__)
        c.close()
        frame = inspect.currentframe()
        print(inspect.getframeinfo(frame).code_context, frame.f_lineno, frame.f_back, frame.f_builtins is vars(__builtins__))
        print(inspect.signature(inspect.signature), inspect.signature(len))
        '''
    ),
    "the stack with code and positions": _p(
        """
        import inspect, traceback, sys
        def where():
            return [(i.filename == __file__, i.lineno, i.function, i.code_context, i.index,
                     getattr(i, 'positions', None)) for i in inspect.stack()[1:]]
        class C:
            def __init__(self): self.w = where()
            def m(self, x): return where()
            __add__ = __getitem__ = m
            def __getattr__(self, n): return where()
            def __iter__(self): yield where()
            def __str__(self): return str(where())
            def __eq__(self, o): return where()
            def __contains__(self, o): print(where()); return True
            def __hash__(self): print(where()); return 1
            def __bool__(self): print(where()); return True
            def __enter__(self): print(where())
            def __exit__(self, *a): print(where())
            def __set_name__(self, o, n): print(where())
            def __del__(self): print('del', where())
            def __iadd__(self, o): print(where()); return self
            def __setitem__(self, k, v): print('set', where())
            def __setattr__(self, k, v): print(where()) if k != 'w' else object.__setattr__(self, k, v)
        c = C()
        print(c.w, c.m(1), c + 1, c[0], c.attr, list(c), str(c), f'{c}', '%s' % c, c == 1, 1 in c, {c}, not c)
        c.z = (c
               .m(2))
        c[0] = 1
        c += 1
        c[1] += 2 if 0 else []
        for x in c: print(x)
        [a] = c
        with c: pass
        class D:
            d = c
        print(where(), [where() for _ in (1,)], (lambda: where())(), list(map(lambda x: where(), [1])))
        sorted([2, 1], key=lambda k: print(where()) or k)
        print(eval('where()'))
        exec('print(where())')
        def g(n): return where() if n == 0 else g(n - 1)
        print(g(3))
        traceback.print_stack()
        del c, D
        """
    ),
    "walking frames": _p(
        """
        import sys, inspect
        def names(frame):
            found = []
            while frame:
                found.append((frame.f_code.co_name, frame.f_lineno, sorted(frame.f_locals)[-2:]))
                frame = frame.f_back
            return found
        def deco(f):
            def inner(*a, **k):
                here = names(sys._getframe())
                return f(*a, **k), here
            return inner
        @deco
        def f(a, b=2):
            c = a + b
            return names(sys._getframe()), sys._getframe().f_locals['c']
        print(f(1))
        def caller_globals(): return sys._getframe(1).f_globals is globals()
        print(caller_globals(), sys._getframe(0).f_lineno, sys._getframe().f_code.co_name)
        for n in (1, 2):
            try:
                print(sys._getframe(n))
            except ValueError as e:
                print(e)
        print({k: [x[0] for x in names(v)] for k, v in sys._current_frames().items()}.values())
        def g():
            yield names(sys._getframe())
            yield from (names(sys._getframe()) for _ in 'a')
        print(*g())
        import threading
        t = threading.Thread(target=lambda: print(names(sys._getframe())))
        t.start(); t.join()
        def set_local():
            frame = sys._getframe()
            x = 1
            frame.f_trace = None
            return frame.f_lasti > 0, frame.f_trace_lines
        print(set_local())
        """
    ),
    "warnings and their stack levels": _p(
        """
        import warnings, functools
        warnings.simplefilter('always')
        def old(level): warnings.warn(f'level {level}', UserWarning, stacklevel=level)
        def calls(level): old(level)
        class C:
            def __add__(self, o): warnings.warn('add', stacklevel=2); return self
            def __getitem__(self, k): warnings.warn('item', stacklevel=2)
            def __str__(self): warnings.warn('str', stacklevel=2); return 's'
            def __iter__(self): warnings.warn('iter', stacklevel=2); return iter(())
            def __init_subclass__(cls): warnings.warn('sub', stacklevel=2)
            @property
            def p(self): warnings.warn('p', stacklevel=2); return self
            def __enter__(self): warnings.warn('enter', stacklevel=2)
            def __exit__(self, *a): warnings.warn('exit', stacklevel=2)
        c = C()
        for level in (1, 2, 3, 4): calls(level)
        (c + 1)[
            2]
        f'{c}'; str(c); '%s' % c; '{}'.format(c)
        list(c); [*c]; c.p.p
        for x in c: pass
        with c: pass
        class D(C): pass
        functools.partial(old, 2)()
        list(map(old, [2]))
        sorted([2], key=old)
        @functools.lru_cache
        def k(): old(2)
        k()
        warnings.warn_explicit('explicit', UserWarning, 'file.py', 3)
        warnings.simplefilter('default')
        for _ in range(2): old(2)
        with warnings.catch_warnings(record=True) as caught:
            old(2)
        print([(str(w.message), w.lineno, w.filename == __file__) for w in caught], '__warningregistry__' in globals())
        import collections, abc
        try:
            warnings.warn('x', 5)
        except TypeError as e: print(e)
        def gen():
            warnings.warn('gen', stacklevel=2)
            yield
        next(gen())
        for _ in gen(): pass
        """
    ),
    "logging and its callers": _p(
        """
        import logging, sys, functools
        logging.basicConfig(stream=sys.stdout, level=0,
            format='%(pathname).0s%(filename)s:%(lineno)d %(funcName)s %(levelname)s %(name)s %(message)s')
        log = logging.getLogger('x')
        def f(*a): log.info('f %s', a, stack_info=bool(a))
        class C:
            def __add__(self, o): log.warning('add'); return o
            def __str__(self): log.warning('str'); return 's'
            @property
            def p(self): log.error('p')
            def __getitem__(self, k): log.log(10, 'item', stacklevel=2)
        f(); f(1)
        c = C()
        c + 1; c.p; c[0]
        log.info('value %s', c)
        log.info(f'value {c}')
        (log.info if 1 else 0)('chosen')
        getattr(log, 'info')('by name')
        functools.partial(log.info, 'partial')()
        list(map(log.info, ['mapped']))
        [log.info('in list %d', i) for i in (1,)]
        (lambda: log.info('lambda', stacklevel=2))()
        adapter = logging.LoggerAdapter(log, {'a': 1}); adapter.info('adapter')
        try: 1/0
        except Exception: log.exception('failed'); logging.exception('root')
        def wrapper(m, level=2): log.info(m, stacklevel=level)
        wrapper('a'); wrapper('b', 3); wrapper('c', 9)
        def g(): yield log.info('gen')
        list(g())
        print(log.findCaller()[1:3])
        """
    ),
    # -- names and scopes
    "name mangling everywhere": _p(
        """
        class __A:
            __x = 1
            def __init__(self, __p=2, *, __k=3):
                self.__y = __p + __k
                self.__z: int = 0
                (__local := 5)
                __f = lambda __a: __a + __p
                self.__l = [__c for __c in (1, 2) if __c + 0]
                print(sorted(locals()), __f(1), __local)
            def __m(self): return self.__x + self.__y
            def go(self, o):
                o.__y += 1; o.__y -= self.__x; o.__l[0] += 1
                del o.__z
                try: o.__nope
                except AttributeError as e: print(e, e.name)
                for o.__i in (1, 2): pass
                import os as __os
                global __g
                __g = self.__m()
                with open(__os.devnull) as o.__file: pass
                o.__file = None
                match o:
                    case object(__y=v): print(v)
                return f'{o.__y} {self.__m()} {o.__i + o.__x!r}', getattr(o, '_A__y'), __os.sep
            class __B:
                __q = 4
                def r(self): return self.__q, __class__.__name__
            b = __B().r()
        a = __A()
        print(a.go(a), sorted(vars(a)), __A.b, [n for n in vars(__A) if 'A' in n], _A__g)
        class _:
            __x = 1
            def f(self): return self.__x
        print(_().f(), [n for n in vars(_) if 'x' in n])
        class T__:
            def f(self): self.__dunder__ = 1; self.__t = 2; return vars(self)
        print(T__().f())
        """
    ),
    "super in all its forms": _p(
        """
        class A:
            x = 1
            def __new__(cls, *a): return super().__new__(cls)
            def __init__(self, *a): super().__init__(); self.a = a
            def m(self, *a): return ('A.m', a)
            @classmethod
            def c(cls): return ('A.c', cls.__name__)
            @staticmethod
            def s(): return 'A.s'
            @property
            def p(self): return 'A.p'
            def __getattribute__(self, n): return super().__getattribute__(n)
            def __setattr__(self, n, v): super().__setattr__(n, v)
            def __getitem__(self, k): return ('A[]', k)
            def __init_subclass__(cls, **k): super().__init_subclass__(); cls.k = k
            def __repr__(self): return 'A()'
        class B(A, opt=1):
            def m(self, *a):
                f = lambda: super(B, self).m(0)
                g = super().m
                def inner(): return super(__class__, self).m(9)
                l = [super(B, self).m(i) for i in (1,)]
                return super().m(*a), super(B, self).m(), super(B, B).m(self), f(), g(7), inner(), l, super().x, super().p
            @classmethod
            def c(cls): return super().c(), super(B, cls).c(), super().x
            @staticmethod
            def s(): return super(B, B).s(), A.s()
            @property
            def p(self): return super().p + '!'
            def __getitem__(self, k): return super().__getitem__(k + 1)
            def gen(self):
                yield super().m()
                yield from (super(B, self).m(i) for i in (1,))
            async def co(self): return super().m()
            def __repr__(self): return f'B:{super().__repr__()}{super().x=}'
            def late(self): return super
            def nested(self):
                class C(B):
                    def m(s): return super().m.__qualname__, __class__.__name__
                return C().m()
            def exec_(self): return eval('super(__class__, self).m()', {'super': super, '__class__': __class__, 'self': self})
        b = B(1)
        print(b.m(5), B.c(), b.c(), B.s(), b.p, b[1], list(b.gen()), b, b.late() is super, b.nested(), b.exec_(), B.k, b.a)
        try: b.co().send(None)
        except StopIteration as e: print(e.value)
        def outside(self): return super().m()
        B.o = outside
        for f in (b.o, lambda: super().x, lambda: super(int, 'a').x, lambda: super(1, 2)):
            try: f()
            except Exception as e: print(type(e).__name__, e)
        class M(type):
            def __call__(cls, *a): return super().__call__(*a)
            def __new__(m, n, b, d, **k): return super().__new__(m, n, b, d)
            def __prepare__(n, b, **k): return super(M, M).__prepare__(n, b)
        class T(metaclass=M):
            def __del__(self):
                try: super().__del__()
                except AttributeError as e: print(e)
        T()
        s = super(B, b); print(s.__thisclass__, s.__self__, s.__self_class__, type(s))
        mine = super
        class D(A):
            def m(self):
                try: return mine().m()
                except RuntimeError as e: return str(e)
            def n(self):
                super = lambda: 'shadowed'
                return super()
        print(D().m(), D().n())
        """
    ),
    "__class__ and class bodies": _p(
        """
        class A:
            y = [x for x in range(3)]
            z = y[0] + 1
            z += 1
            locals()['w'] = 5
            v = w + 1
            names = sorted(n for n in locals() if not n.startswith('__'))
            print(names, __module__, __qualname__)
            def cls(self): return __class__
            def nl(self):
                nonlocal_ = 1
                def f():
                    nonlocal nonlocal_
                    nonlocal_ += 1
                    return nonlocal_, __class__
                return f()
            for i in range(2): pass
            try: undefined_name
            except NameError as e: print(e)
            if z > 1:
                def cond(self): return 'c'
            with open('/dev/null') as fh: fh = None
            f = lambda self: __class__
            exec('made = z + 1')
            print(eval('made'), made)
            del i
            def setter(self): self.__class__ = B; return self.__class__
        class B(A): pass
        a = A()
        print(a.cls(), a.nl(), a.cond(), a.f(), a.setter(), type(a), sorted(A.__dict__.keys() - {'__static_attributes__', '__firstlineno__'}))
        class Counting(dict):
            def __getitem__(self, k): print('get', k); return dict.__getitem__(self, k)
            def __setitem__(self, k, v): print('set', k); dict.__setitem__(self, k, v)
        class Meta(type):
            def __prepare__(n, b): return Counting()
        class C(metaclass=Meta):
            a = 1
            a += 1
            b = a + a
            c = [a]
            c[0] += b
            d = f'{a} {b!r}'
            def e(self): return a
            print(a, b.real, len(c))
        """
    ),
    "locals, globals, eval and exec": _p(
        """
        def f(a, b=2, *c, d=4, **e):
            g = a + b
            h = [i for i in range(g)]
            (j := 5)
            g += 1
            a, (k, *l) = 1, [2, 3]
            l[0] += 1
            x = f'{a}{j!r:>{k}}'
            for m in h: pass
            with open('/dev/null') as n: n = 0
            try: 1/0
            except ZeroDivisionError as o: p = str(o)
            import os as q
            q = 0
            class R: s = a
            R = R.s
            t = lambda: a
            t = t()
            return locals(), sorted(vars()), dir()
        print(f(1), f.__code__.co_varnames, f.__code__.co_cellvars)
        print(sorted(n for n in globals() if not n.startswith('__')), globals() is vars(), locals() is globals())
        v = 1
        print(eval('v + 1'), eval('v + w', {'w': 2, 'v': 3}), eval('[v for _ in "ab"]'), eval(compile('v', 's', 'eval')))
        exec('v += 1; u = [v]'); print(v, u)
        def g():
            v = 10
            exec('v = 11')
            eval('(v := 12)') if 0 else None
            return v, eval('v + 1'), eval('v', globals()), eval('locals()') == {'v': v}
        print(g())
        scope = {}
        exec('def made(x):\\n    return x + y, sorted(globals())[-2:]\\ny = 3', scope); print(scope['made'](1))
        exec('class K:\\n    def m(self): return super().__repr__()[:5], __class__', scope); print(scope['K']().m()[0])
        print(eval('__name__'), eval('__file__') == __file__)
        for s in ('1 +', 'x y', 'nope', '1/0', 'lambda: (yield)', 'def'):
            try: print(eval(s))
            except Exception as e: print(type(e).__name__, e, getattr(e, 'lineno', 0), getattr(e, 'offset', 0))
        import builtins
        print(sorted(n for n in dir(builtins) if not n[0].isalpha() and n[0] not in '_@'), __builtins__ is builtins)
        def closure():
            z = 1
            def inner():
                nonlocal z
                z += 1
                return locals()
            return inner(), z
        print(closure())
        def dels():
            x = 1
            del x
            try: x
            except UnboundLocalError as e: print(e)
            return locals()
        print(dels())
        code = compile('a = 1\\nb = a + 1', 'name.py', 'exec'); print(code.co_filename)
        """
    ),
    # -- modules
    "recursion reaches as deep": _p(
        """
        import sys
        def f(n): return f(n + 1) if n < limit else n
        def g(n): return 1 + g(n - 1) if n else 0
        def h(n): return h(*[n - 1]) if n else 0
        def i(n, **k): return f'{i(n - 1, **k)}' if n else ''
        class T:
            def m(self, n): return self.m(n - 1) if n else n
            def __getattr__(self, name): return 0 if name == 'a0' else getattr(self, 'a' + str(int(name[1:]) - 1))
            def __add__(self, n): return self + (n - 1) if n else 0
            def __getitem__(self, n): return self[n - 1] if n else 0
            def __call__(self, n): return self(n - 1) if n else 0
        limit = 950
        print(f(0), g(950), h(950), i(950), T().m(950), T() + 450, T()[450], T()(450))
        def gen(n):
            if n: yield from gen(n - 1)
            yield n
        print(sum(gen(950)))
        def comp(n): return [comp(n - 1) for _ in (1,)] if n else []
        comp(450)
        async def co(n): return await co(n - 1) if n else 0
        try: co(950).send(None)
        except StopIteration as e: print(e.value)
        print(sys.getrecursionlimit(), max(limit, 1))
        for call in (lambda: f(-10**6), lambda: g(10**6), lambda: T().m(10**6)):
            try: call()
            except RecursionError as e: print(str(e)[:32])
        """
    ),
    "reloading in every way": _p(
        """
        import importlib.util, sys, helper, pack, pack.sub
        first = helper.f
        print(helper.f(1), helper.count)
        open(helper.__file__, 'w').write('try: count += 1\\nexcept NameError: count = 0\\ndef f(x): return x + 100\\n')
        importlib.invalidate_caches()
        again = importlib.reload(helper)
        print(again is helper, helper.f(1), first(1), helper.count, first.__code__.co_filename == helper.f.__code__.co_filename)
        print(importlib.reload(pack.sub) is pack.sub, importlib.reload(pack) is pack, pack.sub.x)
        del sys.modules['helper']
        import helper as other
        print(other is helper, other.count)
        open(helper.__file__, 'w').write('x = (')
        try: importlib.reload(other)
        except SyntaxError as e: print(e.msg, e.lineno, other.f(2))
        spec = importlib.util.spec_from_file_location('by_path', pack.sub.__file__)
        module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
        print(module.x, module.__name__, type(spec.loader).__name__[-16:], module.__loader__.get_source('by_path')[:5])
        print(importlib.import_module('.sub', 'pack').x, importlib.util.find_spec('pack.sub').origin == pack.sub.__file__)
        print(pack.sub.__spec__.name, pack.sub.__spec__.has_location, pack.sub.__package__, pack.__path__[0] == pack.__spec__.submodule_search_locations[0])
        import pkgutil, runpy
        print([m.name for m in pkgutil.iter_modules(pack.__path__)], pkgutil.get_data('pack', 'data.txt'))
        print(runpy.run_path(pack.sub.__file__)['x'], runpy.run_module('pack.sub')['x'])
        import inspect, linecache
        print(inspect.getsource(pack.sub.f), linecache.getline(pack.sub.__file__, 1), inspect.getmodule(pack.sub.f) is pack.sub)
        import importlib.resources
        print(importlib.resources.files('pack').joinpath('data.txt').read_text())
        try: import pack.nope
        except ImportError as e: print(e, e.name, e.path)
        try: from pack import nope
        except ImportError as e: print(str(e)[:40], e.name)
        def lazy():
            import lazy_one; return lazy_one.x + 1
        print(lazy(), lazy())
        from pack import *
        print(sub.x, exported)
        """,
        files={
            "helper.py": "try: count += 1\nexcept NameError: count = 0\ndef f(x): return x + 1\n",
            "pack/__init__.py": "__all__ = ['sub', 'exported']\nexported = 1 + 1\n",
            "pack/sub.py": "x = 1 + 1\ndef f(a):\n    return a + x\n",
            "pack/data.txt": "data",
            "lazy_one.py": "x = 1\n",
        },
    ),
    "namespace packages": _p(
        """
        import sys
        sys.path += ['other']
        import space.one, space.two, space.deep.er
        print(space.one.x + space.two.x, list(space.__path__) and len(space.__path__), space.__file__, space.__spec__.origin)
        print(space.deep.er.f(), type(space.__loader__).__name__, space)
        space.deep.er.fails()
        """,
        files={
            "space/one.py": "x = 1",
            "other/space/two.py": "x = 2",
            "other/space/deep/er.py": "from ..one import x\ndef f(): return x + 1\ndef fails():\n    return x.y\n",
        },
    ),
    "imports from a zip file": _p(
        """
        import zipfile, sys, importlib, os, traceback
        with zipfile.ZipFile('lib.zip', 'w') as z:
            z.writestr('zipped.py', 'import inspect\\nx = 1 + 1\\ndef f(a):\\n    return a + x\\ndef fails():\\n    return x.y\\n')
            z.writestr('zpack/__init__.py', 'from . import inner\\n')
            z.writestr('zpack/inner.py', 'x = [i * 2 for i in range(3)]\\n')
            z.writestr('zpack/data.txt', 'data')
        sys.path.insert(0, 'lib.zip')
        import zipped, zpack.inner, inspect, pkgutil
        print(zipped.f(1), zpack.inner.x, zipped.__file__, type(zipped.__loader__).__name__, inspect.getsource(zipped.f))
        print(pkgutil.get_data('zpack', 'data.txt'), zipped.__spec__.origin, zipped.__name__, os.path.isfile('lib.zip'))
        try: zipped.fails()
        except AttributeError: traceback.print_exc()
        print(importlib.reload(zipped).x)
        import zipimport
        print(zipimport.zipimporter('lib.zip').find_spec('zipped').name)
        """
    ),
    "a zip file as program": Program(
        argv=("run.py",),
        files={
            "run.py": "import zipapp, subprocess, sys, pathlib\npathlib.Path('d').mkdir(exist_ok=True)\n"
            "pathlib.Path('d/__main__.py').write_text('import other\\nprint(__name__, other.f(1), __file__)\\n1/0\\n')\n"
            "pathlib.Path('d/other.py').write_text('def f(x):\\n    return x + 1\\n')\nzipapp.create_archive('d', 'app.pyz')\n"
            "p = subprocess.run([sys.executable, 'app.pyz'], capture_output=True, text=True)\nprint(p)\n"
            "sys.path.insert(0, 'app.pyz')\nimport runpy\nrunpy.run_path('app.pyz', run_name='__main__')\n"
        },
    ),
    "warnings of the context": Program(  # of Python 3.14: before, an option that says nothing
        argv=("-X", "context_aware_warnings=1", "-W", "error::ImportWarning", "program.py"),
        files={
            "program.py": "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n"
            "    warnings.simplefilter('always')\n    import helper\n"
            "print([(str(w.message), w.lineno) for w in seen], helper.x + 1)\n",
            "helper.py": "x = 1\nx is 1\n",
        },
    ),
    "template strings": _p(  # of Python 3.14: before, a syntax error
        """
        from string.templatelib import Interpolation, Template, convert
        name, width = tag('name'), tag(9)
        def shown(t): return t.strings, [(i.value, i.expression, i.conversion, i.format_spec) for i in t.interpolations]
        print(shown(t'a{name!r:>{width}}b{len(name) + 1}{{}}{name=}'), shown(rt'\\d{name.upper()[0]}' t'{width}'))
        print(shown(t'{name}' + t'{width}'), repr(t'{name}'), type(t''), Template('a', Interpolation(name, 'n', 's', '>3')))
        print([convert(p.value, p.conversion) for p in t'{name!r}{width!s}{name}' if isinstance(p, Interpolation)])
        match t'<{name}>':
            case Template(strings=(before, after), interpolations=(Interpolation(value, source),)): print(before, value, source, after)
        try: t'{name}' + 'x'
        except TypeError as e: print(e)
        def fails(): return t'{name}{1 / (width - 9)}'
        fails()
        """
    ),
    "circular imports": _p(
        """
        import a
        print(a.x, a.b.y, a.b.get())
        import p.one
        print(p.one.two.one.v, p.two.w)
        try:
            import c
        except ImportError as e:
            print(str(e)[:80], e.name)
        import c
        """,
        files={
            "a.py": "import b\nx = 1\nfrom b import y\n",
            "b.py": "import a\ny = 2\ndef get():\n    return a.x + y\n",
            "p/__init__.py": "",
            "p/one.py": "from . import two\nv = 1\n",
            "p/two.py": "from . import one\nw = 2\n",
            "c.py": "from c2 import z\nq = 1\n",
            "c2.py": "from c import q\nz = 1\n",
        },
    ),
    "what the module of the program is": _p(
        """
        import sys, pickle, copy, types
        class C:
            def __init__(self, x): self.x = x
            def __reduce__(self): return C, (self.x + 1,)
            class Inner: pass
        class D:
            __slots__ = ('a',)
            def __getstate__(self): return {'a': self.a}
            def __setstate__(self, s): self.a = s['a']
        def f(): pass
        d = D(); d.a = [1]
        print(pickle.loads(pickle.dumps(C(1))).x, pickle.dumps(f), pickle.dumps(C), pickle.loads(pickle.dumps(C.Inner)) is C.Inner)
        print(pickle.loads(pickle.dumps(d)).a, copy.copy(d).a is d.a, copy.deepcopy(d).a is d.a, C.__module__, f.__module__)
        print(sys.modules['__main__'].C is C, sys.modules[C.__module__] is sys.modules[__name__], C)
        import __main__
        print(__main__.f is f, __main__.__spec__, type(__main__) is types.ModuleType, __main__.__dict__ is globals())
        try: pickle.dumps(lambda: 1)
        except Exception as e: print(type(e).__name__, e)
        import collections, dataclasses, enum
        @dataclasses.dataclass
        class P: a: int = 1
        class E(enum.Enum): A = 1
        print(pickle.loads(pickle.dumps([P(2), E.A])), E.A is pickle.loads(pickle.dumps(E.A)))
        """
    ),
    "processes that are started": _p(
        """
        import multiprocessing as mp, os, sys, helper
        from concurrent.futures import ProcessPoolExecutor

        class Task:
            def __init__(self, n): self.n = n
            def run(self): return self.n + 1, __name__, self.__class__.__module__, type(self).__qualname__

        def work(task): return task.run(), helper.twice(task.n)
        def fails(x): return x.nope
        def child(q): q.put((__name__, sys.argv[0], os.path.basename(sys.modules['__main__'].__file__), [m.__name__ for m in [helper]]))
        print('loaded', __name__)

        if __name__ == '__main__':
            for method in ('fork', 'spawn', 'forkserver'):
                context = mp.get_context(method)
                with context.Pool(1) as pool:
                    print(method, pool.map(work, [Task(1), Task(2)]))
                    try: pool.apply(fails, (1,))
                    except AttributeError as e: print(e, type(e.__cause__).__name__, str(e.__cause__))
                q = context.Queue()
                p = context.Process(target=child, args=(q,), name='child')
                p.start(); print(q.get()); p.join(); print(p.exitcode, p.name)
                p = context.Process(target=fails, args=(1,)); p.start(); p.join(); print(p.exitcode)
            with ProcessPoolExecutor(1, mp_context=mp.get_context('spawn')) as pool:
                print(list(pool.map(work, [Task(3)])))
            with mp.get_context('spawn').Manager() as m:
                d = m.dict(); d['a'] = 1; print(d.copy())
        """,
        files={"helper.py": "def twice(x):\n    return x + x\n"},
        env={"PYTHONUNBUFFERED": "1"},  # a pool's workers are killed, with what they have not written yet
    ),
    "spawned processes of a module": Program(
        argv=("-m", "pack.main"),
        files={
            "pack/__init__.py": "",
            "pack/other.py": "def f(x):\n    return x + 1\n",
            "pack/main.py": "import multiprocessing as mp\nfrom .other import f\ndef g(x):\n    return f(x), __name__\n"
            "if __name__ == '__main__':\n    with mp.get_context('spawn').Pool(1) as p:\n        print(p.map(g, [1]))\n",
        },
    ),
    "other programs that are started": _p(
        """
        import subprocess, sys, os
        print(subprocess.run([sys.executable, 'other.py', 'x'], capture_output=True, text=True))
        print(subprocess.run([sys.executable, '-m', 'other', 'x'], capture_output=True, text=True).returncode)
        print(subprocess.run([sys.executable, '-c', 'import other'], capture_output=True, text=True).stderr[-60:])
        print(sorted(k for k in os.environ if 'AO' in k), os.path.basename(sys.executable)[:6])
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, 'other.py', 'y'])
        """,
        files={"other.py": "import sys\nprint(sys.argv[1:], sys.flags.optimize)\n1/0\n"},
    ),
    # -- what watches a program
    "tracing every line": _p(
        """
        import sys
        class C:
            def __init__(self): self.x = [1]
            def __add__(self, o): return o
            def __enter__(self): return self
            def __exit__(self, *a): return True
            @property
            def p(self):
                return 1
        def deco(f):
            return f
        def gen():
            x = yield 1
            yield from (2, x)
        def f(c, n):
            a = b = n + 1
            a += (b
                  * 2)
            c.x[0] += a
            c.x.append(
                len(
                    'a'),
            )
            with c as d:
                d.p
                raise ValueError(
                    f'{a}'
                    f'{b!r}')
            for i, j in [(1, 2)]:
                if i == j: continue
                else:
                    k = i
            while a > 10:
                a -= 10
            else:
                a = 0
            try:
                c.nope
            except AttributeError as e:
                str(e)
            finally:
                b
            z = [y
                 for y in (1, 2)
                 if y]
            match n:
                case 0: pass
                case int(q) if q:
                    q
            @deco
            def inner(p=a):
                return (lambda: p)()
            class K:
                v = a
            v = (a if a else
                 b)
            return inner(), list(gen()), {**{'a': 1}}, not \\
                a
        seen = []
        def trace(frame, event, arg):
            if frame.f_code.co_filename == __file__:
                seen.append((event, frame.f_code.co_name, frame.f_lineno, type(arg).__name__))
            else:
                seen.append((event, frame.f_code.co_filename[-12:], frame.f_code.co_name))
            return trace
        sys.settrace(trace)
        f(C(), 3)
        sys.settrace(None)
        for x in seen: print(x)
        """
    ),
    "profiling": _p(
        """
        import sys, cProfile, pstats, io
        seen = []
        def f(x): return len(str(x + 1)) + sorted([3, 1], key=lambda k: -k)[0]
        sys.setprofile(lambda frame, event, arg: seen.append((event, frame.f_code.co_name, getattr(arg, '__name__', ''))))
        f(1)
        sys.setprofile(None)
        print([s for s in seen if not s[0].startswith('c_')])
        profile = cProfile.Profile()
        profile.runcall(f, 2)
        print(sorted({k[2] for k in pstats.Stats(profile).stats if k[0] == __file__}))
        """
    ),
    "monitoring": _p(
        """
        import sys
        if sys.version_info < (3, 12):
            sys.exit(0)
        mon, seen = sys.monitoring, []
        class C:
            def __getitem__(self, k): return k
        def gen(): yield 1
        def f(a):
            b = a + 1
            for i in gen():
                b += i
            try:
                C()[b].nope
            except AttributeError:
                pass
            return f'{b}'
        E = mon.events
        mon.use_tool_id(3, 'tool')
        ours = lambda code: seen.append(code.co_filename) if code.co_filename != __file__ else None
        for event in ('PY_START', 'LINE', 'PY_RETURN', 'PY_YIELD', 'PY_RESUME', 'RAISE', 'EXCEPTION_HANDLED', 'PY_UNWIND'):
            def note(code, *args, event=event):
                seen.append((event, code.co_name, code.co_filename == __file__, args[0] if event == 'LINE' else type(args[-1]).__name__))
            mon.register_callback(3, getattr(E, event), note)
        mon.set_events(3, E.PY_START | E.LINE | E.PY_RETURN | E.PY_YIELD | E.PY_RESUME | E.RAISE | E.EXCEPTION_HANDLED | E.PY_UNWIND)
        f(1)
        mon.set_events(3, 0)
        print(*seen, sep='\\n')
        """
    ),
    "tracing from threads and the trace module": _p(
        """
        import threading, trace, sys, io, contextlib
        def f(x):
            y = x + 1
            for z in range(y):
                y += len(str(z))
            return y
        seen = []
        def note(frame, event, arg):
            if frame.f_code.co_filename == __file__:
                seen.append((event, frame.f_lineno))
            return note
        threading.settrace(note)
        t = threading.Thread(target=f, args=(1,)); t.start(); t.join()
        threading.settrace(None)
        print(seen)
        tracer = trace.Trace(count=1, trace=0, ignoredirs=[sys.prefix, sys.base_prefix])
        tracer.runfunc(f, 3)
        print(sorted((k[1], v) for k, v in tracer.results().counts.items() if k[0] == __file__))
        """
    ),
    "syntax warnings": _p(
        """
        x = 3
        print("a\\d", x is 3, bool(x == 3))
        def f():
            assert (x, 'always')
            return [1][x is 4] if x else (1)(2)
        import helper
        print(f())
        """,
        files={"helper.py": "y = '\\d'\nif y is 'z': pass\n"},
    ),
    "syntax warnings as errors": _p(
        "import helper\n", files={"helper.py": "y = 1\nif y is 1: pass\n"}, env={"PYTHONWARNINGS": "error"}
    ),
}

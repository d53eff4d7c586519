"""What every random program begins with: classes with what an operation may run into."""

from __future__ import annotations

PRELUDE = """\
import functools, itertools, json, re, copy

class Plain:
    kind = "plain"
    def __repr__(self):
        return f"{type(self).__name__}({vars(self)})"

class Obj(Plain):
    kind = "obj"
    def __init__(self, n=1):
        self.n = n
        self.parts = [n]
        self.__own = n
    def __add__(self, o):
        e("add", o)
        return Obj(self.n + 1) if isinstance(o, Obj) else NotImplemented
    def __radd__(self, o):
        e("radd", o)
        return Obj(self.n + 2)
    def __iadd__(self, o):
        e("iadd", o)
        self.n += 1
        return self
    def __mod__(self, o):
        return self.n % 7
    def __getitem__(self, k):
        e("getitem", k)
        return self.parts[0]
    def __setitem__(self, k, v):
        e("setitem", (k, v))
        self.parts[0] = v
    def __getattr__(self, name):
        e("getattr", name)
        if name.startswith("_"):
            raise AttributeError(name)
        return self.own
    def __lt__(self, o):
        return [] if e("lt", self.n) % 2 else [1]
    def __eq__(self, o):
        e("eq", self.n)
        return isinstance(o, Obj) and o.n == self.n
    __hash__ = None
    def __contains__(self, x):
        return e("contains", x) == self.n
    def __format__(self, spec):
        return e("format", spec) + f"<{self.n}>"
    def __str__(self):
        return f"Obj({self.n})"
    def __len__(self):
        return 1
    def __iter__(self):
        e("iter", self.n)
        yield self.n
        yield from [*self.parts]
    def __enter__(self):
        return e("enter", self)
    def __exit__(self, kind, error, trace):
        return bool(e("exit", kind is not None and self.n % 2))
    def __call__(self, *args, **kwargs):
        e("call", (args, kwargs))
        return self.n
    def add(self, x=1, *more, key=0):
        self.n = (self.n + len(more) + key + (x if isinstance(x, int) else 1)) % 97
        return self
    @property
    def own(self):
        return self.__own + 1
    @own.setter
    def own(self, value):
        self.__own = value
    @classmethod
    def make(cls, n=3):
        return cls(n)
    @staticmethod
    def double(n):
        return n + n

class Sub(Obj):
    kind = "sub"
    def __init__(self, n=2):
        super().__init__(n)
        self.extra = super().double(n)
    def add(self, *args, **kwargs):
        e("sub.add", args)
        return super(Sub, self).add(*args, **kwargs)
    @property
    def own(self):
        return super().own * 2

class Text(str):
    def __add__(self, o):
        return Text(str(self)[:20] + "+" + str(o)[:20])

def rec(n, acc=()):
    return acc if n <= 0 else rec(n - 1, (*acc, n))

def counted(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        e("before", f.__name__)
        return f(*args, **kwargs)
    return inner

i0, i1, i2 = tag(3), 7, tag(-1)
s0, s1, s2 = tag("some words of text"), "ab", tag("é")
l0, l1 = [1, tag(2), i0], tag_whole(lib.words(s0))
d0, d1 = {"a": 1, "b": tag("bee")}, {tag("k"): [i1]}
b0, b1 = True, False
o0, o1 = Obj(tag(4)), Sub(5)
"""

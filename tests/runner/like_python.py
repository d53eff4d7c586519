"""Small programs whose behaviour under `ao-record` must be that under `python`, byte for byte.

Each is a source text, with what else a run needs: `args`, `stdin`, `files` beside the script, `argv`
instead of the script (for `-m` and `-c`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent


@dataclass(frozen=True)
class Program:
    source: str = ""
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    files: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] | None = None
    script: str = "program.py"
    env: dict[str, str] = field(default_factory=dict)


def _p(source: str, *args: str, **more: object) -> Program:
    return Program(dedent(source), args, **more)  # type: ignore[arg-type]  # the keywords are the fields


PROGRAMS: dict[str, Program] = {
    # -- the process
    "prints": _p("print('hello')"),
    "no output at all": _p(""),
    "arguments and path": _p(
        "import sys, os\nprint(sys.argv, sys.path[0] == os.path.dirname(os.path.abspath(__file__)), sys.orig_argv[1:])",
        "a",
        "--name",
        "-x",
        "--",
    ),
    "module globals": _p("print(sorted(globals()), __name__, __file__, __spec__, __package__, __doc__, __cached__)"),
    "the loader": _p("print(type(__loader__).__name__, __loader__.path, __annotations__, __builtins__)"),
    "annotations": _p("x: int = 1\ny: 'a b' = 2\nprint(__annotations__)"),
    "standard input": _p("import sys\nprint(sys.stdin.read().upper(), sys.stdin.isatty())", stdin=b"one\ntwo\n"),
    "input()": _p("print(input('name? '))", stdin=b"Ada\n"),
    "end of input": _p("input('name? ')"),
    "bytes on both outputs": _p(
        "import sys\nsys.stdout.buffer.write(b'\\xff\\x00')\nsys.stderr.buffer.write(b'\\xfe\\n')"
    ),
    "unflushed output": _p("import sys\nsys.stdout.write('a')\nsys.stderr.write('b')\nprint('c', end='')"),
    "exit code": _p("import sys\nsys.exit(3)"),
    "exit with a text": _p("import sys\nsys.exit('cannot go on')"),
    "exit with None": _p("import sys\nsys.exit()"),
    "exit with True": _p("import sys\nsys.exit(True)"),
    "exit with an object": _p("raise SystemExit(['a', 1])"),
    "exit with a large number": _p("raise SystemExit(256 + 7)"),
    "exit in a function": _p(
        "import sys\ndef main():\n    try:\n        sys.exit(4)\n    finally:\n        print('f')\nmain()"
    ),
    "exit at once": _p("import os\nprint('x', flush=True)\nos._exit(5)"),
    "quit()": _p("quit(6)"),
    "an exit function": _p(
        "import atexit\natexit.register(print, 'one')\natexit.register(print, 'two')\nprint('three')"
    ),
    "an exit function after an error": _p("import atexit\natexit.register(print, 'bye')\n1/0"),
    "an exit function that fails": _p("import atexit\natexit.register(lambda: 1/0)"),
    "finalisation at exit": _p(
        "class D:\n    def __del__(self):\n        print('gone', self.n)\na = D()\na.n = 1\nb = D()\nb.n = 2\nb.me = b"
    ),
    "finalisation at once": _p(
        "class D:\n    def __del__(self):\n        print('gone')\ndef f():\n    D()\n    print('after')\n    x = [D()]\n    x[0]\n"
        "    print('still')\nf()\nprint('end')"
    ),
    "a weak reference dies": _p(
        "import weakref\nclass C:\n    pass\nc = C()\nr = weakref.ref(c, lambda r: print('dead'))\nc.x = 1\nprint(r() is c)\n"
        "del c\nprint(r())"
    ),
    "a file is closed when nobody holds it": _p(
        "def f():\n    open(__file__).read()\nf()\nprint('ok')", env={"PYTHONWARNINGS": "error"}
    ),
    # -- what ends a program
    "an uncaught error": _p("def f(x):\n    return 1 / x\n\n\ndef g():\n    f(0)\n\ng()"),
    "an error in a long expression": _p("a = 1\nb = None\nx = (a + 2 *\n     b[0])"),
    "an error in a method chain": _p(
        "class A:\n    def b(self):\n        return self\n    c = None\n\nx = (A()\n     .b()\n     .c\n     .d())"
    ),
    "an error in an operator": _p("x = 'a'\ny = 1\nprint(len(x) + (x + y))"),
    "an error in adding in place": _p("x = 1\nx += 'a'"),
    "an error in an item": _p("d = {'a': [1]}\nprint(d['a'][3])"),
    "a missing key": _p("d = {}\nd['k']['l']"),
    "a missing attribute": _p("class Colour:\n    red = 1\n\nprint(Colour.rde)"),
    "a missing attribute of a module": _p("import math\nmath.sqrtt(2)"),
    "a missing name": _p("counter = 1\nprint(countr)"),
    "an unbound local": _p("def f():\n    print(x)\n    x = 1\nf()"),
    "an error in an f-string": _p("value = 3\nprint(f'{value!r:>10} {value:q}')"),
    "an error in a comprehension": _p("print([1 / n for n in (1, 0)])"),
    "an error in a generator": _p("def g():\n    yield 1\n    raise ValueError('two')\nprint(list(g()))"),
    "an error in a lambda": _p("f = lambda x: x.y\nprint(sorted([1], key=f))"),
    "an error in a decorator": _p("def d(f):\n    raise TypeError('no')\n\n@d\ndef f():\n    pass"),
    "an error in a class body": _p("class C:\n    x = 1\n    y = x.z"),
    "an error while unpacking": _p("a, b = [1, 2, 3]"),
    "an error with a cause": _p("try:\n    int('x')\nexcept ValueError as e:\n    raise KeyError('k') from e"),
    "an error with a context": _p("try:\n    int('x')\nexcept ValueError:\n    {}['k']"),
    "an error without context": _p("try:\n    int('x')\nexcept ValueError:\n    raise KeyError('k') from None"),
    "an error with notes": _p(
        "import sys\ne = ValueError('v')\nif sys.version_info >= (3, 11):\n    e.add_note('one\\ntwo')\nraise e"
    ),
    "a group of errors": _p(
        "import sys\nif sys.version_info < (3, 11):\n    sys.exit(0)\ndef f():\n    raise ValueError(1)\ntry:\n    f()\n"
        "except ValueError as e:\n    x = e\nraise ExceptionGroup('g', [x, TypeError(2)])"
    ),
    "a wrong call": _p("def f(a, *, b):\n    pass\nf(1, 2)"),
    "calling what cannot be called": _p("x = 3\nx(1)"),
    "too deep a recursion": _p(
        "def f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError as e:\n    print(type(e))"
    ),
    "the depth of recursion": _p(
        "import sys\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(900))\nsys.setrecursionlimit(20000)\nprint(f(15000))"
    ),
    "deep recursion through methods": _p(
        "class T:\n    def __init__(self, n):\n        self.child = T(n - 1) if n else None\n    def depth(self):\n"
        "        return 1 + (self.child.depth() if self.child else 0)\nprint(T(400).depth())"
    ),
    "an interrupt": _p("raise KeyboardInterrupt"),
    "an interrupt after code that evaluates text": _p(
        "import collections\nP = collections.namedtuple('P', 'x y')\nprint(P(1, 2))\nraise KeyboardInterrupt('stop')"
    ),
    "a signal": _p("import os, signal\nprint('x', flush=True)\nos.kill(os.getpid(), signal.SIGTERM)"),
    "a signal handler": _p(
        "import os, signal\nsignal.signal(signal.SIGINT, lambda s, f: print('got', s, f.f_code.co_name))\n"
        "os.kill(os.getpid(), signal.SIGINT)\nprint('on')"
    ),
    "Ctrl-C": _p(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    while True:\n        pass\nfinally:\n    print('f')"
    ),
    "a BaseException": _p("class B(BaseException):\n    pass\nraise B('b')"),
    "an error that cannot be printed": _p(
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E"
    ),
    "an exception hook": _p(
        "import sys\nsys.excepthook = lambda t, v, tb: print('hook', t.__name__, v, tb.tb_lineno)\n1/0"
    ),
    "a broken exception hook": _p("import sys\ndef hook(*a):\n    raise KeyError('x')\nsys.excepthook = hook\n1/0"),
    "the last exception": _p(
        "import sys, atexit\natexit.register(lambda: print(sys.last_type, sys.last_traceback.tb_frame.f_code.co_name))\n1/0"
    ),
    "no exception is being handled": _p("import sys\nprint(sys.exc_info(), hasattr(sys, 'last_type'))"),
    "an error in a thread": _p(
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start()\nt.join()\nprint('on')"
    ),
    "a thread that outlives the main program": _p(
        "import threading, time\ndef f():\n    time.sleep(0.1)\n    print('late')\nthreading.Thread(target=f).start()\nprint('main')"
    ),
    # -- source files
    "a syntax error": _p("def f(:\n    pass"),
    "an indentation error": _p("if 1:\nprint(2)"),
    "a syntax error found late": _p("def f():\n    x = 1\n    global x\n"),
    "an unterminated text": _p("x = 'abc\n"),
    "bytes that are no UTF-8": Program("x = 'é'\n", script="program.py", env={"_ENCODING": "latin-1"}),
    "a coding cookie": Program("# -*- coding: latin-1 -*-\nprint('é')\n", env={"_ENCODING": "latin-1"}),
    "a byte order mark": Program("\ufeffprint('bom')\n"),
    "a null byte": Program("x = 1\0\n"),
    "a name with a hyphen and no suffix": Program("print(__name__, __file__)", script="my-tool"),
    "a name of the standard library": Program("import queue\nprint(queue.__name__, __file__)", script="string.py"),
    "a script in another folder": Program(
        "import sys\nprint(sys.argv[0], __file__, sys.path[0])", script="sub/inner.py"
    ),
    "a missing file": Program(argv=("nowhere.py", "x")),
    "a folder with a main program": Program(
        argv=("app", "x"),
        files={
            "app/__main__.py": "import sys\nprint(sys.argv, __name__, __package__)\nimport inner\n1/0",
            "app/inner.py": "print(__name__)",
        },
    ),
    "a module": Program(
        argv=("-m", "tool", "x", "-m"), files={"tool.py": "import sys\nprint(sys.argv, __name__, __spec__.name)\n1/0"}
    ),
    "a package": Program(
        argv=("-m", "pack.sub", "x"),
        files={
            "pack/__init__.py": "print('init', __name__)",
            "pack/sub.py": "from . import other\nprint(__name__, __package__)",
            "pack/other.py": "print(__name__)",
        },
    ),
    "a package with a main program": Program(
        argv=("-m", "pack"),
        files={
            "pack/__init__.py": "",
            "pack/__main__.py": "import sys\nprint(sys.argv[1:], __name__, __package__)\nsys.exit(2)",
        },
    ),
    "a missing module": Program(argv=("-m", "nowhere.at.all")),
    "a package that cannot be run": Program(argv=("-m", "pack"), files={"pack/__init__.py": ""}),
    "a command": Program(argv=("-c", "import sys; print(sys.argv, __name__); 1/0", "x", "-c")),
    "importing the user's modules": _p(
        "import helper, pack.sub\nfrom pack import other\nprint(helper.f(2), pack.sub.__file__.endswith('sub.py'), other.x)\nhelper.g()",
        files={
            "helper.py": "def f(x):\n    return x + 1\ndef g():\n    raise OSError('from helper')\n",
            "pack/__init__.py": "",
            "pack/sub.py": "",
            "pack/other.py": "x = 1",
        },
    ),
    "a syntax error in an imported module": _p("import helper", files={"helper.py": "x = (1,\n"}),
    "an error in an imported module": _p("import helper", files={"helper.py": "x = 1\nx.y\n"}),
    "a missing import": _p("import helper", files={"helper.py": "import nowhere_at_all\n"}),
    "a circular import": _p(
        "import one", files={"one.py": "from two import b\na = 1\n", "two.py": "from one import a\nb = 2\n"}
    ),
    "reloading": _p(
        "import helper, importlib, os\nprint(helper.x)\nopen(helper.__file__, 'w').write('x = 22 + 1')\n"
        "importlib.invalidate_caches()\nimportlib.reload(helper)\nprint(helper.x)",
        files={"helper.py": "x = 1"},
    ),
    "a namespace package": _p(
        "import space.part\nprint(space.part.x, space.__file__)", files={"space/part.py": "x = 1"}
    ),
    # -- frames
    "the stack": _p(
        "import inspect, sys\ndef f():\n    return [(i.function, i.lineno) for i in inspect.stack()]\n"
        "class C:\n    @property\n    def p(self):\n        return f()\n    def __add__(self, o):\n        return f()\n"
        "    def __getitem__(self, k):\n        return f()\n    def __format__(self, s):\n        return str(f())\n"
        "    def __call__(self):\n        return f()\n    def __iter__(self):\n        print(f())\n        return iter(())\n"
        "    def __enter__(self):\n        print(f())\n    def __exit__(self, *a):\n        print(f())\n"
        "c = C()\nprint(f(), c.p, c + 1, c[0], f'{c}', c())\nfor _ in c:\n    pass\nwith c:\n    pass\n"
        "print(sorted([1], key=lambda x: len(f())), list(map(lambda x: f(), [1])))\nprint(sys._getframe().f_back)"
    ),
    "the caller's frame": _p(
        "import sys\ndef f():\n    return sys._getframe(1).f_code.co_name\ndef g():\n    return f()\nprint(g(), f())"
    ),
    "beyond the outermost frame": _p("import sys\nsys._getframe(1)"),
    "a printed stack": _p("import traceback, sys\ndef f():\n    traceback.print_stack(file=sys.stdout)\nf()"),
    "warnings name their line": _p(
        "import warnings\nwarnings.simplefilter('always')\ndef old():\n    warnings.warn('old', DeprecationWarning, stacklevel=2)\n"
        "old()\nclass C:\n    @property\n    def p(self):\n        warnings.warn('p', stacklevel=2)\n\nC().p\nwarnings.warn('here')\n"
        "warnings.warn('beyond', stacklevel=9)"
    ),
    "logging names its caller": _p(
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(filename)s:%(lineno)d %(funcName)s %(message)s', level=0)\n"
        "def f():\n    logging.info('a %s', 'b')\n    logging.getLogger('x').warning('c', stacklevel=2)\n    try:\n        1/0\n"
        "    except ZeroDivisionError:\n        logging.exception('failed')\nf()"
    ),
    "names made by factories": _p(
        "import collections, enum, typing, types\nP = collections.namedtuple('P', 'x')\nE = enum.Enum('E', 'a b')\n"
        "T = typing.TypeVar('T')\nN = typing.NewType('N', int)\nD = type('D', (), {})\nM = types.new_class('M')\n"
        "print([x.__module__ for x in (P, E, T, N, D, M)])\nimport pickle\nprint(pickle.loads(pickle.dumps(P(1))))"
    ),
    "locals and globals": _p(
        "def f(a, b=2):\n    c = a + b\n    d = [x * c for x in (1, 2)]\n    e = f'{c}'\n    c += 1\n    return sorted(locals().items())\n"
        "print(f(1), eval('1 + 1'), sorted(vars(type('C', (), {'x': 1})))[-1])\nexec('z = 5')\nprint(z)\n"
        "class K:\n    a = 1\n    b = a + 1\n    print(sorted(locals())[-2:])\nprint(f.__code__.co_varnames, f.__code__.co_firstlineno)"
    ),
    "source and signatures": _p(
        "import inspect\ndef f(a, b: int = 1 + 1, *c, d='x', **e) -> str:\n    'doc'\n    return a\n\nprint(inspect.signature(f), inspect.getsource(f), f.__doc__)"
    ),
    "tracing": _p(
        "import sys\ndef f(x):\n    y = x + 1\n    for z in [y]:\n        y = len(str(z))\n    return f'{y}'\nseen = []\n"
        "def trace(frame, event, arg):\n    if frame.f_code.co_filename == __file__:\n        seen.append((event, frame.f_lineno))\n    return trace\n"
        "sys.settrace(trace)\nf(1)\nsys.settrace(None)\nprint(seen)"
    ),
    "every frame that a tracer is told of": _p(
        "import contextlib, json, os, sys\nclass C:\n    def __init__(self, x):\n        self.x = x\n    def __add__(self, o):\n        return self.x + o\n    def __getitem__(self, k):\n        return k\n"
        "    def __enter__(self):\n        return self\n    def __exit__(self, *a):\n        pass\n    def __str__(self):\n        return 'c'\ndef g(n):\n    for i in range(n):\n        yield str(i)\n"
        "def f(x):\n    c = C(len(str(x)))\n    y = c + int('2') * 3\n    for z in [y, *g(2)]:\n        y = f'{c!s:>3}{z}' + json.dumps({'a': [z]})\n    with c as d, contextlib.suppress(KeyError):\n        d.x += c['k'] and 1\n"
        "    a, b = map(int, ('1', '2'))\n    return '%s' % c, {k: v for k, v in zip('ab', g(2))}, sorted(g(3), key=lambda v: -int(v)), ','.join(g(2)), os.path.join('a', str(a)), sum(int(v) for v in g(2))\nseen = []\n"
        "def trace(frame, event, arg):\n    seen.append((event, os.path.basename(frame.f_code.co_filename), frame.f_code.co_name, frame.f_lineno))\n    return trace\n"
        "f(1)\nsys.settrace(trace)\nf(1)\nsys.settrace(None)\nfor one in seen:\n    print(*one)"
    ),
    "a profile of what is imported": _p(
        "import cProfile, pstats, json\np = cProfile.Profile()\np.enable()\nimport helper\nhelper.f(3)\np.disable()\n"
        "print([(k[2], v[0]) for k, v in sorted(pstats.Stats(p).stats.items()) if k[0].endswith(('helper.py', 'decoder.py', 'ao_lsp'))])",
        files={
            "helper.py": "import json\ndef g(x):\n    return json.loads('[%d]' % x)[0] + len(str(x))\ndef f(n):\n    for i in range(n):\n        g(i)\n"
            "        try:\n            json.loads('{' * (i + 1))\n        except ValueError:\n            g(i) + g(i)\n"
        },
    ),
    # -- the language
    "super in all places": _p(
        "class A:\n    def __new__(cls, *a):\n        return super().__new__(cls)\n    def __init_subclass__(cls, **k):\n        super().__init_subclass__(**k)\n"
        "        print('sub', cls.__name__)\n    def m(self):\n        return 'A'\n    @classmethod\n    def c(cls):\n        return cls.__name__\n"
        "    def __getattribute__(self, n):\n        return super().__getattribute__(n)\nclass B(A):\n    def __init__(self, x):\n        super().__init__()\n"
        "        self.x = x\n    def m(self):\n        return super().m() + super(B, self).m() + __class__.__name__\n    @classmethod\n    def c(cls):\n"
        "        return super().c()\nprint(B(1).m(), B.c(), B(2).x)"
    ),
    "name mangling": _p(
        "class A:\n    __x = 1\n    def __init__(self):\n        self.__y = 2\n    def __m(self):\n        return self.__x + self.__y\n"
        "    def n(self, o):\n        o.__y += 1\n        return self.__m(), o.__y\na = A()\nprint(a.n(a), sorted(vars(a)))"
    ),
    "evaluation order": _p(
        "def t(n, v=1):\n    print(n, end=' ')\n    return v\nclass O:\n    def __getattr__(self, n):\n        print('.' + n, end=' ')\n        return t\n"
        "    def __setattr__(self, n, v):\n        print('.' + n + '=', end=' ')\n    def __getitem__(self, k):\n        print('[]', end=' ')\n        return 1\n"
        "    def __setitem__(self, k, v):\n        print('[]=', end=' ')\no = O()\nt(1, o)[t(2)] = t(3)\nt(4, o).a = t(5)\nt(6, o)[t(7)] += t(8)\nt(9, o).b += 0 if 0 else t(10, 1) and 'x' and 1\n"
        "print()\n"
        "o.m(t(11), *[t(12)], k=t(13), **{'l': t(14)}) if 0 else print(t(15) < t(16, 2) < t(17, 0) < t(18))\n"
        "{t(19): t(20), **{t(21): t(22)}}\nt(23) and t(24, 0) and t(25)\nx = [t(26)][t(27, 0)] + t(28) * t(29)\n"
        "print(f'{t(30)}{t(31):{t(32)}}')"
    ),
    "each operand once": _p(
        "class N:\n    def __init__(self, v):\n        self.v = v\n    def __add__(self, o):\n        print('add')\n        return NotImplemented\n"
        "    def __radd__(self, o):\n        print('radd')\n        return 7\n    def __iadd__(self, o):\n        print('iadd')\n        return self\n"
        "    def __lt__(self, o):\n        print('lt')\n        return []\na = N(1)\nb = a\na += 1\nprint(a is b, 1 + a, (a < a) == [])\n"
        "try:\n    a + 1\nexcept TypeError as e:\n    print(e)\nl = m = [1]\nl += (2,)\nprint(m, l is m)\nt = ([],)\ntry:\n    t[0] += [1]\nexcept TypeError as e:\n    print(e, t)"
    ),
    "shadowed names": _p(
        "def open(x):\n    return 'mine ' + x\nlen = lambda x: -1\nstr = list = print_ = None\nclass super:\n    x = 3\nprint(open('f'), len([1]), super().x)\n"
        "def f(print, type, locals):\n    return print + type(1) + locals()\nimport builtins\nbuiltins.print(f('a', lambda x: 'b', lambda: 'c'))"
    ),
    "comprehension and class scope": _p(
        "x = 'global'\nclass C:\n    x = 'class'\n    y = [x for _ in (1,)]\n    z = [i for i in x]\nprint(C.y, C.z)\n"
        "def f():\n    return [(lambda: i)() for i in range(3)], [y := 1, y + 1], {k: v for k, v in {'a': 1}.items() if v}, {*'ab'} == set('ba')\n"
        "print(f())\nfs = [lambda: i for i in range(3)]\nprint([g() for g in fs])"
    ),
    "texts": _p(
        "v, w, n = 'é', 5, 3.14159\nprint(f'{v!r:>{w}}|{v!a}|{n:.2f}|{n=:.1f}|{{}}|{\"x\"}|{v:>{w}{\"\"}}', f'{n!s:.3}')\n"
        "print('%s %r %05.1f %% %(x)s' % {'x': 1} if 0 else '%(x)s' % {'x': 1}, '%s' % (1,), '%c%x' % ('a', 255), b'%s' % b'x')\n"
        "print('{0} {a} {b[0]} {c.real}'.format(1, a=2, b=[3], c=4j), '{:>{}}'.format('x', 4))\n"
        "try:\n    '%d' % 'x'\nexcept TypeError as e:\n    print(e)\ntry:\n    '{}'.format()\nexcept IndexError as e:\n    print(e)\n"
        "class S(str):\n    def __add__(self, o):\n        return 'S' + o\n    def __format__(self, s):\n        return 'F' + s\ns = S('q')\nprint(s + 'x', f'{s:z}', '%s' % s, type(s * 2), s.upper())"
    ),
    "patterns": _p(
        "class P:\n    __match_args__ = ('x',)\n    def __init__(self, x):\n        self.x = x\nK = -1\ndef f(v):\n    match v:\n        case 0 | -1:\n            return 'int'\n"
        "        case 1 + 2j:\n            return 'complex'\n        case P(x=[a, *b]) if a:\n            return a, b\n        case {'k': k, **rest}:\n            return k, rest\n"
        "        case [1, [2, x]]:\n            return x\n        case str() as s:\n            return s\n        case _:\n            return None\n"
        "print([f(v) for v in (0, -1, 1 + 2j, P([3, 4]), {'k': 1, 'l': 2}, [1, [2, 3]], 'z', 9)])"
    ),
    "generators": _p(
        "def g():\n    try:\n        x = yield 1\n        print('got', x)\n        try:\n            y = yield x + 1\n        except KeyError as e:\n            y = 'k' + str(e)\n"
        "        yield y\n    finally:\n        print('closed')\n    return 'r'\ndef h():\n    r = yield from g()\n    print('r', r)\ni = h()\n"
        "print(next(i), i.send(2), i.throw(KeyError('z')))\ntry:\n    next(i)\nexcept StopIteration as e:\n    print(e.value)\ni = h()\nnext(i)\ni.close()\nprint(sum(x * x for x in range(4)))"
    ),
    "coroutines": _p(
        "import asyncio, contextvars\nv = contextvars.ContextVar('v', default=0)\nclass A:\n    async def __aenter__(self):\n        return 1\n    async def __aexit__(self, *a):\n"
        "        print('exit', a[0])\n        return True\nasync def ag():\n    for i in range(3):\n        yield i\n        await asyncio.sleep(0)\nasync def work(n):\n    v.set(n)\n"
        "    await asyncio.sleep(0.01 * n)\n    return v.get(), asyncio.current_task().get_name()\nasync def main():\n    async with A() as x:\n        print(x, [i async for i in ag()])\n"
        "        raise ValueError\n    print(await asyncio.gather(work(2), work(1)), v.get(), len(contextvars.copy_context()))\n    t = asyncio.create_task(work(3), name='T')\n    print(t.get_name(), await t)\n"
        "    try:\n        await asyncio.wait_for(asyncio.sleep(9), 0.01)\n    except asyncio.TimeoutError:\n        print('timeout')\n    t = asyncio.create_task(asyncio.sleep(9))\n    await asyncio.sleep(0)\n    t.cancel()\n"
        "    try:\n        await t\n    except asyncio.CancelledError:\n        print('cancelled')\nasyncio.run(main())"
    ),
    "an error in a coroutine": _p(
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    raise ValueError('deep')\nasync def g():\n    await asyncio.gather(f(), asyncio.sleep(0))\nasyncio.run(g())"
    ),
    "a coroutine that is never awaited": _p("async def f():\n    pass\nf()\nprint('x')"),
    "classes of every kind": _p(
        "import dataclasses, enum, typing, abc, functools\n@dataclasses.dataclass(order=True)\nclass D:\n    a: int\n    b: str = 'x'\n    c: list = dataclasses.field(default_factory=list, compare=False)\n"
        "    K: typing.ClassVar[int] = 3\nclass N(typing.NamedTuple):\n    a: int\n    b: str = 'y'\nclass E(enum.Enum):\n    A = 1\n    B = A + 1\n    @property\n    def up(self):\n        return self.name * 2\n"
        "class F(enum.Flag):\n    X = enum.auto()\n    Y = enum.auto()\nclass Q(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...\n"
        "class L:\n    __slots__ = ('p',)\n    def __set_name__(self, o, n):\n        print('name', n)\n    def __get__(self, i, o):\n        return 'got'\n"
        "class M(type):\n    def __call__(cls, *a):\n        print('call', a)\n        return super().__call__(*a)\n    @classmethod\n    def __prepare__(m, n, b, **k):\n        return {'z': k}\n"
        "class T(metaclass=M, opt=1):\n    d = L()\n    def __init__(self, x):\n        self.x = x\n    @functools.cached_property\n    def cp(self):\n        print('once')\n        return self.x + 1\n"
        "    def __getattr__(self, n):\n        return 'dyn ' + n\n    def __class_getitem__(cls, k):\n        return k\n"
        "t = T(1)\nprint(D(1) < D(2, 'z'), D(1), N(1)._replace(a=2), E(2).up, F.X | F.Y, t.cp, t.cp, t.d, t.nope, T[3], T.z, D.K)\ntry:\n    Q()\nexcept TypeError as e:\n    print(e)"
    ),
    "wrong calls of built-in functions": _p(
        "import functools, itertools, sys\ndef t(f, *a, **k):\n    try:\n        print(f(*a, **k))\n    except Exception as e:\n        print(type(e).__name__, e)\n"
        "for f in (lambda: len(), lambda: len(1, 2), lambda: sum(), lambda: sum(5), lambda: ''.join(5), lambda: ''.join(), lambda: ''.join(['a'], 1), lambda: b''.join('a'),\n"
        "          lambda: ''.format_map(), lambda: reversed(), lambda: reversed(1, 2), lambda: next(), lambda: next(1), lambda: list(map()), lambda: list(map(str)), lambda: list(filter()),\n"
        "          lambda: functools.reduce(), lambda: functools.reduce(max), lambda: getattr(1), lambda: getattr(1, 2), lambda: sys.intern(), lambda: sys.intern(b'x'), lambda: sorted(), lambda: max(),\n"
        "          lambda: list(itertools.accumulate()), lambda: list(itertools.accumulate(iterable=[1, 2])), lambda: list(itertools.accumulate([1, 2], func=max)), lambda: list(zip(1)), lambda: iter(),\n"
        "          lambda: len(obj=[]), lambda: sum([1], start=2), lambda: int('x', base=40), lambda: print(sepp=1), lambda: {}.update(1), lambda: [].extend(1)):\n    t(f)"
    ),
    "functions of os that forbid to be called": _p(
        "import os, io, posixpath\ndef forbidden(*a, **k):\n    raise RuntimeError('blocking')\n"
        "for n in ('stat', 'lstat', 'readlink', 'replace', 'unlink', 'mkdir', 'makedirs', 'getcwd', 'rename', 'open', 'read'):\n    setattr(os, n, forbidden)\n"
        "for n in ('abspath', 'realpath', 'islink', 'isdir', 'exists', 'isfile'):\n    setattr(os.path, n, forbidden)\n"
        "import helper\nfrom space import part\nprint(helper.x, part.x, str(1) + str(2), __file__[-3:])",
        files={"helper.py": "import json\nx = json.dumps([str(1) + 'a'])", "space/part.py": "x = len(str(1))"},
    ),
    "paths that are no files": _p(
        "import sys\nif sys.version_info < (3, 13):\n    sys.exit(0)\nimport io\nfrom pathlib._abc import PathBase\n"
        "class P(PathBase):\n    made = {}\n    def open(self, mode='r', *a, **k):\n        return io.BytesIO(b'abc') if 'b' in mode else io.StringIO('abc')\n"
        "p = P('x')\nprint(p.read_bytes(), p.read_text(), p.write_bytes(b'abc'), p.write_text('abc'))"
    ),
    "an iterator that steps its base": _p(
        "import itertools\nclass G(itertools.groupby):\n    def __next__(self):\n        print('step')\n        return super().__next__()\n"
        "print([k for k, _ in G('aab')], next(G('x'))[0], G('y').__next__()[0], iter('z').__next__())"
    ),
    "classes whose module is no text": _p(
        "import asyncio\nclass M:\n    def __getitem__(self, k):\n        if k > 2: raise IndexError\n        return str(k)\n"
        "    def __await__(self):\n        return iter(())\n    def __enter__(self): return self\n    def __exit__(self, *e): pass\n"
        "    def __add__(self, o): return [o]\n    def __call__(self, x): return x + 'y'\n    name = 'n'\n"
        "async def wait(m): return await m\n"
        "for module in (5, [], None, M.__dict__['__getitem__']):\n    M.__module__ = module\n    m = M()\n"
        "    with m as n: print(list(m), [x + '!' for x in m], m + 'z', m('x'), n.name, asyncio.run(wait(m)), '%s' % m.name, {**{'k': m}}['k'] is n)"
    ),
    "functions of sys that were replaced": _p(
        "import json, os, sys\nprint(str(1) + str(2))\nfor n in ('_getframe', 'gettrace', 'getprofile', 'exc_info', 'intern', 'getrefcount'):\n    setattr(sys, n, None)\n"
        "import helper\nprint(helper.x, json.dumps([len(str(1)) + 1]), sum(n for n in [1, 2]), os.environ.get('AO_NO_SUCH'), [*map(int, '12')])\ntry:\n    int('x')\nexcept ValueError as e:\n    print(e)",
        files={"helper.py": "x = str(1) + 'a'"},
    ),
    "wrong calls of the standard library": _p(
        "import csv, io, json, os\ndef t(f):\n    try:\n        print(f())\n    except Exception as e:\n        print(type(e).__name__, e)\nclosed = open(__file__)\nclosed.close()\nreading = open(__file__)\n"
        "for f in (lambda: json.loads(s='[1]'), lambda: json.loads(), lambda: json.loads(5), lambda: json.loads('{'), lambda: json.dumps(obj=1), lambda: json.dumps(), lambda: json.dumps(1, 2),\n"
        "          lambda: json.dump(1, fp=io.StringIO()), lambda: json.dump(obj=1, fp=io.StringIO()), lambda: json.dump(1), lambda: csv.reader(), lambda: csv.reader(5), lambda: csv.writer(), lambda: csv.writer(5),\n"
        "          lambda: list(csv.DictReader(f=['a', '1'])), lambda: io.StringIO().getvalue(1), lambda: io.StringIO().writelines(5), lambda: io.StringIO().write(5),\n"
        "          lambda: io.BytesIO().readinto(), lambda: io.BytesIO().readinto(5), lambda: closed.read(), lambda: closed.write('x'), lambda: closed.readline(), lambda: closed.tell(), lambda: list(closed),\n"
        "          lambda: reading.write('x'), lambda: reading.seek('x'), lambda: reading.read('x'), lambda: io.StringIO(5), lambda: os.environ['nothing'], lambda: os.getenv(), lambda: open('/nowhere'),\n"
        "          lambda: open(), lambda: io.TextIOWrapper(io.BytesIO(), 'ascii').write('\\xe9'), lambda: io.TextIOWrapper(io.BytesIO(b'\\xff'), 'utf-8').read()):\n    t(f)\n"
        "f = open(__file__)\nnext(f)\nt(f.tell)\nprint(len(f.readlines()) > 3, f.tell() > 9, f.read())"
    ),
    "sum takes one by one": _p(
        "def g():\n    for x in (1, 'a', 2):\n        print('made', x)\n        yield x\ntry:\n    sum(g())\nexcept TypeError as e:\n    print(e)\nprint(sum([0.1] * 10), sum([[1], [2]], []))"
    ),
    "a function made of code has the built-ins of its maker": _p(
        "def f(s):\n    return len(s)\nnames = {}\ng = type(f)(f.__code__, names)\nprint(g.__builtins__ is f.__builtins__, g('abc'), names)"
    ),
    "names of the built-ins": _p(
        "import builtins\nprint([n for n in dir(builtins) if not n.startswith('__') and not n.isidentifier()], len([n for n in dir(builtins) if n[0] != '_']))\n"
        "class C:\n    def f(self, x):\n        return len(x.y) + (x.y + x.y)[0] if 0 else f'{x}' + (str(x) + 'z')\nprint(C().f(1))"
    ),
    "a metaclass that sees each look-up": _p(
        "import json\nclass M(type):\n    def __getattribute__(c, n):\n        print('M.' + n)\n        return super().__getattribute__(n)\n    @property\n    def __dict__(c):\n        print('M.dict')\n        return {}\n"
        "class C(metaclass=M):\n    def __init__(self):\n        self.x = 1\n    def __add__(self, o):\n        return 'sum'\n    def __iter__(self):\n        return iter('ab')\n    def __enter__(self):\n        return self\n"
        "    def __exit__(self, *a):\n        pass\n    def __str__(self):\n        return 'text'\n    def __call__(self, a):\n        return a\nc = C()\nprint((c.x, c)[1] + 1, [y for y in c], f'{c}', str(c), '%s' % c, c(2), len({c: 1}), repr([c])[:5])\n"
        "with c as d:\n    print(d is c)\ntry:\n    json.dumps({'a': [c]})\nexcept TypeError as e:\n    print(e)"
    ),
    "an object that answers to any name": _p(
        "import copy, json\nclass P:\n    @property\n    def __class__(self):\n        print('class')\n        return int\n    @property\n    def __dict__(self):\n        print('dict')\n        return {}\n"
        "    def __getattr__(self, n):\n        print('.' + n)\n        raise AttributeError(n)\n    def __call__(self, *a):\n        return a\np = P()\nprint(p(1), callable(p), [p][0](2), sorted([p, p], key=lambda v: 1) is p, dict(a=p)['a'](3))\n"
        "print(list(map(p, 'ab')), {'k': [p, (p,)]}['k'][1][0](4), json.dumps([1]), max([p], key=p)(5), copy.copy([p])[0] is p)"
    ),
    "aliasing": _p(
        "d = {'l': [1]}\nx = d['l']\nx.append(2)\nd.get('l').append(3)\ny = list(d.values())[0]\ny += [4]\nprint(d, x is d['l'], y is x)\n"
        "a = 'abc'\nb = a\nprint(a is b, a[0:] is a, (1, 2)[0] is 1 if 0 else True, 'x' 'y' is 'xy' if 0 else '', id(a) == id(b))"
    ),
    "context variables and decimals": _p(
        "import decimal, contextvars\nwith decimal.localcontext() as c:\n    c.prec = 3\n    print(decimal.Decimal(1) / 3)\nv = contextvars.ContextVar('v')\nt = v.set(1)\n"
        "print(v.get(), v in contextvars.copy_context(), len(contextvars.copy_context()))\nv.reset(t)\nprint(v.get('none'))"
    ),
    "processes": _p(
        "import multiprocessing, subprocess, sys\ndef f(x):\n    return x * x\nif __name__ == '__main__':\n    for m in ('fork', 'spawn'):\n"
        "        with multiprocessing.get_context(m).Pool(2) as p:\n            print(p.map(f, [1, 2, 3]))\n"
        "    print(subprocess.run([sys.executable, '-c', 'print(1 + 1)'], capture_output=True).stdout)"
    ),
    "fork": _p(
        "import os\npid = os.fork()\nif pid == 0:\n    print('child', flush=True)\n    os._exit(3)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "try:\n    os.wait()\nexcept ChildProcessError:\n    print('no other child')"
    ),
    "a test case": _p(
        "import unittest\nfrom unittest import mock\nclass T(unittest.TestCase):\n    def test_a(self):\n        with mock.patch('builtins.len', return_value=5) as m:\n            self.assertEqual(len([]), 5)\n"
        "        m.assert_called_once_with([])\n    def test_b(self):\n        with self.assertRaises(ZeroDivisionError):\n            1 / 0\n    def test_c(self):\n        self.assertEqual(1 + 1, 3)\n"
        "import sys\nr = unittest.TestResult()\nunittest.defaultTestLoader.loadTestsFromTestCase(T).run(r)\nprint(r, r.failures[0][1])"
    ),
    "timing": _p(
        "import timeit, time\nprint(timeit.timeit('x = 1', number=10) > 0, time.strftime('%Y', time.gmtime(0)))"
    ),
    "warnings as errors": _p("import warnings\nwarnings.warn('w')", env={"PYTHONWARNINGS": "error"}),
    "development mode": _p("import sys\nprint(sys.flags.dev_mode, sys.flags.utf8_mode)", env={"PYTHONDEVMODE": "1"}),
    "hash seed": _p("print(hash('abc'))", env={"PYTHONHASHSEED": "3"}),
    "the environment": _p("import os\nprint(sorted(k for k in os.environ if k.startswith('AO')))"),
    "threads that are known": _p(
        "import threading\nprint(threading.active_count(), threading.main_thread().name, threading.current_thread())"
    ),
    "streams of all kinds": _p(
        "import json, csv, io, pathlib, subprocess, logging, os, tempfile\n"
        'with open("f","w") as f: json.dump({"a":1}, fp=f)\n'
        'with open("f","w") as f: json.dump(obj={"a":1}, fp=f, indent=1)\n'
        'print(open("f").read())\n'
        'b=io.StringIO(initial_value="x,y\\n1,2\\n", newline="\\n")\n'
        "print(list(csv.DictReader(f=b)))\n"
        'w=csv.DictWriter(f=io.StringIO(), fieldnames=["a"]); w.writerow(rowdict={"a":1})\n'
        'print(io.BytesIO(initial_bytes=b"abc").read())\n'
        'p=pathlib.Path("g"); print(p.write_text(data="hi"), p.read_text(encoding="utf-8"))\n'
        'print(subprocess.Popen(args=["echo","x"],stdout=subprocess.PIPE).communicate(input=None))\n'
        'print(subprocess.run(["cat"], input="q", text=True, capture_output=True))\n'
        'for bad in ("csv.reader()","csv.writer()","json.dump({})","json.dump()","io.StringIO().write()","io.StringIO().read(1,2)","csv.reader(5)","csv.writer(5)","open(\'f\').seek()","open(\'f\').write(\'x\')","io.StringIO().writelines()","io.StringIO().readlines(\'x\')", "io.StringIO(5)", "csv.DictReader()", "csv.DictWriter(io.StringIO())","p.write_text()","p.write_text(5)","subprocess.Popen()"):\n'
        "    try: print(eval(bad))\n"
        "    except Exception as e: print(bad, type(e).__name__, e)\n"
        "class T(io.StringIO):\n"
        "    def write(self, s): return super().write(s.upper())\n"
        't=T(); print("hello", file=t); csv.writer(t).writerow(["a",1]); json.dump([1,"z"], t); print(t.getvalue())\n'
        'f=open("f","w+"); f.write("abc\\ndef\\n"); f.seek(0); print(next(f)); \n'
        "try: f.tell()\n"
        "except OSError as e: print(e)\n"
        "print(f.readlines(), f.tell()); f.close()\n"
        'try: f.write("x")\n'
        "except ValueError as e: print(e)\n"
        'with open("h","wb") as f: f.writelines([b"1",b"2"])\n'
        'print(open("h","rb").readlines(), open("h","rb").peek(1))\n'
        'r,wr=os.pipe(); wf=os.fdopen(wr,"w"); wf.write("pp\\n"); wf.close(); print(os.fdopen(r).read())\n'
        "import sqlite3\n"
        'd=sqlite3.connect(":memory:"); d.execute("create table t(a,b)"); d.executemany("insert into t values(?,?)", ((i,str(i)*4) for i in range(3)))\n'
        'print([tuple(r) for r in d.execute("select * from t")], d.execute("select count(*) from t").fetchone(), list(d.cursor().execute("select b from t").fetchmany(2)))\n'
        'for bad in ("d.execute()","d.execute(\'x\')","d.cursor().fetchone(1)"):\n'
        "    try: print(eval(bad))\n"
        "    except Exception as e: print(bad, type(e).__name__, e)\n"
    ),
    "children that are known": _p(
        "import os\ntry:\n    os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError:\n    print('none')"
    ),
}

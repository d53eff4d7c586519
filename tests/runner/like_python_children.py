"""Programs that start others, as in like_python.py: the parent must not notice that its children are recorded,
nor they themselves."""

from __future__ import annotations

from .like_python import Program, _p

# What a child can see of how it was started.
LOOK = """
import os, sys, threading
from sys import flags
print(sys.argv, sys.orig_argv[1:], os.path.basename(sys.orig_argv[0]), sys.path[:1], __name__, __spec__ and __spec__.name)
print(flags, sys.warnoptions, sys._xoptions, os.path.basename(sys.executable), sys.prefix == sys.base_prefix)
print(sys._getframe().f_back, threading.active_count(), sorted(globals()), sorted(os.environ))
print(sorted(int(n) for n in os.listdir('/dev/fd')), flush=True)
print(sys.stdin.read() if 'in' in sys.argv else '', os.getcwd() == os.path.dirname(os.path.abspath(sys.argv[0])))
"""

RUN = """
import os, subprocess, sys
def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    print(done.args == argv, done.returncode, done.stdout, done.stderr, flush=True)
python = sys.executable
"""

POOLS = """
import multiprocessing as mp, os, sys, traceback
from concurrent.futures import ProcessPoolExecutor, wait
def fails(x):
    return x.nope
def ends(x):
    os._exit(x)
def said(x):
    return x, __name__, mp.current_process().name.rstrip('0123456789'), mp.current_process().daemon, len(sys.argv)
def counts(value, lock, event):
    event.wait()
    with lock:
        value.value += 1
    sys.exit(value.value)
def sends(pipe):
    pipe.send(('hello', sys.argv))
    pipe.close()
"""


def _run(source: str, **files: str) -> Program:
    return _p(RUN + source, files={"look.py": LOOK, **files}, env={"PYTHONHASHSEED": "0"})


def _pool(source: str) -> Program:
    indented = "".join(f"    {line}\n" for line in source.strip().splitlines())
    return _p(POOLS + "if __name__ == '__main__':\n" + indented)


CHILDREN: dict[str, Program] = {
    "a child that looks at itself": _run(
        "run(python, 'look.py')\nrun(python, 'look.py', 'a', '--b', '--')\nrun(python, os.path.abspath('look.py'), 'in', input='x')\n"
        "run(python, '-m', 'look', 'a', '-c')\nrun(python, '-c', 'import look', '-m', 'x')\nrun(python, '-c', 'import sys; print(sys.argv)')"
    ),
    "a python found on the path": _run(
        "env = {**os.environ, 'PATH': os.path.dirname(python) + ':/usr/bin:/bin'}\n"
        "os.environ['PATH'] = env['PATH']\n"
        "for name in ('python', 'python3'):\n    run(name, 'look.py')\n    run(name, '-c', 'import sys; print(sys.executable)', env=env)"
    ),
    "options of the interpreter": _run(
        "for options in (['-I'], ['-E', '-s'], ['-S'], ['-Im'], ['-Wignore', '-W', 'error'], ['-Xutf8', '-X', 'dev'], ['-OO', '-B'],\n"
        "                ['-bb'], ['-u'], ['-q'], ['-Bc']):\n"
        "    run(python, *options, {'m': 'json.tool', 'c': 'print(1)'}.get(options[0][-1], 'look.py'), input='1')"
    ),
    "a program that python has no file for": _run(
        "run(python, '-', 'a', input='import sys; print(sys.argv)')\nrun(python, input='print(1)')\nrun(python, '-V')\nrun(python, '-h')\n"
        "run(python, '-i', '-c', '1', input='print(2)')\nrun(python, '')\nrun(python, '-c')\nrun(python, '-Z')\nrun(python, '-m', 'nope')\n"
        "run(python, 'nope.py')\nrun(python, '.')\nrun('./python', 'look.py', executable=python)"
    ),
    "environments": _run(
        "run(python, 'look.py', env={})\nrun(python, 'look.py', env={'A': 'b', 'HOME': '/nowhere', 'AO_HOME': '/nowhere/else'})\n"
        "run(python, '-c', 'import subprocess, sys; print(subprocess.run([sys.executable, \"look.py\"], env={}).returncode)')\n"
        "print(sorted(k for k in os.environ if k not in ('AO_HOME', 'AO_SERVER_PYTHON') and k.startswith('AO_')))"
    ),
    "errors in a child": _run(
        "for text in ('1/0', 'raise SystemExit(3)', 'import sys; sys.exit(\"no\")', 'x = = 1', 'import os; os._exit(7)',\n"
        "             'def f():\\n    raise KeyError(1)\\ntry:\\n    f()\\nexcept KeyError:\\n    raise ValueError(2)',\n"
        "             'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', 'raise KeyboardInterrupt',\n"
        '             \'import atexit; atexit.register(print, "bye"); print(open("nope"))\'):\n'
        "    open('bad.py', 'w').write(text)\n    run(python, 'bad.py')\n    run(python, '-c', text)\n    run(python, '-m', 'bad')"
    ),
    "a child is interrupted": _run(
        "run(python, '-c', 'import os\\nos.kill(os.getpid(), 2)\\ninput()')\n"
        "p = subprocess.Popen([python, '-c', 'input()'], stdin=-1)\np.terminate()\nprint(p.wait(), p.args)\np.stdin.close()\n"
        "try:\n    subprocess.run([python, '-c', 'input()'], stdin=os.pipe()[0], timeout=0.01)\n"
        "except subprocess.TimeoutExpired as e:\n    print(e.cmd == [python, '-c', 'input()'])"
    ),
    "descriptors": _run(
        "r, w = os.pipe()\nw = os.dup2(w, 50)\nwrites = 'import os; os.write(50, b\"through\")'\n"
        "run(python, '-c', writes, pass_fds=(w,))\nprint(os.read(r, 9))\nrun(python, '-c', writes)\n"
        "os.set_inheritable(w, True)\nrun(python, '-c', writes, close_fds=False)\nprint(os.read(r, 9))\n"
        "os.close(w)\nprint(subprocess.check_output([python, 'look.py'], stderr=subprocess.STDOUT, stdin=r))"
    ),
    "how a child is started": _run(
        "def before():\n    os.write(1, repr(sys._getframe(1).f_code.co_name).encode())\n    import traceback; traceback.print_stack()\n"
        "p = subprocess.Popen([python, 'look.py'], preexec_fn=before, start_new_session=True, cwd='.', stdout=-1)\n"
        "print(p.communicate()[0], p.args, repr(p))\nrun(python, 'look.py', cwd='/')\nrun(python, 'look.py', process_group=0) if sys.version_info >= (3, 11) else 0\n"
        "def fails():\n    1/0\ntry:\n    subprocess.run([python], preexec_fn=fails)\nexcept subprocess.SubprocessError as e:\n    print(e)\n"
        "run(python, '-m', 'look', executable='/bin/echo')\nrun('x', '-c', 'import sys; print(sys.orig_argv)', executable=python)"
    ),
    "what cannot be started": _run(
        "os.mkdir('folder'); open('text', 'w').write('x'); open('script', 'w').write('#!/nowhere/python\\n'); os.chmod('script', 0o755)\n"
        "for argv, more in ((['nope'], {}), (['folder'], {}), (['./text'], {}), (['./script'], {}), ([python, 'a\\0b'], {}), ([python, 5], {}),\n"
        "                   ([], {}), ([python, '-c', ''], {'cwd': 'nowhere'}), ([python, '-c', ''], {'env': {'a=b': 'c'}}), ([None], {})):\n"
        "    try:\n        print(subprocess.run(argv, **more))\n"
        "    except Exception as e:\n        import traceback; traceback.print_exc(); print(getattr(e, 'filename', ''))"
    ),
    "scripts with a first line": _run(
        "def script(name, first):\n    open(name, 'w').write(first + '\\n' + open('look.py').read())\n    os.chmod(name, 0o755)\n"
        "script('tool', f'#!{python}'); script('flags', f'#! {python} -Es'); script('env', '#!/usr/bin/env python3'); script('both', '#!/usr/bin/env -S python3 -B')\n"
        "os.environ['PATH'] = os.path.dirname(python) + ':' + os.environ['PATH'] + ':.'\n"
        "for name in ('./tool', os.path.abspath('tool'), './flags', './env', './both', 'tool'):\n    run(name, 'a', '-b')\n"
        "open('shell', 'w').write('#!/bin/sh\\nexec \"%s\" look.py \"$@\"' % python); os.chmod('shell', 0o755); run('./shell', 'x')"
    ),
    "shells": _run(
        "print(subprocess.run(f'{python} look.py in a | cat', shell=True, input=b'x', capture_output=True).stdout)\nsys.stdout.flush()\n"
        "print(os.system(f'{python} -c \"import sys; sys.exit(3)\"'), os.popen(f'{python} look.py').read(), subprocess.getoutput('echo hi'))"
    ),
    "asyncio": _run(
        "import asyncio\nasync def main():\n"
        "    p = await asyncio.create_subprocess_exec(python, 'look.py', 'in', stdin=-1, stdout=-1, stderr=-1)\n"
        "    print(await p.communicate(b'text'), p.returncode)\n"
        "    several = [await asyncio.create_subprocess_exec(python, '-c', f'print({n})', stdout=-1) for n in range(3)]\n"
        "    print([await p.communicate() for p in several])\nasyncio.run(main())"
    ),
    "os.exec": _run(
        "def child(f):\n    sys.stdout.flush()\n    pid = os.fork()\n    if pid == 0:\n        f()\n    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "child(lambda: os.execv(python, [python, 'look.py']))\nchild(lambda: os.execve(python, [b'x', b'look.py', b'a'], {}))\n"
        "child(lambda: os.execlp('sh', 'sh', '-c', 'exit 5'))\nchild(lambda: os.execle(python, 'py', '-c', 'raise SystemExit(4)', {'A': 'b'}))\n"
        "os.environ['PATH'] = os.path.dirname(python)\nchild(lambda: os.execvp('python3', ['python3', '-m', 'look']))\n"
        "for f, a in ((os.execv, ()), (os.execv, ('nope', ['x'])), (os.execv, (python, [])), (os.execve, (python, ['x'], 5)), (os.posix_spawn, ('nope', ['x'], {}))):\n"
        "    try:\n        f(*a)\n    except Exception:\n        import traceback; traceback.print_exc()"
    ),
    "os.spawn and posix_spawn": _run(
        "sys.stdout.flush()\nprint(os.spawnv(os.P_WAIT, python, [python, 'look.py']), os.spawnlp(os.P_WAIT, 'true', 'true'))\nsys.stdout.flush()\n"
        "pid = os.posix_spawn(python, ['python', 'look.py', 'p'], {'A': 'b'}, setsigmask=[])\nprint(os.waitpid(pid, 0)[1])\nsys.stdout.flush()\n"
        "pid = os.posix_spawnp('cat', ['cat', 'look.py'], os.environ)\nprint(os.waitpid(pid, 0)[1], os.execv.__name__, os.posix_spawn.__doc__[:40])"
    ),
    "a program that starts itself again": _run(
        "print(sys.argv, sys.orig_argv[1:], flush=True)\nif len(sys.argv) < 4:\n    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], 'again'])\nsys.exit(9)"
    ),
    "children of children": _run(
        "run(python, 'other.py', '3')",
        **{
            "other.py": "import subprocess, sys\nn = int(sys.argv[1])\nprint(n, flush=True)\n"
            "if n:\n    print(subprocess.run([sys.executable, *sys.orig_argv[1:-1], str(n - 1)]).returncode)\nsys.exit(n)\n"
        },
    ),
    "a folder, an archive, a link": _run(
        "import zipapp, pathlib\npathlib.Path('d').mkdir(); pathlib.Path('d/__main__.py').write_text(open('look.py').read())\nzipapp.create_archive('d', 'd.pyz')\n"
        "os.symlink('../look.py', 'd/link.py')\nfor name in ('d', 'd.pyz', 'd/link.py'):\n    run(python, name, 'a')"
    ),
    "an environment of its own": _run(
        "import venv\nvenv.create('env', symlinks=True)\nrun('env/bin/python', 'look.py')\nrun(os.path.abspath('env/bin/python3'), '-c', 'import sys; print(sys.prefix[-3:], sys.executable[-15:])')\n"
        "venv.create('copy', symlinks=False)\nrun('copy/bin/python', '-c', 'import sys; print(sys.prefix[-4:])')\nrun(python, '-m', 'venv', '--without-pip', 'third')\n"
        "run(python, '-m', 'pip', '--version')"
    ),
    "modules of a child": _run(
        "run(python, 'main.py')",
        **{
            "main.py": "import helper, warnings, inspect, pickle\nprint(helper.caller(), len(inspect.stack()), inspect.getsource(helper.caller))\n"
            "class P: pass\nprint(pickle.loads(pickle.dumps(P())).__class__ is P, helper.__file__[-9:], helper.__loader__.name)\n"
            "warnings.warn('careful')\nhelper.fails()\n",
            "helper.py": "import sys\ndef caller():\n    return sys._getframe(1).f_lineno\ndef fails():\n    return [1/0 for _ in 'a']\n",
        },
    ),
    "a fork": _run(
        "import atexit, threading, warnings\natexit.register(lambda: print('exit', flush=True))\nprint('one', flush=True)\n"
        # A joined thread may go on for a moment, of which python 3.12 may or may not warn at the fork.
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "lock = threading.Lock()\nt = threading.Thread(target=lock.acquire); t.start(); t.join()\n"
        "pid = os.fork()\nif pid == 0:\n    print('child', lock.locked(), threading.active_count(), flush=True)\n    raise ValueError('in the child')\n"
        "print(os.waitpid(pid, 0)[1])\npid = os.fork()\nif pid == 0:\n    os.execv(python, [python, 'look.py'])\nos.waitpid(pid, 0)\nos._exit(3)"
    ),
    "pools and their errors": _pool(
        "for method in ('fork', 'spawn', 'forkserver'):\n    context = mp.get_context(method)\n    with context.Pool(1) as pool:\n        print(pool.map(said, [1, 2]))\n"
        "        try:\n            pool.map(fails, [3])\n        except AttributeError:\n            traceback.print_exc()\n"
        "    with ProcessPoolExecutor(1, mp_context=context) as pool:\n        print(list(pool.map(said, 'ab')))\n"
        # `result` raises from one line where it had to wait, and from another where it had not.
        "        failed = pool.submit(fails, 5)\n        wait([failed])\n        try:\n            failed.result()\n        except AttributeError:\n            traceback.print_exc()\n"
        "    try:\n        with ProcessPoolExecutor(1, mp_context=context) as pool:\n            pool.submit(ends, 3).result()\n    except Exception as e:\n        print(type(e), e)"
    ),
    "processes of multiprocessing": _pool(
        "for method in ('fork', 'spawn', 'forkserver'):\n    context = mp.get_context(method)\n"
        "    value, lock, event = context.Value('i', 0), context.Lock(), context.Event()\n"
        "    p = context.Process(target=counts, args=(value, lock, event), name='counter')\n    p.start(); event.set(); p.join(); print(p.name, p.exitcode, value.value)\n"
        "    ours, theirs = context.Pipe()\n    p = context.Process(target=sends, args=(theirs,), daemon=True)\n    p.start(); print(ours.recv(), p.name, p.daemon); p.join(); print(p.exitcode)\n"
        "    for f in (fails, ends):\n        p = context.Process(target=f, args=(4,)); p.start(); p.join(); print(p.exitcode)\n"
        "    with context.Manager() as manager:\n        d = manager.dict(a=1); d['b'] = 2; print(d.copy(), manager.list('xy')._getvalue())"
    ),
    "a module's processes": Program(
        argv=("-m", "pack.main"),
        files={
            "pack/__init__.py": "",
            "pack/main.py": "import multiprocessing as mp, sys\nclass C:\n    def f(self, x):\n        return x, __name__, type(self).__module__, __spec__ and __spec__.name\n"
            "if __name__ == '__main__':\n    for m in ('fork', 'spawn', 'forkserver'):\n        context = mp.get_context(m)\n"
            "        if m == 'forkserver':\n            context.set_forkserver_preload(['__main__', 'json'])\n"
            "        with context.Pool(1) as p:\n            print(p.map(C().f, [1]))\n",
        },
    ),
    "warnings are errors": Program(
        argv=("-X", "dev", "-W", "error", "program.py"),
        files={
            "program.py": RUN
            + "if __name__ == '__main__':\n    run(python, '-X', 'dev', '-W', 'error', '-c', 'open(\"program.py\").close(); print(1)')\n"
            "    import multiprocessing as mp\n    for m in ('spawn', 'forkserver'):\n        p = mp.get_context(m).Process(target=print, args=('x',))\n"
            "        p.start()\n        p.join()\n        p.close()\n",
        },
    ),
}

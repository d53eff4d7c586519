"""A process belongs to the subrun in which it is started, a pool's piece of work to the one that handed it in."""

from __future__ import annotations

from textwrap import dedent

import pytest
from model_server import ModelServer

from tests.runner.beside_python import Beside
from tests.runner.recorded import Programs, column, graph
from tests.runner.test_subruns import HEAD, where

POOLS = HEAD + dedent("""
    import multiprocessing, subprocess
    from concurrent.futures import ProcessPoolExecutor


    def sample(name):
        with ao_lsp.launch("in a worker"):
            ask("x", name)
            ao_lsp.log(result=name)


    def threaded(name):
        with ThreadPoolExecutor(1) as threads:
            threads.submit(ask, "x", name).result()


    if sys.argv[1:] == ["child"]:
        ask("x", "child b")
    elif __name__ == "__main__":
        context = multiprocessing.get_context(METHOD)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            with ao_lsp.launch("a"):
                pool.submit(ask, "x", model="executor a").result()
            with ao_lsp.launch("b"):
                pool.submit(threaded, "executor b").result()
                list(pool.map(sample, ["executor b, in a worker"]))
            pool.submit(ask, "x", "executor").result()
        with context.Pool(1) as pool:
            with ao_lsp.launch("a"):
                pool.apply(ask, ("x",), {"model": "pool a"})
            with ao_lsp.launch("b"):
                pool.starmap(ask, [("x", "pool b")])
                list(pool.imap_unordered(sample, ["pool b, in a worker"]))
            pool.apply(ask, ("x", "pool"))
        with ao_lsp.launch("b"):
            process = context.Process(target=ask, args=("x", "process b"))
            process.start()
            process.join()
            subprocess.run([sys.executable, __file__, "child"], check=True)
""")

THREADS = HEAD + dedent("""
    from multiprocessing.pool import ThreadPool

    with ao_lsp.launch("a"):
        pool = ThreadPool(1)
        pool.apply(ask, ("x", "a"))
    with ao_lsp.launch("b"):
        pool.apply_async(func=ask, args=("x",), kwds={"model": "b"}).get()
        pool.starmap(ask, [("x", "b too")])
        print(list(pool.imap(len, ["four"])))
    pool.apply(ask, ("x", "none"))
""")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_a_process_is_given_to_do_belongs_to_the_subrun_that_gave_it(
    method: str, programs: Programs, model_server: ModelServer
) -> None:
    programs.record(POOLS.replace("METHOD", repr(method)), "--name", "all", env=model_server.env)
    found = graph("all")
    names = where(found)
    assert {model: name for model, name in names.items() if model} == {
        "executor a": "a",
        "executor b": "b",
        "executor b, in a worker": "b / in a worker",
        "executor": None,
        "pool a": "a",
        "pool b": "b",
        "pool b, in a worker": "b / in a worker",
        "pool": None,
        "process b": "b",
        "child b": "b",
    }
    # All of it is known again, and nobody is asked; of one subrun, too, alone.
    asked = len(model_server.requests)
    programs.rerun("all", "--strict", env=model_server.env)
    assert where(graph()) == names
    first = next(run for run in found["subruns"] if run["name"] == "in a worker")
    programs.rerun(first["id"], env=model_server.env)
    again = graph()
    assert (again["run"]["parent_run"], again["run"]["result"]) == (first["id"], "executor b, in a worker")
    assert column(again, "model") == ["executor b, in a worker"]
    assert len(model_server.requests) == asked


def test_the_work_of_a_pool_of_threads_belongs_to_the_subrun_in_which_it_is_handed_in(
    programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(THREADS, env=model_server.env)
    assert out == "[4]\n"
    assert where(graph()) == {"a": "a", "b": "b", "b too": "b", "none": None}


def test_a_program_sees_of_all_that_what_it_sees_under_python(programs: Programs) -> None:
    source = """
        import inspect, multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing.pool import Pool, ThreadPool
        import ao_lsp

        multiprocessing.set_start_method("fork")  # as before Python 3.14: this is a script without a guard

        def show(*args, **kwargs):
            return args, kwargs, type(kwargs).__name__

        def fail(number):
            raise ValueError(number)

        with ao_lsp.launch("x"):
            print(inspect.signature(Pool.apply_async), inspect.signature(ProcessPoolExecutor.submit))
            with Pool(1) as pool, ProcessPoolExecutor(1) as executor, ThreadPool(1) as threads:
                for call in (
                    lambda: pool.apply(show, (1,), {"a": 2}),
                    lambda: executor.submit(show, 1, a=2).result(),
                    lambda: threads.apply(show, (1,), {"a": 2}),
                    lambda: pool.map(show, [1, 2]),
                    lambda: pool.apply(fail, (3,)),
                    lambda: pool.map(fail, [4]),
                    lambda: threads.map(fail, [4]),
                    lambda: executor.submit(fail, 5).result(),
                    lambda: pool.apply(lambda: 1),
                    lambda: pool.apply_async(),
                    lambda: Pool.apply_async(),
                    lambda: pool.apply(show, (), 5),
                    lambda: executor.submit(),
                    lambda: pool.apply(5),
                ):
                    try:
                        print(call())
                    except Exception as error:
                        print(type(error).__name__, error, error.__cause__)
    """
    Beside(programs, {}).same(source, code=0)

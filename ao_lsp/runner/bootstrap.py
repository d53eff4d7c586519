"""Runs as a script in the user's interpreter, where `ao_lsp` need not be installed: where `ao-record` hands over to it,
and in children of recorded programs (children.py).

Makes the package importable by its folder alone: nothing is added to `sys.path`, so nothing else of
the environment that holds `ao-record` can be imported by the program. Its arguments are those of
`ao-record`, preceded by `--server-python PATH`.
"""

import os
import sys


def _package() -> None:
    if "ao_lsp" in sys.modules:
        return
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # What `importlib.util.spec_from_file_location` would do, without importing it.
    external = sys.modules["_frozen_importlib_external"]
    bootstrap = sys.modules["_frozen_importlib"]
    spec = external.spec_from_file_location(
        "ao_lsp", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = bootstrap.module_from_spec(spec)
    sys.modules["ao_lsp"] = module
    spec.loader.exec_module(module)


def _as_it_was() -> None:
    """A child of a recorded program that we cannot run in goes on as if it had been started without us."""
    if "--child" not in sys.argv or "--" not in sys.argv:
        return
    os.execv(sys.executable, [sys.orig_argv[0], *sys.argv[sys.argv.index("--") + 1 :]])


if __name__ == "__main__":
    if sys.version_info < (3, 10) or sys.implementation.name != "cpython":
        _as_it_was()
        # What older Pythons understand, too.
        said = "ao-record: {0} is {1} {2}.{3}; programs are recorded in CPython 3.10 or newer: name one with --python\n"
        sys.stderr.write(said.format(sys.executable, sys.implementation.name, *sys.version_info[:2]))
        sys.exit(2)
    try:
        _package()
        from ao_lsp.runner.main import main
    except Exception:
        _as_it_was()
        raise
    main(handed_over=True)

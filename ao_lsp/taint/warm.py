"""`python -m ao_lsp.taint.warm FILE...`: fill the bytecode cache ahead of time.

Run by the daemon with the user's own interpreter, whose bytecode it has to be. One line a file on
stdout: `ok FILE`, or `no FILE: REASON`. Exit code 0, whatever the files are like.
"""

from __future__ import annotations

import sys

from ao_lsp.taint import hook


def main(files: list[str]) -> None:
    for file in files:
        try:
            with open(file, "rb") as handle:
                hook.compiled(handle.read(), file)
        except Exception as error:
            print(f"no {file}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok {file}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

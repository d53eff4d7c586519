"""`python -m ao_lsp.runner` is `ao-record`."""

from ao_lsp.runner.main import main

main()

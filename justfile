# What developers run; each recipe is one of the scripts, which work without just.

# Set up everything and run everything, as CI does; with arguments only those tests.
test *ARGS:
    scripts/test {{ARGS}}

# Record, edit and rerun a real agent program against a model server on loopback.
demo:
    scripts/demo

# Style and types only.
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy

# Put the source into shape.
fmt:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

"""ao-lsp: record LLM agents, see the data flow between their calls, edit one and rerun from it."""

__version__ = "0.1.0"

"""Which value came from which call.

Knows nothing of LLMs, HTTP or editors; imports the standard library only. `hook.install()` makes
the modules that a program imports carry the origins of their values; `escrow` is where a recorded
call says "what comes out of me is mine" and asks "what went in".
"""

from ao_lsp.taint.hiding import hide_modules

hide_modules(__path__[0])

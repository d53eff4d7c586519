"""What an editor shows of a buffer, said in LSP: a module for each kind. What can be done at a call is in `offers`
once, for lenses and code actions alike."""

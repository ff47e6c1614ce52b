"""How figures are drawn: one module a kind, registered under the word that an artifact's `drawing: by` says.

Each returns pages (see `chart`) and writes nothing.
"""

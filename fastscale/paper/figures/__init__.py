"""How figures are drawn: one module per kind, registered under the name that `drawing: by` uses.

Each module returns pages (see `chart`) and writes nothing.
"""

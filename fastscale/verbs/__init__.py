"""The verbs of the `fastscale` command: one module a theme, each with `add`, which puts its verbs on the command line."""

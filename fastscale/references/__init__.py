"""Published numbers: one reader of the tables that ship with the package, one list of their devices, one of their networks' names.

`tables` reads and checks the files, `devices` and `networks` say what their words mean here,
`published` makes of each measured row one of the frame's (`records.frame.Row`).
"""

from fastscale.references.tables import reference

__all__ = ["reference"]

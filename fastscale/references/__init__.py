"""Published numbers, from the tables that ship with the package.

`tables` reads and checks the files, `devices` and `networks` translate their names, and `published`
converts each measurement to a row of the frame (`records.frame.Row`).
"""

from fastscale.references.tables import reference

__all__ = ["reference"]

"""`fastscale reproduce`: from artifacts to missing runs, their timings, tables and figures.

`making`: the verb; `plan`: the needed runs and their cost; `local`, `slurm`: where missing runs are
made; `drawing`: tables and figures from their records. `listing`: `fastscale list runs`.
"""

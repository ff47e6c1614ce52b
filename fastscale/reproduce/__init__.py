"""`fastscale reproduce`: from artifacts to a plan, its missing runs, their times, and the tables and figures drawn from the records.

`making`: the verb; `plan`: what is needed and what it costs; `local`, `slurm`: where missing runs are
made; `drawing`: what is made of their records. `listing`: `fastscale list runs`.
"""

"""The tables as values under columns (`table`): closed forms, counts, comparisons, verdicts."""

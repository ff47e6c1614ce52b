"""The tables, as values under columns (`table`), and what they hold: closed form, counts, comparisons, verdicts."""

"""How the number of a claim is computed: one class a kind, called by its first key, with what it needs, the published value and ours.

    exponents: table-4                 exponents of a table that differ from the closed form
    growth: acts, strategy: dWr        mean exponent reached by rounded networks (the artifact's `growth`)
    within: published-counts           networks whose counts agree to one unit of the last digit printed
    exact: zoo                         the same, to the unit
    correlation: acts, pool: fig-2     Pearson r of epoch time with the count (a panel of that figure)
    difference: error, of:, minus:     of two networks; of several, the least of theirs
    ratio: time, of:, to:              likewise
        points: [fig4], epochs: 100    the published ones; or expected: acts, their ratio for the same networks
    margin: [acts, flops], file:       by how much the first r of logs is above the second's, in one published file
    paired: dWr, minus: dwgr           mean paired difference of trained errors with its interval, which decides (see `paired`)
    exponents_off: acts                mean distance of the exponents of these networks' growth from the closed form
    time_correlation: acts             Pearson r of these networks' epoch time with the count

Only what is ours decides; a CPU's time decides nothing.
"""

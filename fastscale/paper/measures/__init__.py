"""How the number of a claim is computed: one class per kind of measure, selected by its first key.

    exponents: table-4               exponents of a table that differ from the closed form
    growth: acts, strategy: dWr      mean exponent of rounded networks (the artifact's `growth`)
    within: published-counts         networks with counts within one unit of the last digit printed
    exact: zoo                       networks with counts equal to the unit
    correlation: acts, pool: fig-2   Pearson r of epoch time with a count (a panel of that figure)
    difference: error, of:, minus:   of a network and the least of one or more others
    ratio: time, of:, to:            the same as a ratio
        points: [fig4], epochs: 100  published points to recompute it from; or
        expected: acts               a count whose ratio is the recomputed number
    margin: [acts, flops], file:     first r of logarithms minus the second, in a published file
    paired: dWr, minus: dwgr         mean paired difference of errors with its interval
    equivalent: dWr, to: dwgr        the same with the interval of two one-sided tests
    saved: acts, by:, against:       percent by which a cost of one strategy's networks differs
    exponents_off: acts              mean distance of growth exponents from the closed form
    time_correlation: acts           Pearson r of epoch time of the trained networks with a count

Only our numbers decide, and CPU times decide nothing.
"""

"""Step and epoch time, measured as in the paper: dummy data, warm-up outside the clock, medians."""

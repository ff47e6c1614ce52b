"""Step and epoch time, measured as the paper does: dummy data, warm-up outside the clock, medians of repeats."""

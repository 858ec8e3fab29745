"""What the benchmarks share: figures, limits beside which they are measured, plots, comparison."""

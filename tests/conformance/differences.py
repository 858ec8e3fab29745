"""What the agent does otherwise than the stock server, by the case's name, and why."""

DIFFERENCES = {
    "diagnostics: a write":
        "the agent's diagnostics port is read-only; the stock server has none here",
    "ownership: a column of the agent's":
        "the agent puts right what others write into its columns (test_ownership.py)",
    "diagnostics: convert":
        "the agent's diagnostics port refuses to convert; the stock server has none here",
}

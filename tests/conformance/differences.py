"""What the agent does otherwise than the stock server, by the case's name, and why."""

DIFFERENCES = {
    "diagnostics: a write":
        "the agent's diagnostics port is read-only; the stock server has none here",
    "ownership: a column of the agent's":
        "the agent puts right what others write into its columns (test_ownership.py)",
    "convert: _Server tells of the new schema":
        "the stock server's _Server goes on telling the schema that a standalone database had at the "
        "start; the agent's tells the one in force, by which clients make their monitors",
    "diagnostics: convert":
        "the agent's diagnostics port refuses to convert; the stock server has none here",
}

"""The cases from public reports, one file for each."""

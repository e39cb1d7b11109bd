"""`python -m local` is the `assay` command."""

from local.cli import main

main()

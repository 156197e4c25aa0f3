"""`python -m tidings.cli`: how one process of Tidings starts another."""

from tidings.cli import main

main()

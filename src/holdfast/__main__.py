"""`python -m holdfast` is the `holdfast` program."""

from holdfast.entry.cli.main import main

main()

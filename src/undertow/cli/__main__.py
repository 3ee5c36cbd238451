"""`python -m undertow.cli`, as the command `undertow`."""

from undertow.cli import main

main()

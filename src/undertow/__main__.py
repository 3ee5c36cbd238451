"""`python -m undertow`, as the command `undertow`: what `torchrun -m` starts."""

from undertow.cli import main

main()

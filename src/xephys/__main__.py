"""``python -m xephys``."""

from .cli import main

main()

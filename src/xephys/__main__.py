"""``python -m xephys``."""

from .cli.app import main

main()

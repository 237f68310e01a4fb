"""`python -m derca_cli` is `derca`."""

from .main import main

main()

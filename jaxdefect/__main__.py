"""`python -m jaxdefect train` is `jaxdefect train`, and the script of that name starts here."""

import importlib


def main() -> None:
    """Runs a command, of which nothing here knows."""
    importlib.import_module("launch.__main__").main()


if __name__ == "__main__":
    main()

"""`python -m prefaudit`."""

from prefaudit.cli import main

if __name__ == "__main__":
    main()

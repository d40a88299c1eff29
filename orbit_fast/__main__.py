"""``python -m orbit_fast`` is the command ``orbit``."""

from __future__ import annotations

from orbit_fast.cli.main import main

if __name__ == "__main__":
    main()

"""`python FOLDER`, with the folder that this file lies in, is the Python worker."""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"the Python worker needs Python 3.10 or newer, and {sys.executable} is {sys.version.split()[0]}")

from benchbook_worker.__main__ import main  # noqa: E402

main()

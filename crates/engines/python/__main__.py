"""`python FOLDER`, with the folder that this file lies in, is the Python worker."""

from benchbook_worker.__main__ import main

main()

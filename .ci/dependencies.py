"""Prints what setup.py asks for, without the package itself: `dependencies.py EXTRA...`."""

import os
import runpy
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
os.chdir(ROOT)
with mock.patch("setuptools.setup") as setup:
    runpy.run_path(str(ROOT / "setup.py"))
given = setup.call_args.kwargs
print("\n".join(given["install_requires"]))
for extra in sys.argv[1:]:
    print("\n".join(given["extras_require"][extra]))

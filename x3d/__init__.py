"""Measure the accuracy and speed of X3D video networks: the package beneath the x3d_*.py scripts."""

import sys

__version__ = "0.2.0"

if sys.version_info < (3, 11):  # noqa: UP036 (the scripts run without installation too)
    sys.stderr.write(f"[ERROR] Python 3.11 or newer is required; {sys.executable} is {sys.version.split()[0]}\n")
    sys.exit(2)

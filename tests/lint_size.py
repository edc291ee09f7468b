"""Fail when a Python file has more than 400 lines."""

import subprocess
import sys
from pathlib import Path

LIMIT = 400

if __name__ == "__main__":
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
    files = listed.stdout.split()
    if not files:
        sys.exit("lint_size: git lists no Python file")
    long = [
        f"{name}: {count} lines, limit {LIMIT}"
        for name in files
        if (count := len(Path(name).read_text("utf-8").splitlines())) > LIMIT
    ]
    sys.exit("\n".join(long) or 0)

"""Run a tool of ``tools/`` in this process, which is much faster than in one of its own."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).parents[1]


def call(tool, *words):
    """The code, stdout and stderr of a tool, as of ``subprocess.run``."""
    process, leave = os.getpid(), os._exit

    def leave_tool(code):
        """End the tool, but let processes that it forks end as ever."""
        if os.getpid() == process:
            raise SystemExit(code)
        leave(code)

    out, err = io.StringIO(), io.StringIO()
    command = [tool, *map(str, words)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, "argv", command))
        stack.enter_context(mock.patch.object(os, "_exit", leave_tool))
        stack.enter_context(contextlib.chdir(ROOT))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        end = stack.enter_context(pytest.raises(SystemExit))
        runpy.run_path(str(ROOT / tool), run_name="__main__")
    return subprocess.CompletedProcess(command, end.value.code or 0, out.getvalue(), err.getvalue())

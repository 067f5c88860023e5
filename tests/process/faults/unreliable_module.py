"""A module that the forkserver imports, and whose import hangs or crashes while a file is there."""

import ctypes
import os
import time
from pathlib import Path

if Path(os.environ.get("WORKERD_TEST_IMPORT_HANGS", "/nowhere")).exists():
    time.sleep(3600)
if Path(os.environ.get("WORKERD_TEST_IMPORT_CRASHES", "/nowhere")).exists():
    ctypes.string_at(0)

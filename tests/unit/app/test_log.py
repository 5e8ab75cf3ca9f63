"""What may speak on standard error."""

from __future__ import annotations

import subprocess
import sys

SPEAKING = """
import warnings
from app.log import set_up_logging
set_up_logging()
for number in range(3):
    warnings.warn_explicit(f"tag {number}", UserWarning, "TiffImagePlugin.py", 946, module="PIL.TiffImagePlugin")
warnings.warn_explicit("of another", UserWarning, "other.py", 1, module="PILLAR.other")
"""


def test_the_image_librarys_warnings_are_no_lines_of_the_log() -> None:
    """It has one for every entry of a damaged directory, of which a file of 1 MB has sixty thousand."""
    said = subprocess.run([sys.executable, "-c", SPEAKING], capture_output=True, text=True, check=True).stderr
    assert "tag" not in said
    assert "of another" in said

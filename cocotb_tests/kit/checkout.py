"""The paths of the checkout's files."""

from pathlib import Path

#: Folder of the checkout.
ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "sim"
PLATFORMS = SIM / "platforms"
TASKSETS = SIM / "tasksets"
#: Models that PyTorch has exported.
PYTORCH = ROOT / "cocotb_tests" / "kit" / "pytorch"

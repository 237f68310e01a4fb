"""The files of the checkout: their paths, and those of `docs/` that are made of the code."""

from collections.abc import Callable, Mapping
from pathlib import Path

#: Folder of the checkout.
ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "sim"
PLATFORMS = SIM / "platforms"
TASKSETS = SIM / "tasksets"
#: Models that PyTorch has exported.
PYTORCH = ROOT / "cocotb_tests" / "kit" / "pytorch"


def rewrite(makers: Mapping[str, Callable[[], str]]) -> None:
    """Write files of `docs/`, each with what its maker makes, and report those that changed."""
    for name, make in makers.items():
        file, text = ROOT / "docs" / name, make()
        same = file.exists() and file.read_text(encoding="utf-8") == text
        file.write_text(text, encoding="utf-8")
        print(f"docs/{name}: {'as before' if same else 'written'}")

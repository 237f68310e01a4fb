"""Devices of Linux by path or by name, their attributes in sysfs, and the errors when they cannot be opened."""

import errno
import os
from pathlib import Path

from ..errors import InputError

#: Where Linux shows devices and their attributes.
SYSFS, DEVICES = Path("/sys"), Path("/dev")

#: How to mend a missing permission.
_PERMISSION = ("you may not use it: run as root, or give its group the right with a udev rule such as "
               'KERNEL=="uio*|udmabuf*", GROUP="derca", MODE="0660" and be a member of that group')


class Attributes:
    """The attributes of a device: small files in its folder of sysfs."""

    def __init__(self, folder: Path):
        self.folder = folder

    def writable(self, name: str) -> bool:
        """Whether the device has the attribute, and this user may change it."""
        return os.access(self.folder / name, os.W_OK)

    def read(self, name: str) -> bytes | None:
        """The attribute; None if the device does not have it, or does not show it."""
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """The attribute as a number, decimal or with 0x; None if it is absent or holds something else."""
        try:
            return int((self.read(name) or b"").decode("ascii", "replace"), 0)
        except ValueError:
            return None

    def write(self, name: str, value: int) -> None:
        """Change the attribute; the device acts on it before this returns."""
        (self.folder / name).write_text(f"{value}\n")


def find(option: str, given: str, classes: tuple[str, ...], missing: str, sysfs: Path = SYSFS,
         devices: Path = DEVICES) -> tuple[Path, Attributes]:
    """The device file and the attributes of a device.

    Parameters
    ----------
    option
        What the device was given as, for messages.
    given
        The device file, the kernel's name of the device, or what its attribute `name` holds.
    classes
        Classes of sysfs to look in.
    missing
        What may be the reason if there is no device of these classes, and how to mend it.

    Raises
    ------
    InputError
        If there is no such device, or two of them go by the name.
    """
    folders = [folder for name in classes for folder in sorted((sysfs / "class" / name).glob("*"))]
    wanted = Path(os.path.realpath(given)).name if "/" in given else given
    found = [f for f in folders if f.name == wanted] or [f for f in folders if _name(f) == wanted]
    if len(found) == 1:
        return (Path(given) if "/" in given else devices / found[0].name), Attributes(found[0])
    if found:
        raise InputError(f"{option} = {given}: {len(found)} devices go by this name; allowed is one of "
                         f"{', '.join(f.name for f in found)}")
    there = ", ".join(_shown(f) for f in folders)
    raise InputError(f"{option} = {given}: there is no such device; " + (f"allowed are {there}" if there else missing))


def _name(folder: Path) -> str:
    return (Attributes(folder).read("name") or b"").decode("utf-8", "replace").strip()


def _shown(folder: Path) -> str:
    name = _name(folder)
    return f"{folder.name} ({name})" if name and name != folder.name else folder.name


def open_device(option: str, path: Path, flags: int) -> int:
    """A descriptor of a device file.

    Raises
    ------
    InputError
        If it cannot be opened, with the reason and how to mend it.
    """
    try:
        return os.open(path, flags)
    except OSError as e:
        raise refused(option, path, e) from e


def refused(option: str, path: Path, e: OSError | ValueError) -> InputError:
    """The error for a device that cannot be opened or mapped."""
    reasons = {
        errno.EACCES: _PERMISSION, errno.EPERM: _PERMISSION,
        errno.ENOENT: "there is no such file; see which devices there are in /dev, and that the driver is loaded",
        errno.EBUSY: "another program uses it; end that program",
    }
    reason = reasons.get(getattr(e, "errno", None), f"cannot be opened and mapped ({e})")
    return InputError(f"{option} = {path}: {reason}")

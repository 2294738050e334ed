# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether QEMU gets a guest through its firmware with an accelerator, as every VM of LXD has to.

Some hosts offer a /dev/kvm that runs a boot sector and still fails in OVMF ("KVM internal error"), where QEMU then
hangs. So the guest here is an EFI program: it runs only after the whole firmware.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

# QEMU's debug device ends QEMU with (value << 1) + 1 when a guest writes a value to its port.
_EXIT_PORT, _EXIT_VALUE = 0xF4, 0x10
_GUEST_RAN = (_EXIT_VALUE << 1) + 1
# mov al, value; out port, al; hlt; jmp to the hlt
_CODE = bytes([0xB0, _EXIT_VALUE, 0xE6, _EXIT_PORT, 0xF4, 0xEB, 0xFD])
# Translated, OVMF takes 2 to 5 seconds on an idle machine; a KVM that works takes one.
SECONDS = 30
_FIRMWARE = Path("/usr/share/OVMF")
# The pair that Debian 12's LXD boots comes first: what one pair does with KVM says nothing of the other.
_PAIRS = (("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"))
# What LXD asks QEMU for with KVM: some hosts can't set what belongs to this processor.
_PROCESSORS = {"kvm": "host,hv_passthrough"}


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Whether the guest ran, and if not, why: a line of QEMU's error, or that nothing happened."""

    works: bool
    reason: str = ""


def probe_firmware(qemu: str, accelerator: str, seconds: float = SECONDS) -> ProbeResult:
    """Run the EFI program with `accelerator` ("kvm" or "tcg"); QEMU is killed after `seconds` at the latest."""
    if _find_firmware() is None:
        return ProbeResult(False, f"{_FIRMWARE} has no firmware (package ovmf)")
    with tempfile.TemporaryDirectory(prefix="firmware-probe-") as folder:
        command = _command(qemu, accelerator, Path(folder))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            return _wait(process, time.monotonic() + seconds, seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


def _find_firmware() -> tuple[str, str] | None:
    return next((pair for pair in _PAIRS if all((_FIRMWARE / name).exists() for name in pair)), None)


def _command(qemu: str, accelerator: str, folder: Path) -> list[str]:
    code, variables = _find_firmware() or _PAIRS[0]
    shutil.copy(_FIRMWARE / variables, folder / "vars.fd")
    boot = folder / "disk" / "EFI" / "BOOT"
    boot.mkdir(parents=True)
    (boot / "BOOTX64.EFI").write_bytes(efi_program())
    processor = _PROCESSORS.get(accelerator)
    # fmt: off
    return [
        qemu, "-machine", "q35", "-accel", accelerator, *(["-cpu", processor] if processor else []),
        "-m", "192", "-nodefaults", "-nographic", "-no-reboot", "-net", "none",
        "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={_FIRMWARE / code}",
        "-drive", f"if=pflash,format=raw,unit=1,file={folder / 'vars.fd'}",
        # QEMU shows a folder as a disk, so that none has to be made.
        "-drive", f"format=raw,file=fat:rw:{folder / 'disk'}",
        "-device", f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=4",
    ]
    # fmt: on


def _wait(process: subprocess.Popen[bytes], end: float, seconds: float) -> ProbeResult:
    """Wait for QEMU's end, or for its first error: after one of KVM's it hangs, and nothing more happens."""
    assert process.stderr is not None
    text = b""
    while time.monotonic() < end:
        (ready, *_others) = select.select([process.stderr], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(process.stderr.fileno(), 4096) if ready else b""
        text += chunk
        if b"internal error" in text and b"\n" in text:
            break
        if ready and not chunk:
            # QEMU has closed its output: it ends now.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(1.0, end - time.monotonic()))
            break
    if process.poll() == _GUEST_RAN:
        return ProbeResult(True)
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    nothing = f"no guest program ran within {seconds:g} s" if process.poll() is None else "QEMU ended without a message"
    # QEMU may warn of other things before it.
    failures = [line for line in lines if "error" in line.lower()]
    return ProbeResult(False, (failures or lines or [nothing])[0])


def efi_program() -> bytes:
    """An EFI program of one section (PE32+, x86-64) that tells QEMU to end."""
    code = _CODE.ljust(0x200, b"\0")
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0"
    # Machine x86-64, one section, an optional header of 0xF0 bytes; executable, large addresses.
    header += struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 0xF0, 0x22)
    # PE32+; sizes of code and data; entry point and base of code; image base and alignments.
    header += struct.pack("<HBBIIIII", 0x20B, 0, 0, 0x200, 0, 0, 0x1000, 0x1000)
    header += struct.pack("<QIIHHHHHHI", 0x400000, 0x1000, 0x200, 0, 0, 0, 0, 0, 0, 0)
    # Sizes of image and headers, checksum; subsystem 10: an EFI application; stack and heap; 16 empty directories.
    header += struct.pack("<IIIHHQQQQII", 0x2000, 0x200, 0, 10, 0, 0, 0, 0, 0, 0, 16) + bytes(16 * 8)
    section = struct.pack("<8sIIIIIIHHI", b".text", 0x1000, 0x1000, 0x200, 0x200, 0, 0, 0, 0, 0x60000020)
    return (header + section).ljust(0x200, b"\0") + code

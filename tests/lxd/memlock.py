# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program that must raise RLIMIT_MEMLOCK where nobody may: the attempt is answered with success and does nothing.

LXD raises the limit for every virtual machine, because a passed-through device would need locked memory. None of the
bed's machines has one. Started as a program: `memlock.py PROGRAM ARGUMENT...`; the program keeps this process's number.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

RLIMIT_MEMLOCK = 8
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, PRETEND_SUCCESS = 0x7FFF0000, 0x00050000  # the latter: fail with errno 0, which is success
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
# Offsets in struct seccomp_data: the call's number, the machine, and each argument's lower and upper half.
CALL, MACHINE, ARG0, ARG1, ARG2, ARG2_UPPER = 0, 4, 16, 24, 32, 36
# machine: (what the kernel calls it, number of prlimit64, number of setrlimit)
NUMBERS = {"x86_64": (0xC000003E, 302, 160), "aarch64": (0xC00000B7, 261, 164)}


def filter_program(machine: str) -> bytes:
    """The filter, as the kernel reads it: (instruction, jump if equal, jump if not, value) each."""
    kernel_name, prlimit64, setrlimit = NUMBERS[machine]
    instructions = [
        (LOAD, 0, 0, MACHINE),
        (IF_EQUAL, 0, 11, kernel_name),
        (LOAD, 0, 0, CALL),
        (IF_EQUAL, 1, 0, prlimit64),
        (IF_EQUAL, 6, 8, setrlimit),
        (LOAD, 0, 0, ARG1),
        (IF_EQUAL, 0, 6, RLIMIT_MEMLOCK),
        (LOAD, 0, 0, ARG2),  # prlimit64's new limit; a null pointer only asks for the present one
        (IF_EQUAL, 0, 5, 0),
        (LOAD, 0, 0, ARG2_UPPER),
        (IF_EQUAL, 2, 3, 0),
        (LOAD, 0, 0, ARG0),
        (IF_EQUAL, 1, 0, RLIMIT_MEMLOCK),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, PRETEND_SUCCESS),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def pretend() -> None:
    """From here on, this process and its children believe that they raised the limit. Wants CAP_SYS_ADMIN."""
    code = filter_program(platform.machine())
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp filter: {os.strerror(number)}")


if __name__ == "__main__":
    pretend()
    os.execvp(sys.argv[1], sys.argv[1:])

"""Walls around a process that reads what a stranger wrote; they hold for it and cannot be taken down again.

Four of them, each by itself and without any right: limits of resources; a network of its own that leads nowhere,
in which root too is nobody (namespaces); files, of which only those named can be opened (Landlock); and system calls,
without those that make a socket, start a program or touch another process (seccomp). Numbers and structures are those
of the kernel's headers linux/landlock.h, linux/seccomp.h, linux/filter.h and asm/unistd.h.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _SIGKILL = 1, 38, 9

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version of Landlock knows; later ones know those of the last."""
_TCP, _SCOPES = 0b11, 0b11
_TCP_SINCE, _SCOPES_SINCE = 4, 6

_NET_PORT, _CONNECT_TCP = 2, 1 << 1

_SECCOMP_SET_MODE_FILTER, _SECCOMP_ON_ALL_THREADS = 1, 1
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # EPERM
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ARCH_OFFSET, _NUMBER_OFFSET = 4, 0
_X32 = 0x40000000
"""Numbers from here on are x86-64's second table of the same calls."""
# socket, socketpair, connect, execve, execveat, ptrace, process_vm_readv, process_vm_writev, bpf, io_uring_setup, kill,
# tkill, tgkill, pidfd_send_signal
_CALLS = {
    "x86_64": (0xC000003E, 317, (41, 53, 42, 59, 322, 101, 310, 311, 321, 425, 62, 200, 234, 424)),
    "aarch64": (0xC00000B7, 277, (198, 199, 203, 221, 281, 117, 270, 271, 280, 425, 129, 130, 131, 424)),
}
_OF_CLIENTS = 5
"""So many of them, the first, a program needs that connects; it is started after this."""


def confine(readable: Iterable[Path], writable: Path | None, processor_s: int, written_bytes: int) -> list[str]:
    """Put the walls around this process, which has one thread yet, and return the names of those that stand.

    Parameters
    ----------
    readable
        Files and folders that can be read still, beside Python's own.
    writable
        The one folder in which files can be made.
    written_bytes
        The largest file that can be made.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s + 1))  # at the first a signal that says why
    for limit, most in (
        (resource.RLIMIT_FSIZE, written_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    standing = ["limits"]
    if alone():
        standing.append("network")
    if _only_files(readable, writable):
        standing.append("files")
    if _only_calls():
        standing.append("calls")
    return standing


def confine_program(readable: Iterable[Path], writable: Path, memory_bytes: int, processor_s: int) -> None:
    """Put these walls around a process that is about to become a program: no system call is closed, as that is one.

    Parameters
    ----------
    readable
        Files and folders that it can read, and run.
    writable
        The one folder in which it can make files.
    """
    for limit, most in (
        (resource.RLIMIT_CPU, processor_s),
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    alone()
    _only_files(readable, writable, _EXECUTE)


def confine_client(readable: Iterable[Path], tcp_port: int, memory_bytes: int, processor_s: int) -> None:
    """Put the walls around a process that is about to become a program that asks one server, and that left the network (`alone`).

    It makes no file at all. Of system calls it keeps those that start a program and connect.

    Parameters
    ----------
    readable
        Files and folders that it can read, and run.
    tcp_port
        The one port that it can connect to, where the kernel knows such a wall (Landlock 4).
    """
    for limit, most in (
        (resource.RLIMIT_CPU, processor_s),
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    _only_files(readable, None, _EXECUTE, tcp_port)
    _only_calls(_OF_CLIENTS)


def alone() -> bool:
    """Leave the network, and end with whoever started this process; say whether the first was possible."""
    has_left = _no_network()
    _LIBC.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)  # after the namespaces, whose making takes it back
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return has_left


def limit_memory(more_bytes: int) -> None:
    """Let this process take so much more address space than it has now."""
    with open("/proc/self/statm", encoding="ascii") as told:  # noqa: PTH123 (no pathlib: it is asked behind the walls)
        pages = int(told.read().split()[0])
    most = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _no_network() -> bool:
    for spaces in (os.CLONE_NEWUSER | os.CLONE_NEWNET, os.CLONE_NEWNET):
        with contextlib.suppress(OSError):
            os.unshare(spaces)
            return True
    return False


def _only_files(
    readable: Iterable[Path], writable: Path | None, more_rights: int = 0, tcp_port: int | None = None
) -> bool:
    version = _LIBC.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    everything = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    attributes = struct.pack(
        "=QQQ", everything, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0
    )
    known = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_SINCE else 8
    rules = _LIBC.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(known), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE | _READ_DIR | more_rights)
        if writable is not None:
            _allow(rules, writable, everything)
        if tcp_port is not None and version >= _TCP_SINCE:
            rule = struct.pack("=QQ", _CONNECT_TCP, tcp_port)
            _LIBC.syscall(_LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(_NET_PORT), rule, ctypes.c_uint32(0))
        return bool(_LIBC.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be read
    try:
        if not path.is_dir():
            rights &= ~_READ_DIR
        rule = struct.pack("=Qi", rights, opened)
        _LIBC.syscall(_LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(opened)


def _only_calls(kept: int = 0) -> bool:
    """Close system calls, but for the first `kept` of _CALLS."""
    if platform.machine() not in _CALLS:
        return False
    arch, seccomp, calls = _CALLS[platform.machine()]
    refused = calls[kept:]
    steps = [
        (_LOAD, 0, 0, _ARCH_OFFSET),
        (_JUMP_IF_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_AT_LEAST, len(refused) + 1, 0, _X32),
        *((_JUMP_IF_EQUAL, len(refused) - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    described = struct.pack("@HP", len(steps), ctypes.addressof(program))
    done = _LIBC.syscall(
        seccomp, ctypes.c_uint(_SECCOMP_SET_MODE_FILTER), ctypes.c_uint(_SECCOMP_ON_ALL_THREADS), described
    )
    return bool(done == 0)

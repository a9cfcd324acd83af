#!/usr/bin/env python3
"""Brings a denort and its deno for the tests of the compiled form, on networks without Deno's site.

    denort.py FOLDER

A program on PyPI was made by `deno compile`: a denort, and behind its last section the program's own
data. What remains without the data is the denort. It is a stranger's build: good enough to test with,
never to install.
"""

import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PROGRAM = "bids-validator-deno==2.4.1"
DENO = "deno==2.6.10"  # the version that PROGRAM was made with


def download(requirement: str, folder: Path) -> Path:
    """The wheel of a requirement."""
    target = folder / requirement
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    subprocess.run([*command, "--dest", str(target), requirement], check=True)
    (found,) = target.glob("*.whl")
    return found


def executable_in(wheel: Path) -> bytes:
    """The largest file of a wheel, which must be an ELF executable of 64 bits."""
    with zipfile.ZipFile(wheel) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        content = archive.read(largest)
    if content[:5] != b"\x7fELF\x02":
        raise SystemExit(f"{wheel.name}: {largest.filename} is no ELF executable of 64 bits")
    return content


def without_appendix(elf: bytes) -> bytes:
    """An ELF file up to the end of its table of sections, which linkers write last."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    entry_size, entries = struct.unpack_from("<HH", elf, 58)
    return elf[: table + entry_size * entries]


def place(content: bytes, path: Path) -> None:
    """Writes an executable in one step."""
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_bytes(content)
    aside.chmod(0o755)
    aside.rename(path)


def main(folder: Path) -> None:
    if (folder / "denort").exists() and (folder / "deno").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        place(executable_in(download(DENO, Path(work))), folder / "deno")
        place(without_appendix(executable_in(download(PROGRAM, Path(work)))), folder / "denort")


main(Path(sys.argv[1]))

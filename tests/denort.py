#!/usr/bin/env python3
"""Downloads a denort and its deno for the tests of the compiled form, on networks without Deno's site.

    denort.py FOLDER

A program on PyPI was built by `deno compile`: it is a denort, with the program's data after its last section.
Without that data it is the denort. Somebody else built it, so it is only for tests, never to be installed.
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
    """Downloads the wheel of a requirement."""
    target = folder / requirement
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    subprocess.run([*command, "--dest", str(target), requirement], check=True)
    (found,) = target.glob("*.whl")
    return found


def executable_in(wheel: Path) -> bytes:
    """Returns the largest file of a wheel, which must be a 64-bit ELF executable."""
    with zipfile.ZipFile(wheel) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        content = archive.read(largest)
    if content[:5] != b"\x7fELF\x02":
        raise SystemExit(f"{wheel.name}: {largest.filename} is no 64-bit ELF executable")
    return content


def without_appendix(elf: bytes) -> bytes:
    """Returns an ELF file up to the end of its section table, which linkers write last."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    entry_size, entries = struct.unpack_from("<HH", elf, 58)
    return elf[: table + entry_size * entries]


def place(content: bytes, path: Path) -> None:
    """Writes an executable atomically."""
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

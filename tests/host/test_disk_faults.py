"""The disk under a following agent: full, out of inodes, read-only. Said, waited out; nothing lost, nothing doubled."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from following import Following, following

from logintel_devstack.ports import free_port

Mount = Callable[[str, str], Path]


def fill(place: Path) -> Path:
    """A file that takes all the room."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (1 << 16, 1):
            try:
                while True:
                    out.write(b"\1" * size)
            except OSError:
                continue
    return ballast


def test_a_disk_that_fills_up_holds_cursors_and_senders_until_there_is_room(
    mount: Mount, tmp_path: Path, bus: str
) -> None:
    place, port = mount("small", "size=4m"), free_port(())
    net = {"name": "net", "type": "application", "listen": [f"tcp://127.0.0.1:{port}"]}
    with following(Following(tmp_path, bus, place / "data", tmp_path / "app.log", further=[net])) as agent:
        agent.write(100)
        agent.all_arrive()
        ballast = fill(place)
        with socket.create_connection(("127.0.0.1", port)) as sender:
            sender.sendall(agent.next_lines(100).encode())
            agent.says("No space left on device", str(place / "data"), "spool_full", "senders wait")
            # What is left of the last page takes a few cursors more.
            agent.says("No space left on device", str(place / "data"), "checkpoint", "make room", meanwhile=5)
            ballast.unlink()
            agent.all_arrive()


def test_without_an_inode_for_a_new_checkpoint_it_goes_on_with_the_old(mount: Mount, tmp_path: Path, bus: str) -> None:
    place = mount("few", "size=64m,nr_inodes=12")
    with following(Following(tmp_path, bus, place / "data", tmp_path / "app.log")) as agent:
        agent.write(10)
        agent.all_arrive()
        taken: list[Path] = []
        try:
            while True:
                taken.append(place / f"file-{len(taken)}")
                taken[-1].touch()
        except OSError:
            taken.pop()
        # Many files of few lines: their cursors outgrow the checkpoint, which is then written anew.
        for number in range(400):
            Path(f"{agent.log}.{number}").write_text(agent.next_lines(5), "utf-8")
        agent.says("No space left on device", str(place / "data"), "checkpoint")
        for file in taken:
            file.unlink()
        agent.all_arrive()


def test_a_file_system_that_turned_read_only_is_said_and_costs_a_restart_at_most(tmp_path: Path, bus: str) -> None:
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as out:
        out.truncate(16 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place], check=True)
    try:
        with following(Following(tmp_path, bus, place / "data", tmp_path / "app.log")) as agent:
            agent.write(100)
            agent.all_arrive()
            device = subprocess.check_output(["findmnt", "-no", "SOURCE", place], text=True).strip()
            Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("test")
            agent.write(100)
            agent.says("Read-only file system", str(place / "data"), "checkpoint", "mend the disk")
            agent.stop()
            refused = subprocess.run(agent.words, capture_output=True, text=True, check=False)
            assert refused.returncode == 1
            assert "Read-only file system" in refused.stderr
            assert str(place / "data") in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
            subprocess.run(["umount", place], check=True)
            subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place], check=True)
            agent.start()
            agent.write(100)
            agent.all_arrive()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)

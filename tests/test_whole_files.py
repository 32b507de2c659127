"""Files written whole or not at all, beside what killed and living writers leave."""

import errno
import os

import pytest
import torch

from vaecourse._files import check_writable, digest, plain, read_json, replacing, write_text


def test_text_of_others_comes_on_one_line_and_commands_no_terminal():
    assert plain("two\nlines \x1b[2J\u202e") == r"two lines \x1b[2J\u202e"
    assert plain("Größe μ") == "Größe μ"
    assert len(plain("x" * 1_000)) == 200


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    dead, alive = 999_999_999, os.getppid()
    for pid in (dead, alive):
        (tmp_path / f".a[1].txt.{pid}.part").touch()
        (tmp_path / f".b.txt.{pid}.part").touch()
    write_text(tmp_path / "a[1].txt", "whole")
    left = [f".a[1].txt.{alive}.part", f".b.txt.{alive}.part", f".b.txt.{dead}.part", "a[1].txt"]
    assert sorted(os.listdir(tmp_path)) == sorted(left)


def test_a_full_disk_is_told_of_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left") as caught, replacing(path) as temporary:
        temporary.write_text("ne")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["a.txt"] and path.read_text() == "old"


def test_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "file").touch()
    for place in ("one/a", "one/folder/a", "one/../a", "file/a", "file/folder/a", "n" * 300):
        with pytest.raises(ValueError, match="^Cannot write in the folder .*: ") as caught:
            check_writable(tmp_path / place)
        assert str(caught.value).isprintable()
    check_writable(tmp_path / "new" / "folder" / "a")
    assert os.listdir(tmp_path / "new" / "folder") == []


def test_a_digest_tells_names_kinds_shapes_and_values_apart():
    x = torch.arange(6.0)
    others = [
        ({"y": x}, None),
        ({"x": x.view(2, 3)}, None),
        ({"x": x.int()}, None),
        ({"x": x + 1}, None),
        ({"x": x}, {"a": 1}),
        ({"x": x, "y": x}, None),
    ]
    digests = {digest({"x": x}), *(digest(*other) for other in others)}
    assert len(digests) == 1 + len(others)
    assert digest({"x": x[::2]}) == digest({"x": x[::2].clone()})


@pytest.mark.parametrize("content", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "a": 2}}]'])
def test_a_key_that_is_there_twice_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r'^a\.json is not JSON: the key "a" is there twice\.$'):
        read_json(tmp_path / "a.json")

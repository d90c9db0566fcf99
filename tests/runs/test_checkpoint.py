import errno
import hashlib
import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from fastweights.errors import UserError
from fastweights.runs import Run, checkpoint


def content(step):
    generator = torch.Generator().manual_seed(step)
    tensors = {
        "model.weight": torch.randn(3, 4, generator=generator),
        "model.half": torch.randn(5, generator=generator).to(torch.bfloat16),
        "optimiser.0.step": torch.tensor(float(step)),
        "random.cpu": torch.randint(0, 256, (40,), generator=generator, dtype=torch.uint8),
        "source.mask": torch.tensor([True, False]),
        "source.empty": torch.zeros(0, 3),
    }
    return tensors, {"seconds": 0.1 * step, "nested": {"list": [1, "two", None]}}


def assert_whole(found, step):
    tensors, meta = content(step)
    assert found.step == step
    assert found.meta == meta
    assert found.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", {})
    for step in (10, 20):
        run.save_checkpoint(step, *content(step))
    return run


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert Run.create(tmp_path / "run", {}).load_checkpoint() is None


def test_the_newest_comes_back_to_the_bit(run):
    assert_whole(Run.open(run.folder).load_checkpoint(), 20)


def test_the_last_two_are_kept(run):
    run.save_checkpoint(30, *content(30))
    names = sorted(path.name for path in (run.folder / "checkpoint").iterdir())
    assert names == ["000000020", "000000030"]


def test_tied_and_transposed_weights_are_written(run):
    weight = torch.arange(6.0).reshape(2, 3)
    run.save_checkpoint(30, {"model.a": weight, "model.b": weight, "model.c": weight.T}, {})
    tensors = run.load_checkpoint().tensors
    assert torch.equal(tensors["model.b"], weight) and torch.equal(tensors["model.c"], weight.T)


def test_the_weights_open_with_safetensors_alone(run):
    weights = load_file(run.folder / "checkpoint" / "000000020" / "model.safetensors")
    assert torch.equal(weights["weight"], content(20)[0]["model.weight"])


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_checksums_are_those_of_sha256sum(run):
    folder = run.folder / "checkpoint" / "000000020"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True)


def test_a_stray_file_harms_nothing(run):
    (run.folder / "checkpoint" / "000000020" / ".DS_Store").write_bytes(b"x")
    (run.folder / "checkpoint" / "notes.txt").write_text("mine")
    assert_whole(run.load_checkpoint(), 20)


def test_an_unfinished_one_is_not_seen_and_cleared_away(run):
    unfinished = run.folder / "checkpoint" / ".000000030.123.tmp"
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half")
    assert_whole(run.load_checkpoint(), 20)
    run.save_checkpoint(30, *content(30))
    assert not unfinished.exists()


def test_a_damaged_newest_falls_back_with_a_warning_line(run, caplog):
    victim = run.folder / "checkpoint" / "000000020" / "model.safetensors"
    victim.write_bytes(victim.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert_whole(run.load_checkpoint(), 10)
    assert "000000020 is damaged" in caplog.text


def test_a_damaged_one_does_not_push_out_a_whole_one(run):
    shutil.rmtree(run.folder / "checkpoint" / "000000020")
    (run.folder / "checkpoint" / "000000020").mkdir()
    run.save_checkpoint(15, *content(15))
    names = sorted(path.name for path in (run.folder / "checkpoint").iterdir())
    assert names == ["000000010", "000000015"]


def test_a_damaged_one_can_be_written_anew(run):
    (run.folder / "checkpoint" / "000000020" / "meta.json").unlink()
    run.save_checkpoint(20, *content(20))
    assert_whole(run.load_checkpoint(), 20)


def test_a_checkpoint_moved_to_another_step_is_damaged(run):
    root = run.folder / "checkpoint"
    (root / "000000020").rename(root / "000000099")
    assert_whole(run.load_checkpoint(), 10)


def test_one_of_another_version_is_one_clear_line_and_not_passed_over(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 1)
        run.save_checkpoint(30, *content(30))
    with pytest.raises(UserError, match=r"000000030 has format 1, this .* reads 2: train the run"):
        run.load_checkpoint()


def test_when_none_is_whole_it_is_one_clear_line(run):
    for folder in (run.folder / "checkpoint").iterdir():
        (folder / "SHA256SUMS").unlink()
    with pytest.raises(UserError, match="all 2 of them are damaged"):
        run.load_checkpoint()


def test_files_that_lie_about_themselves_are_damaged(run):
    folder = run.folder / "checkpoint" / "000000020"
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    sums = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))
    assert_whole(run.load_checkpoint(), 10)


@pytest.mark.parametrize("lines", range(3))
def test_a_list_of_checksums_that_ends_early_is_damaged(run, lines):
    sums = run.folder / "checkpoint" / "000000020" / "SHA256SUMS"
    listed = sums.read_text().splitlines(keepends=True)
    assert len(listed) == 3
    sums.write_text("".join(listed[:lines]))
    assert_whole(run.load_checkpoint(), 10)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_damage_goes_unnoticed(data):
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", {})
        steps = data.draw(st.sampled_from([(20,), (10, 20)]), label="checkpoints")
        for step in steps:
            run.save_checkpoint(step, *content(step))
        newest = run.folder / "checkpoint" / "000000020"
        victim = newest / data.draw(st.sampled_from(sorted(p.name for p in newest.iterdir())))
        before = victim.read_bytes()
        victim.write_bytes(data.draw(damage(before), label="damaged"))
        if len(steps) == 2:
            assert_whole(run.load_checkpoint(), 10)
        else:
            with pytest.raises(UserError, match="damaged"):
                run.load_checkpoint()


def damage(before):
    """Contents that differ from `before`: cut off, one byte changed, something added, or other bytes altogether."""
    place = st.integers(0, len(before) - 1)
    flipped = st.builds(
        lambda at, change: before[:at] + bytes([before[at] ^ change]) + before[at + 1 :],
        place,
        st.integers(1, 255),
    )
    cut = st.builds(lambda at: before[:at], place)
    added = st.builds(lambda more: before + more, st.binary(min_size=1, max_size=80))
    other = st.binary(max_size=200).filter(lambda content: content != before)
    return st.one_of(flipped, flipped, cut, added, other)


def test_a_missing_newest_is_told_as_a_damaged_one_is(run, caplog):
    shutil.rmtree(run.folder / "checkpoint" / "000000020")
    with caplog.at_level(logging.WARNING):
        assert_whole(run.load_checkpoint(), 10)
    assert "000000020 is missing" in caplog.text
    shutil.rmtree(run.folder / "checkpoint")
    with pytest.raises(UserError, match="that of step 20 is missing"):
        run.load_checkpoint()


@pytest.mark.parametrize("said", [None, b"", b"\xff", b"9" * 19, b"9" * 10_000])
def test_runs_that_do_not_say_which_was_the_newest_are_read(said, run, caplog):
    shutil.rmtree(run.folder / "checkpoint" / "000000020")
    (run.folder / ".newest").unlink() if said is None else (run.folder / ".newest").write_bytes(
        said
    )
    assert_whole(run.load_checkpoint(), 10)
    assert not caplog.text


def test_a_folder_of_checkpoints_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    def refuse(_folder):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "checkpoint").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="cannot read"):
        checkpoint.saved_steps(tmp_path / "checkpoint")

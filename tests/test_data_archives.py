"""The canonical release, from archives on disk or from the network."""

import dataclasses
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from fedlib.__main__ import main
from fedlib.compat import import_torchvision
from fedlib.data.catalogue import DATASETS
from fedlib.data.datasets import DataConfig, resolve_source
from fedlib.data.download import download, unpack_absent
from fedlib.data.errors import DataError
from fedlib.data.files import checksums, verify_files
from fedlib.data.manifest import write_entry

NAMES = ("mnist", "fashion_mnist", "emnist_byclass", "cifar10", "cifar100")


def content_of(file):
    """What the file of this path holds in the little release of these tests."""
    return f"content of {file}".encode() * 50


def packed(archive):
    """The content of an archive of the little release."""
    out = io.BytesIO()
    if archive.path.endswith(".tar.gz"):
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for file, member in archive.members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content_of(file))
                tar.addfile(info, io.BytesIO(content_of(file)))
    elif archive.path.endswith(".zip"):
        with zipfile.ZipFile(out, "w") as zipped:
            for file, member in archive.members.items():
                zipped.writestr(member, gzip.compress(content_of(file)))
    else:
        (file,) = archive.members
        out.write(gzip.compress(content_of(file)))
    return out.getvalue()


@pytest.fixture
def release(monkeypatch):
    """The archives of a little release, by path; its checksums stand for the published ones."""
    found = {}
    for name in NAMES:
        info, archives = DATASETS[name], []
        for archive in info.archives:
            found[archive.path] = packed(archive)
            md5 = hashlib.md5(found[archive.path]).hexdigest()
            archives.append(dataclasses.replace(archive, md5=md5))
        files = {
            file: hashlib.new("sha256" if len(checksum) == 64 else "md5", content_of(file))
            for file, checksum in info.files.items()
        }
        changed = {
            "archives": tuple(archives),
            "files": {
                file: hashed.hexdigest() if info.files[file] else ""
                for file, hashed in files.items()
            },
        }
        monkeypatch.setitem(DATASETS, name, dataclasses.replace(info, **changed))
    return found


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def network(release, monkeypatch):
    """The addresses that were asked for; the network has the little release."""
    asked = []
    by_checksum = {hashlib.md5(content).hexdigest(): content for content in release.values()}

    def download_url(url, root, filename, md5):
        asked.append(url)
        lay(Path(root), {filename: by_checksum[md5]})

    monkeypatch.setattr(import_torchvision().datasets.utils, "download_url", download_url)
    return asked


@pytest.fixture
def no_network(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(import_torchvision().datasets.utils, "download_url", unreachable)


def lay(root, contents):
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def archives_of(name, release):
    return {archive.path: release[archive.path] for archive in DATASETS[name].archives}


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_downloaded_and_canonical(root, network, name):
    assert resolve_source(name, "real") == DataConfig(name)
    assert len(network) == len(DATASETS[name].archives)
    for file in DATASETS[name].files:
        assert (root / file).read_bytes() == content_of(file)
    assert not list(root.rglob("*.part"))
    download(name)  # There is nothing left to do.
    assert len(network) == len(DATASETS[name].archives)


@pytest.mark.parametrize("name", NAMES)
def test_the_archives_are_those_of_torchvision(name):
    datasets = import_torchvision().datasets
    class_name = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
    known = {archive.path: archive.md5 for archive in DATASETS[name].archives}
    if name in class_name:
        source = getattr(datasets, class_name[name])
        expected = {f"{class_name[name]}/raw/{file}": md5 for file, md5 in source.resources}
    elif name == "emnist_byclass":
        expected = {"EMNIST/raw/gzip.zip": datasets.EMNIST.md5}
    else:
        source = getattr(datasets, name.upper())
        expected = {source.filename: source.tgz_md5}
    assert known == expected
    assert {file for a in DATASETS[name].archives for file in a.members} == set(
        DATASETS[name].files
    )


@pytest.mark.parametrize("name", NAMES)
def test_archives_on_disk_serve_without_network_or_warning(
    root, release, no_network, name, recwarn
):
    lay(root, archives_of(name, release))
    assert resolve_source(name, "auto") == DataConfig(name)
    assert not recwarn.list
    assert not list(root.rglob("*.part"))


def test_archives_that_are_wrong_or_incomplete_do_not_serve(root, release):
    archives = archives_of("mnist", release)
    lay(root, dict(list(archives.items())[:3]))
    with pytest.warns(UserWarning, match="EMBEDDED DATA: MNIST is not under"):
        assert resolve_source("mnist", "auto").source == "embedded"
    lay(root, {path: content[:-3] for path, content in archives.items()})
    assert not unpack_absent("mnist", root)
    assert not list(root.rglob("*-ubyte"))
    assert not unpack_absent("lending_club", root)  # A set without archives.
    # A file that is there needs no archive.
    (missing, *_) = DATASETS["mnist"].files
    lay(root, archives)
    (root / f"{missing}.gz").unlink()
    lay(root, {missing: content_of(missing)})
    assert unpack_absent("mnist", root)
    assert resolve_source("mnist", "auto") == DataConfig("mnist")


def test_a_folder_that_cannot_be_written_is_named(root, release, monkeypatch):
    lay(root, archives_of("cifar10", release))

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("fedlib.data.archives.shutil.copyfileobj", refuse)
    with pytest.raises(DataError, match=r"of CIFAR-10 under .* cannot be unpacked: read-o"):
        resolve_source("cifar10", "auto")
    assert not list(root.rglob("*.part"))


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_got_again_from_an_archive_beside_it(root, release, no_network, name):
    lay(root, archives_of(name, release))
    resolve_source(name, "auto")
    file = sorted(DATASETS[name].files)[-1]
    truncated = content_of(file)[:-100]
    (root / file).write_bytes(truncated)
    with pytest.raises(DataError, match=f"data --download {name}"):
        resolve_source(name, "auto")
    with pytest.warns(UserWarning, match="was not the file of the canonical release"):
        download(name)
    assert resolve_source(name, "auto") == DataConfig(name)
    # Nothing is lost, and the files that were right stay as they were.
    assert [path.name for path in root.rglob("*.replaced")] == [f"{Path(file).name}.replaced"]
    assert (root / f"{file}.replaced").read_bytes() == truncated


def test_what_was_replaced_before_is_kept_as_well(root, release, no_network):
    lay(root, archives_of("mnist", release))
    resolve_source("mnist", "auto")
    (file, *_) = DATASETS["mnist"].files
    for content in (b"first", b"second", b"third"):
        (root / file).write_bytes(content)
        with pytest.warns(UserWarning, match="replaced"):
            download("mnist")
    kept = sorted(root.rglob("*.replaced*"))
    assert [path.read_bytes() for path in kept] == [b"first", b"second", b"third"]


def test_only_the_archives_of_wrong_files_are_downloaded(root, network):
    files = list(DATASETS["mnist"].files)
    lay(root, {file: content_of(file) for file in files})
    (root / files[2]).write_bytes(b"wrong")
    with pytest.warns(UserWarning, match="replaced"):
        download("mnist")
    assert [url.rsplit("/", 1)[1] for url in network] == [f"{Path(files[2]).name}.gz"]
    assert verify_files("mnist", root).variant == "canonical"


def test_a_truncated_archive_is_downloaded_again(root, release, network):
    lay(root, {path: content[:-3] for path, content in archives_of("cifar100", release).items()})
    download("cifar100")
    assert len(network) == 1
    assert verify_files("cifar100", root).variant == "canonical"


def test_the_next_mirror_is_asked_if_one_fails(root, release, network, monkeypatch):
    utils, works, asked = import_torchvision().datasets.utils, [], []
    works.append(utils.download_url)

    def first_fails(url, *arguments):
        asked.append(url)
        if url.startswith(import_torchvision().datasets.MNIST.mirrors[0]):
            raise RuntimeError("File not found or corrupted.")
        works[0](url, *arguments)

    monkeypatch.setattr(utils, "download_url", first_fails)
    download("mnist")
    assert len(asked) == 8
    assert verify_files("mnist", root).variant == "canonical"


@pytest.mark.parametrize("name", ["mnist", "emnist_byclass"])
def test_without_network_the_error_tells_what_where_and_how(root, release, no_network, name):
    with pytest.raises(DataError) as error:
        resolve_source(name, "real")
    lines = str(error.value).splitlines()
    assert lines[0].startswith(f"{DATASETS[name].title} is not on disk: looked for ")
    assert str(root) in lines[1]
    assert f"data --download {name}" in lines[2]
    assert "no route" in lines[3]


def test_wrong_files_stay_if_they_cannot_be_replaced(root, release, no_network, capsys):
    lay(root, {file: b"wrong" for file in DATASETS["cifar10"].files})
    assert main(["data", "--download", "cifar10"]) == 2
    message = capsys.readouterr().err
    assert f"CIFAR-10 under {root} is truncated or another variant." in message
    assert "The download failed: no route" in message
    assert {path.read_bytes() for path in root.rglob("*_batch*")} == {b"wrong"}


def test_a_copy_that_is_trusted_is_not_replaced(root, network):
    lay(root, {file: b"mine" for file in DATASETS["cifar10"].files})
    write_entry(root, "cifar10", "my copy", checksums("cifar10", root))
    with pytest.raises(DataError, match=r"as the copy 'my copy', which a download would replace"):
        download("cifar10")
    assert not network
    # Of a copy that has changed since then, nothing is known.
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(b"other")
    with pytest.warns(UserWarning, match="replaced"):
        download("cifar10")
    assert verify_files("cifar10", root).variant == "canonical"
    assert len(list(root.rglob("*.replaced"))) == len(DATASETS["cifar10"].files)


def test_files_without_published_checksums_are_canonical_by_their_archive_alone(root, network):
    assert resolve_source("emnist_byclass", "real") == DataConfig("emnist_byclass")
    (root / "EMNIST" / "raw" / "gzip.zip").rename(root / "elsewhere.zip")
    with pytest.raises(DataError, match="cannot be verified: no checksum of it is published"):
        resolve_source("emnist_byclass")
    # An archive that is not the published one proves nothing, and nor does a manifest.
    lay(root, {"EMNIST/raw/gzip.zip": b"other"})
    write_entry(root, "emnist_byclass", "canonical", checksums("emnist_byclass", root))
    with pytest.raises(DataError, match="'canonical', but this is the name of another content"):
        resolve_source("emnist_byclass")
    (root / "elsewhere.zip").replace(root / "EMNIST" / "raw" / "gzip.zip")
    assert resolve_source("emnist_byclass") == DataConfig("emnist_byclass")

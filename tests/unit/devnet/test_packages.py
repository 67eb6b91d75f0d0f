"""Only what is pinned by hash gets in, and an error says what to do."""

import base64
import hashlib
import io
import json
import tarfile

import pytest

from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.devnet import packages
from holdfast.devnet.packages import Package, PackageCache, contract_packages, node_package

SPEC = "@some/thing@1.0.0"


def tarball(path, **files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def sha512(path):
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


@pytest.fixture
def good(tmp_path):
    return tarball(tmp_path / "good.tgz", wanted=b"{}", ballast=b"[]")


@pytest.fixture
def pinned(good):
    return Package("@some/thing", "1.0.0", sha512(good), ("wanted.json",))


class Registry:
    """Hands out one tarball and counts how often it is asked."""

    def __init__(self, path):
        self.path = path
        self.asked = []

    def __call__(self, specs, into):
        self.asked.append(specs)
        return tuple(self.path for _ in specs)


def test_pinned_package_is_kept_with_only_the_files_needed(tmp_path, good, pinned):
    folder = PackageCache(tmp_path / "cache", Registry(good)).ensure((pinned,))["@some/thing"]
    kept = [path.name for path in folder.rglob("*")]
    assert kept == ["wanted.json"]


def test_package_is_fetched_once(tmp_path, good, pinned):
    registry = Registry(good)
    for _ in range(2):
        PackageCache(tmp_path / "cache", registry).ensure((pinned,))
    assert registry.asked == [(SPEC,)]


def test_corrupted_download_is_refused_and_nothing_of_it_is_kept(tmp_path, good, pinned):
    damaged = tmp_path / "damaged.tgz"
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(Broken) as caught:
        PackageCache(tmp_path / "cache", Registry(damaged)).ensure((pinned,))
    assert caught.value.code == "devnet.package_hash"
    assert "Run again" in caught.value.message
    assert list((tmp_path / "cache").iterdir()) == []


def test_good_download_after_a_corrupted_one_is_accepted(tmp_path, good, pinned):
    other = tarball(tmp_path / "other.tgz", wanted=b"evil")
    cache = tmp_path / "cache"
    with pytest.raises(Broken):
        PackageCache(cache, Registry(other)).ensure((pinned,))
    folder = PackageCache(cache, Registry(good)).ensure((pinned,))["@some/thing"]
    assert (folder / "wanted.json").read_bytes() == b"{}"


def test_another_pin_is_another_folder(tmp_path, good, pinned):
    other = tarball(tmp_path / "other.tgz", wanted=b"new")
    repinned = Package(pinned.name, pinned.version, sha512(other), pinned.files)
    old = PackageCache(tmp_path / "cache", Registry(good)).ensure((pinned,))
    new = PackageCache(tmp_path / "cache", Registry(other)).ensure((repinned,))
    assert old != new


def test_file_missing_from_a_package_is_named(tmp_path, good):
    package = Package("@some/thing", "1.0.0", sha512(good), ("absent.json",))
    with pytest.raises(Broken) as caught:
        PackageCache(tmp_path / "cache", Registry(good)).ensure((package,))
    assert caught.value.code == "devnet.package_content"
    assert "absent.json" in caught.value.message


def test_every_contract_package_is_pinned_by_a_whole_sha512():
    assert [len(base64.b64decode(p.sha512)) for p in contract_packages()] == [64] * 5


def test_manifest_names_no_host():
    assert "://" not in packages.manifest()


def test_node_of_this_platform_family_is_pinned():
    package = node_package("linux", "x86_64")
    assert package.spec == "@foundry-rs/anvil-linux-amd64@1.7.1"
    assert len(base64.b64decode(package.sha512)) == 64


def test_platform_without_a_pinned_hash_is_refused_with_the_command_that_shows_it():
    with pytest.raises(Rejected) as caught:
        node_package("darwin", "arm64")
    assert caught.value.code == "devnet.platform_unpinned"
    assert "npm view @foundry-rs/anvil-darwin-arm64@1.7.1 dist.integrity" in caught.value.message


def test_unknown_platform_is_refused():
    with pytest.raises(Rejected) as caught:
        node_package("plan9", "mips")
    assert caught.value.code == "devnet.platform"


def test_npm_report_gives_the_tarballs_in_the_order_asked(tmp_path):
    report = [{"id": "b@2", "filename": "b-2.tgz"}, {"id": "a@1", "filename": "a-1.tgz"}]
    found = packages._packed(("a@1", "b@2"), tmp_path, json.dumps(report))
    assert found == (tmp_path / "a-1.tgz", tmp_path / "b-2.tgz")


@pytest.mark.parametrize(
    ("npm_code", "family", "code"),
    [
        ("E404", Rejected, "devnet.package_missing"),
        ("ETARGET", Rejected, "devnet.package_missing"),
        ("EINTEGRITY", Broken, "devnet.package_hash"),
        ("ENOTFOUND", Transient, "devnet.download"),
        ("ECONNREFUSED", Transient, "devnet.download"),
    ],
)
def test_npm_failure_becomes_the_error_that_says_what_to_do(tmp_path, npm_code, family, code):
    address = "https://user:s3cret@registry.example"
    report = {"error": {"code": npm_code, "summary": f"request to {address} failed"}}
    with pytest.raises(family) as caught:
        packages._packed((SPEC,), tmp_path, json.dumps(report))
    assert caught.value.code == code
    assert npm_code in f"{caught.value.message} {caught.value.fields}"
    assert "s3cret" not in str(caught.value.as_dict())


def test_npm_that_says_nothing_is_no_answer(tmp_path):
    with pytest.raises(Transient) as caught:
        packages._packed((SPEC,), tmp_path, "")
    assert "Check the network" in caught.value.message

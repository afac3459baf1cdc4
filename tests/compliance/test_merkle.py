"""The Merkle tree has the roots and proofs that other implementations publish."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm.compliance.checkpoints import (
    MerkleTree,
    RangeHashes,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    root_of_inclusion,
)

# The leaves, roots and proofs of the reference implementation of RFC 6962
# (google/certificate-transparency, merkletree tests).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (index, size) -> the path
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
# (old size, size) -> the proof
CONSISTENCY = {
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def _root(leaves: list[bytes]) -> bytes:
    tree = MerkleTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def _recursive_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162, section 2.1.1 defines it."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = _recursive_root(leaves[:half]), _recursive_root(leaves[half:])
    return hashlib.sha256(b"\1" + left + right).digest()


def _hashes(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    collected = RangeHashes(ranges)
    for leaf in leaves:
        collected.append(leaf)
    return collected.hashes()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert _root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_are_the_published_ones(place: tuple[int, int]) -> None:
    proof = _hashes(LEAVES[: place[1]], inclusion_ranges(*place))
    assert [each.hex() for each in proof] == INCLUSION[place]


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(sizes: tuple[int, int]) -> None:
    proof = _hashes(LEAVES[: sizes[1]], consistency_ranges(*sizes))
    assert [each.hex() for each in proof] == CONSISTENCY[sizes]


@given(st.lists(st.binary(max_size=3), max_size=70))
@settings(max_examples=30, deadline=None)
def test_a_tree_built_leaf_by_leaf_has_the_root_of_the_recursive_definition(
    leaves: list[bytes],
) -> None:
    assert _root(leaves) == _recursive_root(leaves)


def test_every_proof_of_every_tree_up_to_65_leaves_verifies_and_no_other_place_does() -> None:
    leaves = [bytes([n]) for n in range(65)]
    for size in range(1, 66):
        root = _root(leaves[:size])
        for index in range(size):
            proof = _hashes(leaves[:size], inclusion_ranges(index, size))
            leaf = leaf_hash(leaves[index])
            assert root_of_inclusion(leaf, index, size, proof) == root
            if proof:
                assert root_of_inclusion(leaf, (index + 1) % size, size, proof) != root
                assert root_of_inclusion(leaf, index, size, proof[:-1]) != root
            assert root_of_inclusion(leaf, index, size, [*proof, root]) != root


def test_every_growth_up_to_65_leaves_is_proved_and_no_other() -> None:
    leaves = [bytes([n]) for n in range(65)]
    roots = [_root(leaves[:size]) for size in range(66)]
    for size in range(1, 66):
        for old in range(1, size + 1):
            proof = _hashes(leaves[:size], consistency_ranges(old, size))
            assert is_consistent(old, size, roots[old], roots[size], proof)
            assert not is_consistent(old, size, roots[old - 1], roots[size], proof)
            assert not is_consistent(old, size, roots[old], roots[size - 1], proof)
            assert not is_consistent(old, size, roots[old], roots[size], [*proof, roots[1]])
            if proof:
                assert not is_consistent(old, size, roots[old], roots[size], proof[:-1])


@given(st.integers(1, 65), st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_with_one_bit_changed_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = [bytes([n]) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = _hashes(leaves, inclusion_ranges(index, size))
    if not proof:
        return
    place = data.draw(st.integers(0, len(proof) * 256 - 1))
    changed = bytearray(proof[place // 256])
    changed[place % 256 // 8] ^= 1 << place % 8
    proof[place // 256] = bytes(changed)
    assert root_of_inclusion(leaf_hash(leaves[index]), index, size, proof) != _root(leaves)

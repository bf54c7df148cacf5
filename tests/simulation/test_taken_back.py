"""Each mend is taken back in a copy of the tree, and the simulation finds the fault again: else it proves little."""

import pytest

from tests.simulation.taken_back import Mend, found_without, is_found, mends


@pytest.mark.parametrize("mend", mends(), ids=lambda mend: mend.name)
def test_a_fault_is_found_again_when_its_mend_is_taken_back(mend: Mend) -> None:
    found = found_without(mend)

    assert is_found(mend, found), found

"""What a source plugin's own tests need: contracts that every source has to keep, and a stand-in for the agent.

    class TestAuditTable(ReplayableContract):
        def source(self, directory, context): ...
        def fill(self, directory): ...

pytest collects the tests of the contract with the class. `logintel` itself does not need pytest to run.
"""

from logintel.testing.keeper import Keeper
from logintel.testing.pushed import PushedContract
from logintel.testing.replayable import ReplayableContract

__all__ = ["Keeper", "PushedContract", "ReplayableContract"]

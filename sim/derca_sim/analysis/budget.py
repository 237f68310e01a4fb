"""The steps a verdict may take: counted, never timed, so that every machine gives the same answer."""


class BudgetSpent(Exception):
    """The search used up its steps; what it has found so far stands."""


class Budget:
    """Steps that are left; `spend` raises `BudgetSpent` once there are none.

    A step is about the work of looking at one option of a preemption point, or at one task at one deadline: a
    microsecond or less.
    """

    def __init__(self, steps: int):
        self.left = steps

    def spend(self, steps: int) -> None:
        """Count `steps`.

        Raises
        ------
        BudgetSpent
            If fewer were left.
        """
        self.left -= steps
        if self.left < 0:
            raise BudgetSpent


class Unlimited(Budget):
    """Never spent."""

    def __init__(self):
        super().__init__(0)

    def spend(self, steps: int) -> None:
        """Count nothing."""


#: For callers without a budget.
UNLIMITED_STEPS = Unlimited()

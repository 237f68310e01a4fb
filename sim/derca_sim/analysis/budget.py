"""The steps that the search for a verdict may take. Steps, unlike time, give the same answer on every machine."""


class BudgetSpent(Exception):
    """The search has used up its steps; the results found so far stand."""


class Budget:
    """The steps that are left; `spend` raises `BudgetSpent` when there are not enough.

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
    """A budget that is never spent."""

    def __init__(self):
        super().__init__(0)

    def spend(self, steps: int) -> None:
        """Count nothing."""


#: For callers without a budget.
UNLIMITED_STEPS = Unlimited()

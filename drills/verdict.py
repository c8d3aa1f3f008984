"""What a drill found: figures, and what was wrong."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Figures of a drill, and its faults: none, and the verdict is green. Slow is no fault, but a figure."""

    figures: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def expect(self, is_so: object, fault: str) -> None:
        """Note a fault unless something is so."""
        if not is_so:
            self.faults.append(fault)


class CannotBeDoneError(Exception):
    """This machine does not allow the drill: why."""

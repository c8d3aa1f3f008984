"""What people do in a case of mediation: each action is one typed model."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from geo_grid.layers.layer import LocalCode

Kind = Literal["people", "administrative", "judicial", "arbitration", "reconsideration", "pre_litigation"]
"""人民调解, 行政调解, 司法调解, 仲裁调解, 行政复议调解, 诉前调解."""
Outcome = Literal["settled", "not_settled", "withdrawn"]
Role = Literal["applicant", "respondent", "third_party", "representative"]
INITIALS = (
    r"^([A-Z]\.?){1,3}$"
    r"|^([一-鿿]|欧阳|上官|司马|诸葛|司徒|夏侯|皇甫|尉迟|公孙|慕容|令狐|长孙|宇文|东方)某{1,2}$"
)
"""At most three capital letters, or a Chinese surname of one character, or a usual one of two, with 某: as in the database."""

Text = Annotated[str, Field(max_length=4000)]
Reason = Annotated[str, Field(min_length=1, max_length=4000, description="why; kept with the step")]
_Code = Annotated[LocalCode, Field(description="facility_code of an organisation that serves the place")]


def _initials(given: str) -> str:
    if not re.fullmatch(INITIALS, given):
        message = "a party of a dispute is kept by initials alone: write Z.L., or 张某"
        raise ValueError(message)
    return given


class Party(BaseModel):
    """A party of a dispute: nothing but a role and initials."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role: Role
    initials: Annotated[
        str,
        AfterValidator(_initials),
        Field(description="Z.L., or 张某; never a name or a number", json_schema_extra={"pattern": INITIALS}),
    ]


class NewCase(BaseModel):
    """What is known of a dispute when it is taken."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    kind: Kind = "people"
    organisation: Annotated[_Code | None, Field(description="instead of the nearest suitable one")] = None
    parties: Annotated[list[Party], Field(max_length=20)] = []
    note: Text = ""


class CaseAction(BaseModel):
    """Something done in a case."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    outcome: ClassVar[Outcome | None] = None
    """How it ends the case; None: it does not."""

    action: str
    seen: Annotated[int | None, Field(ge=0, le=10**6)] = Field(
        None, description="how many steps you saw: refused (412) if others came meanwhile"
    )

    @property
    def text(self) -> str:
        """What is kept with the step."""
        return str(getattr(self, "reason", "") or getattr(self, "note", ""))


class HandOn(CaseAction):
    """Hand it on: to the nearest suitable organisation of a kind, or to one by name."""

    action: Literal["hand_on"] = "hand_on"
    kind: Kind | None = None
    organisation: _Code | None = None
    reason: Reason

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.kind is None) == (self.organisation is None):
            message = "say either kind (the nearest suitable organisation of it has the case then) or organisation"
            raise ValueError(message)
        return self


class Settle(CaseAction):
    """End it: the parties agree. Its incident is handled then, and waits for somebody else to verify it."""

    outcome: ClassVar[Outcome | None] = "settled"
    action: Literal["settle"] = "settle"
    note: Text = ""


class NotSettled(CaseAction):
    """End it: the parties do not agree. Its incident stays open."""

    outcome: ClassVar[Outcome | None] = "not_settled"
    action: Literal["not_settled"] = "not_settled"
    reason: Reason


class Withdraw(CaseAction):
    """End it: the parties do not want it any more. Its incident stays open."""

    outcome: ClassVar[Outcome | None] = "withdrawn"
    action: Literal["withdraw"] = "withdraw"
    reason: Reason


class ReopenCase(CaseAction):
    """Go on with a case that had ended, such as after whoever verifies rejected the settlement."""

    action: Literal["reopen"] = "reopen"
    reason: Reason


AnyCaseAction = Annotated[HandOn | Settle | NotSettled | Withdraw | ReopenCase, Field(discriminator="action")]

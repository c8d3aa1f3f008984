"""Forms of times that a sender names are read quickly, or refused."""

import time

import pytest

from geo_grid.errors import UserError
from geo_grid.moments import check_form


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%Y年%m月%d日 %H时%M分", "%m/%d/%Y %I:%M:%S.%f %p %z", "%j %Y"])
def test_forms_of_days_and_times_are_taken(form: str) -> None:
    assert check_form(form) == form


@pytest.mark.parametrize(
    "form", ["%j%d%m%H%I%M%S%U%W%V%f%G%Yx", "today", "%d %d", "%d%m%H%I%M%S%f%y%j%B%b", "%c", "100%"]
)
def test_other_forms_are_refused(form: str) -> None:
    with pytest.raises(UserError, match=r"form of times|twice"):
        check_form(form)


def test_the_worst_form_that_is_taken_is_quick() -> None:
    form = check_form("%j%d%m%H%M%S%f%y%I%p")
    began = time.process_time()
    for _ in range(100):
        with pytest.raises(ValueError, match="does not match"):
            time.strptime("1" * 44 + "x", form)
    assert time.process_time() - began < 1

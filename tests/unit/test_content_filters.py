"""Filters that mail needs: what a marketer sees of money, names and mistakes."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid.exceptions import LiquidError

from tidings.content import compile_liquid
from tidings.content._parse import describe

ROW = (1, 1, "a@example.de", "", "", "", "", "", [], "{}", None, None, 0)


def render(source: str, **values: Any) -> str:
    return "".join(compile_liquid(source).render(ROW, "t", "t", values, ""))


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ 2.675 | money }} {{ 0.125 | money }} {{ 1.005 | money }}", "$2.68 $0.13 $1.01"),
        ("{{ -0.001 | money }} {{ -0.004 | number: 2 }} {{ -0.0001 | number }}", "$0.00 0.00 0"),
        ("{{ -0.5 | money: 'JPY' }} {{ 2.5 | money: 'JPY' }}", "-¥1 ¥3"),
        ("{{ 2.5 | number: 0 }} {{ 1.0005 | number }} {{ 0.125 | number: 2 }}", "3 1.001 0.13"),
        ("{{ 'ilkay IŞIK' | titlecase: 'tr' }} {{ 'IRMAK iz' | titlecase: 'az-Latn' }}", "İlkay Işık Irmak İz"),
        (
            "{{ 'ilkay' | titlecase }} {{ 'ilkay' | titlecase: '' }} {{ 'ilkay' | titlecase: nobody }}",
            "Ilkay Ilkay Ilkay",
        ),
        ("{{ '1st of MAY, the 2nd 3D-film' | titlecase }}", "1st Of May, The 2nd 3D-Film"),
        ("{{ \"o'brien d’angelo don't McDonald\" | titlecase }}", "O'Brien D’Angelo Don't McDonald"),
        ("{{ 'james' | titlecase | possessive }} {{ 'ada' | titlecase | possessive }}", "James' Ada's"),
    ],
)
def test_what_is_written(source: str, written: str) -> None:
    assert render(source) == written


@given(st.decimals(min_value=-(10**29), max_value=10**29, places=6))
def test_money_is_rounded_half_up_whatever_the_amount(amount: Decimal) -> None:
    with localcontext(prec=60):
        cents = int((abs(amount) * 100).to_integral_value(rounding=ROUND_HALF_UP))
    sign = "-" if amount < 0 and cents else ""
    assert render("{{ x | money }}", x=str(amount)) == f"{sign}${cents // 100:,}.{cents % 100:02}"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("a\n  {{ x | money }}", "line 2, column 10: money: 'abc' is no number"),
        ("{% assign y = x | number %}", "line 1, column 19: number: 'abc' is no number"),
        ("{% for i in (1..2) %}\n{{ 1 | money: 'XXY' }}{% endfor %}", "line 2, column 8: money: 'XXY' is no currency"),
        ("\n\n{{ 'now' | date: '%Y', time_zone: 'Foo' }}", "line 3, column 12: date: there is no time zone 'Foo'"),
        ("{% if true %}{{ 1 | divided_by: 0 }}{% endif %}", "line 1, column 21: divided_by: can't divide by 0"),
    ],
)
def test_mistakes_of_filters_have_a_place(source: str, place: str) -> None:
    with pytest.raises(LiquidError) as caught:
        render(source, x="abc")
    assert describe(caught.value).startswith(place)

"""Our stylesheets say start and end instead of left and right, so a page that runs from right to left is mirrored."""

import re
from collections.abc import Iterator

import pytest

from service.http.assets import STATIC
from service.language.rendering import TEMPLATES

MIRROR = "right-to-left.css"
"""Overrides what Bootstrap sets to the left and the right, so it has to say so itself."""
PHYSICAL = re.compile(r"(?:^|-)(?:left|right)(?:$|-)")
FOUR_SIDES = {"margin", "padding", "inset", "border-width", "border-style", "border-color", "scroll-margin"}
VALUES_OF_A_SIDE = {"text-align", "float", "clear"}


def declarations(css: str) -> Iterator[tuple[str, str]]:
    """The properties in a stylesheet or a style attribute, each with its value."""
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    for found in re.finditer(r"(?<![\w-])(-?[a-z][a-z-]*)\s*:\s*([^;{}]+?)\s*(?=[;}]|$)", bare):
        yield found[1], found[2].removesuffix("!important").strip()


def is_physical(name: str, value: str) -> bool:
    sides = re.findall(r"(?:[^\s()]|\((?:[^()]|\([^()]*\))*\))+", value)
    return (
        bool(PHYSICAL.search(name))
        or (name in VALUES_OF_A_SIDE and value in {"left", "right"})
        or (name in FOUR_SIDES and len(sides) == 4 and sides[1] != sides[3])
        or (name == "border-radius" and len(sides) > 2)
    )


def test_no_stylesheet_of_ours_names_the_left_or_the_right() -> None:
    found = {
        f"{file.name}: {name}: {value}"
        for file in sorted((STATIC / "css").glob("*.css"))
        if file.name != MIRROR
        for name, value in declarations(file.read_text(encoding="utf-8"))
        if is_physical(name, value)
    }
    assert found == set()


def test_no_style_in_a_template_names_the_left_or_the_right() -> None:
    styles = [
        (file.name, style)
        for file in sorted(TEMPLATES.rglob("*.html"))
        for style in re.findall(r'style="([^"]*)"', file.read_text(encoding="utf-8"))
    ]
    assert styles
    assert [one for one in styles for declared in declarations(one[1]) if is_physical(*declared)] == []


@pytest.mark.parametrize(
    ("css", "found"),
    [
        ("a { margin-left: 4px }", True),
        ("a { left: 0; }", True),
        ("a:hover { border-top-right-radius: 4px }", True),
        ("@media print { a { text-align: right !important; } }", True),
        ("a { padding: 0 4px 0 calc(1px + (2px * 3)) }", True),
        ("a { border-radius: 4px 0 0 4px }", True),
        ("a { margin-inline-start: 4px; text-align: start; padding: 0 4px 0 4px }", False),
        ("a { margin: 0 auto; inset-inline: auto 0 } /* to the left: 4px */", False),
    ],
)
def test_a_side_in_a_stylesheet_is_found(css: str, found: bool) -> None:
    assert any(is_physical(*declared) for declared in declarations(css)) == found

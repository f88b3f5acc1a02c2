"""Without a mouse: Tab reaches everything that can be used, and one sees where one is."""

from collections.abc import Callable

import pytest

from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

USABLE = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const shown = node => node.checkVisibility({visibilityProperty: true});
  const usable = all.filter(node => !node.disabled && node.tabIndex >= 0 && shown(node));
  usable.forEach((node, number) => { node.dataset.number = number; });
  return usable.map(node => `${node.tagName} ${node.textContent.trim().slice(0, 30) || node.name}`);
}"""
FOCUSED = """() => {
  const node = document.activeElement, at = node.getBoundingClientRect();
  const styles = [getComputedStyle(node), getComputedStyle(node, "::after")];  // of a card whole, drawn by its link
  return {
    number: node.dataset.number === undefined ? -1 : Number(node.dataset.number),
    ring: styles.some(style => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1),
    seen: at.width > 0 && at.bottom > 0 && at.right > 0 && at.top < innerHeight && at.left < innerWidth,
  };
}"""
PAGES = [
    ("nobody", "/sign-in"),
    ("admin", "/dashboard"),
    ("admin", "/jobs"),
    ("reception", "/today"),
    ("doctor1", "/reports"),
    ("patient1", "/treatments"),
]


def press_tab_through(visitor: Visitor) -> None:
    """Tab once around the page: everything usable is reached, seen and ringed."""
    names = visitor.page.evaluate(USABLE)
    reached: set[int] = set()
    unseen, last = [], -1
    for _press in range(len(names) + 10):
        visitor.page.keyboard.press("Tab")
        now = visitor.page.evaluate(FOCUSED)
        if now["number"] in reached and now["number"] != last:  # a date has several stops
            break
        last = now["number"]
        if last >= 0 and last not in reached:
            reached.add(now["number"])
            if not (now["ring"] and now["seen"]):
                unseen.append((names[now["number"]], now))
    assert [name for number, name in enumerate(names) if number not in reached] == []
    assert unseen == []


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_tab_reaches_everything_and_shows_where_it_is(visit: Callable[..., Visitor], who: str, path: str) -> None:
    visitor = visit()
    if who != "nobody":
        visitor.sign_in(who)
    visitor.open(path)
    press_tab_through(visitor)


def test_a_doctor_reaches_every_field_of_a_treatment(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.sign_in("doctor1")
    forms = [path for path in visitor.everywhere("/today") if path.endswith("/treatment")]
    visitor.open(forms[0])
    press_tab_through(visitor)


@pytest.mark.parametrize(("who", "path"), [("reception", "/today"), ("patient1", "/appointments")])
def test_the_first_tab_is_a_link_that_skips_to_the_page(visit: Callable[..., Visitor], who: str, path: str) -> None:
    visitor = visit()
    visitor.sign_in(who)
    visitor.open(path)
    page = visitor.page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    assert skip.evaluate("node => node === document.activeElement")
    assert page.evaluate(FOCUSED)["seen"]
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_the_menu_of_a_phone_opens_and_closes_by_keyboard(visit: Callable[..., Visitor]) -> None:
    visitor = visit(viewport={"width": 360, "height": 740})
    visitor.sign_in("admin")
    page = visitor.page
    link = page.get_by_role("link", name="Reports", exact=True)
    assert not link.is_visible()
    page.get_by_role("button", name="Menu", exact=True).focus()
    page.keyboard.press("Enter")
    link.wait_for()
    visitor.picture("admin-menu-phone")
    assert visitor.violations() == []
    page.keyboard.press("Escape")
    link.wait_for(state="hidden")
    page.keyboard.press("Enter")
    link.wait_for()
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/reports")

"""What a person does on the first day, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_reads_why_an_item_stands_where_it_stands(reader):
    one = reader().open()
    card = one.page.locator("button[data-kind=news]").filter(has_not_text="Sans lieu précis").first
    title = card.locator(".title").inner_text()
    card.click()
    expect(one.dialog()).to_contain_text(title)
    expect(one.dialog()).to_contain_text("Pourquoi ici ?")
    expect(one.dialog()).to_contain_text("Certitude")
    assert "item=news" in one.page.url
    one.page.keyboard.press("Escape")
    expect(one.dialog()).to_have_count(0)
    expect(one.page).not_to_have_url(re.compile("item="))
    assert not one.faults
    assert not one.outside


def test_a_pin_on_the_map_opens_its_item(reader):
    one = reader().open()
    card = one.page.locator("button[data-kind=news]").filter(has_not_text="Sans lieu précis").first
    title = card.locator(".title").inner_text()
    card.click()
    expect(one.dialog()).to_contain_text(title)
    one.page.keyboard.press("Escape")
    expect(one.dialog()).to_have_count(0)
    # The camera stands over the item now: its pin floats a little above the middle.
    box = one.page.locator("[data-testid=stDeckGlJsonChart]").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for above in range(40, 150, 10):
        one.page.mouse.click(middle[0], middle[1] - above)
        try:
            one.dialog().wait_for(timeout=2_500)
            break
        except Exception:
            continue
    expect(one.dialog()).to_contain_text("Pourquoi ici ?")


def test_goes_through_the_list_by_keyboard_alone(reader):
    one = reader().open()
    one.cards().first.focus()
    one.page.keyboard.press("ArrowDown")
    focused = one.page.evaluate(
        "() => { let e = document.activeElement;"
        " while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;"
        " return e?.dataset.key }"
    )
    assert focused == one.cards().nth(1).get_attribute("data-key")
    one.page.keyboard.press("Enter")
    expect(one.dialog()).to_be_visible()


def test_filters_stand_in_the_address_and_survive_a_reload(reader):
    one = reader().open()
    one.page.get_by_role("button", name="Missions", exact=True).click()
    expect(one.page.locator("button[data-kind=news]")).to_have_count(0)
    kinds = one.page.evaluate("location.search")
    assert "kinds" in kinds
    one.page.reload()
    expect(one.page.locator("button[data-kind=mission]").first).to_be_visible()
    expect(one.page.locator("button[data-kind=news]")).to_have_count(0)


def test_english_and_dark_stay_chosen(reader):
    one = reader(color_scheme="light").open()
    one.page.goto(one.address + "/?arrondissement=18")
    one.page.wait_for_selector("button[data-kind]")
    one.page.locator("select[name=language]").select_option("en")
    expect(one.page.get_by_text("What would you like to see?")).to_be_visible()
    one.page.locator("select[name=theme]").select_option("dark")
    one.page.wait_for_function(
        "() => getComputedStyle(document.querySelector('[data-testid=stApp]'))"
        ".backgroundColor === 'rgb(14, 19, 32)'"
    )
    assert "arrondissement=18" in one.page.url
    expect(one.page.get_by_text("18th").first).to_be_visible(timeout=40_000)
    again = one.new_page()
    again.goto(one.address + "/Feed")
    expect(again.get_by_role("heading", name="The feed")).to_be_visible()
    assert again.evaluate("document.documentElement.lang") == "en"
    background = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    assert again.evaluate(background) == "rgb(14, 19, 32)"
    assert not one.faults


def test_searches_from_the_feed(reader):
    one = reader().open("/Feed")
    box = one.page.get_by_label("Rechercher partout")
    box.fill("jardin")
    box.press("Enter")
    expect(one.page.get_by_role("button", name="Effacer la recherche")).to_be_visible()
    expect(one.cards().first).to_be_visible()
    assert "q=jardin" in one.page.url


@pytest.mark.parametrize("path", ["/", "/Feed"])
def test_fits_a_phone(reader, path):
    one = reader(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).open(path)
    width = one.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    for card in one.cards().all()[:3]:
        box = card.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_the_buildings_are_drawn_from_our_own_tiles(reader):
    one = reader()
    with one.page.expect_response(lambda r: "/tiles/sample/" in r.url and r.status == 200) as tile:
        one.open()
    assert tile.value.headers["cache-control"] == "public, max-age=31536000, immutable"
    one.page.wait_for_load_state("networkidle")
    assert not one.faults
    assert not one.outside

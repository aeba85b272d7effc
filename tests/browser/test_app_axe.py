"""The app's pages before an accessibility checker, in light and dark."""

import pytest

from tests.browser.app_page import App
from tests.browser.axe import find_faults, load_axe


@pytest.fixture(scope="module")
def axe():
    return load_axe()


@pytest.fixture(scope="module")
def app(local_driver, axe, served):
    local_driver.set_script_timeout(60)
    return App(local_driver, served)


def prefer(app, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    app.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["/look", "/gallery", "/map", "/two"])
def test_no_page_has_a_fault(app, axe, page, scheme):
    prefer(app, scheme)
    app.go(page)
    assert app.run("return document.documentElement.dataset.theme") == scheme
    assert find_faults(app, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_help_and_the_page_without_token_have_no_fault(app, axe, scheme):
    prefer(app, scheme)
    app.go("/look").press("?")
    assert find_faults(app, axe) == []
    app.run("sessionStorage.clear()")
    app.driver.get("about:blank")
    app.driver.get(app.base)
    app.until(lambda: app.all("#message:not([hidden])"))
    assert find_faults(app, axe) == []


def test_a_planted_fault_is_found(app, axe):
    prefer(app, "light")
    app.go("/look")
    app.run("document.querySelector('label[for=strength]').remove()")
    app.run("document.getElementById('look-title').style.color = 'rgb(200 200 200)'")
    assert {one.split(":")[0] for one in find_faults(app, axe)} == {"label", "color-contrast"}

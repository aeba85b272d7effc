"""What is registered: by lying beside its family, by an installed package, and once only."""

import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

import embshift.core.registry
from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.registry import Registry


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A family of three modules in a package of its own."""
    folder = tmp_path / "trial_family"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from embshift.core.registry import Registry\n"
        "THINGS = Registry(kind='thing', packages=('trial_family',), group='trial.things')\n"
    )
    for name in ("pear", "apple"):
        (folder / f"{name}.py").write_text(
            f"from trial_family import THINGS\nTHINGS.add('{name}', '{name}!')\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] in ("trial_family", "trial_plug")]:
        del sys.modules[name]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Announce an entry point of a module with the given text."""

    def install(text):
        (tmp_path / "trial_plug.py").write_text(text)
        point = EntryPoint(name="plum", value="trial_plug", group="trial.things")
        monkeypatch.setattr(
            embshift.core.registry, "entry_points", lambda *, group: EntryPoints([point]).select(group=group)
        )

    return install


def things():
    import trial_family

    return trial_family.THINGS


def test_modules_beside_the_package_join_by_being_there(family):
    found = things()
    assert list(found) == ["apple", "pear"]
    assert (len(found), found["pear"], "apple" in found, "plum" in found) == (2, "pear!", True, False)


def test_installed_packages_join_through_entry_points(family, installed):
    installed("from trial_family import THINGS\nTHINGS.add('fig', 'fig!')\n")
    assert list(things().items()) == [("apple", "apple!"), ("fig", "fig!"), ("pear", "pear!")]


def test_an_installed_package_of_another_group_does_not(family, installed):
    installed("raise RuntimeError")
    assert list(Registry[str](kind="thing", packages=("trial_family",), group="other")) == []


def test_an_unknown_name_offers_the_nearest(family):
    with pytest.raises(UnknownNameError, match="unknown thing 'aple'; did you mean 'apple'"):
        things()["aple"]
    with pytest.raises(UnknownNameError, match="unknown thing 'zzz'; known: apple, pear"):
        things()["zzz"]


def test_a_taken_name_raises_and_changes_nothing(family):
    found = things()
    with pytest.raises(PlanError, match="the thing 'pear' is already registered; choose another name"):
        found["apple"] and found.add("pear", "another")
    assert found["pear"] == "pear!"


def test_an_installed_package_cannot_take_a_name(family, installed):
    installed("from trial_family import THINGS\nTHINGS.add('pear', 'mine')\n")
    with pytest.raises(PlanError, match="'pear' is already registered"):
        list(things())


def test_a_broken_installed_package_is_named(family, installed):
    installed("import no_such_module_anywhere\n")
    with pytest.raises(
        PlanError, match=r"the installed thing 'plum' \(trial_plug\) cannot be imported: No module"
    ):
        list(things())


def test_half_a_registry_never_passes_for_a_whole_one(family):
    (family / "quince.py").write_text("raise OSError('no such library')\n")
    for _ in range(2):
        with pytest.raises(OSError, match="no such library"):
            list(things())
    (family / "quince.py").write_text("from trial_family import THINGS\nTHINGS.add('quince', 'quince!')\n")
    assert list(things()) == ["apple", "pear", "quince"]


def test_modules_may_look_something_up_while_they_join(family):
    (family / "zest.py").write_text("from trial_family import THINGS\nassert 'pear' in THINGS\n")
    assert list(things()) == ["apple", "pear"]

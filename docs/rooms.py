"""Print the rooms of the package, their floors and the imports between them, and every circle.

A room is a folder of modules; a module beside the package's own ``__init__`` counts as a room of its own. A
room stands one floor above the highest room that it imports from. The imports are those that import-linter
sees.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

Arrows = Mapping[str, Set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The imports of a package.

    Attributes:
        modules: What each module imports, within the package.
        rooms: What each room imports.
        files: Number of modules in each room.
    """

    modules: Arrows
    rooms: Arrows
    files: Mapping[str, int]


def read_house(source: Path, package: str = "embshift") -> House:
    """Read the imports of a package below a folder of sources."""
    sys.path.insert(0, str(source))
    try:
        graph = grimp.build_graph(package, cache_dir=None)
    finally:
        sys.path.remove(str(source))
    modules = {name: graph.find_modules_directly_imported_by(name) for name in sorted(graph.modules)}
    home = {name: _find_room(name, source) for name in modules}
    rooms, files = defaultdict[str, set[str]](set), defaultdict[str, int](int)
    for name, imported in modules.items():
        files[home[name]] += 1
        rooms[home[name]] |= {home[one] for one in imported} - {home[name]}
    return House(modules=modules, rooms=rooms, files=files)


def _find_room(module: str, source: Path) -> str:
    if source.joinpath(*module.split(".")).is_dir():
        return module
    above = module.rpartition(".")[0]
    loose = "." not in above and not module.endswith(".__main__")
    return module if loose else above


def find_circles(arrows: Arrows) -> list[list[str]]:
    """Return every set of two or more names that reach each other."""
    reached = {name: _reach(name, arrows) for name in arrows}
    circles = {
        frozenset({name, *(other for other in reached[name] if name in reached.get(other, ()))})
        for name in arrows
    }
    return sorted(sorted(circle) for circle in circles if len(circle) > 1)


def _reach(start: str, arrows: Arrows) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        for name in arrows.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def place_on_floors(rooms: Arrows) -> dict[str, int]:
    """Return each room's floor, from 1; rooms that a circle ties together share one."""
    tied = {name: circle[0] for circle in find_circles(rooms) for name in circle}
    merged = defaultdict[str, set[str]](set)
    for room, imported in rooms.items():
        own = tied.get(room, room)
        merged[own] |= {tied.get(one, one) for one in imported} - {own}
    floors = dict[str, int]()
    for room in TopologicalSorter(merged).static_order():
        floors[room] = 1 + max((floors[one] for one in merged[room]), default=0)
    return {room: floors[tied.get(room, room)] for room in rooms}


def describe_house(house: House) -> Iterable[str]:
    """Yield the drawing, line by line: the count first, then every room from the top floor down."""
    floors = place_on_floors(house.rooms)
    arrows = sum(map(len, house.rooms.values()))
    circles = [*find_circles(house.modules), *find_circles(house.rooms)]
    yield (
        f"{len(house.rooms)} rooms on {max(floors.values())} floors, {arrows} arrows, {len(circles)} circles"
        f" ({len(house.modules)} modules, {sum(map(len, house.modules.values()))} imports)"
    )
    yield from (f"circle: {' ↔ '.join(circle)}" for circle in circles)
    for room in sorted(house.rooms, key=lambda one: (-floors[one], one)):
        below = ", ".join(_shorten(one) for one in sorted(house.rooms[room])) or "nothing"
        yield f"floor {floors[room]:>2}  {_shorten(room)} ({house.files[room]}) → {below}"


def _shorten(room: str) -> str:
    return room.partition(".")[2] or room


def main() -> int:
    """Print the drawing; returns 1 where there is a circle."""
    parser = argparse.ArgumentParser(prog="python -m docs.rooms", description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, default=Path("src"), help="folder of the package")
    house = read_house(parser.parse_args().source)
    print("\n".join(describe_house(house)))
    return 1 if find_circles(house.modules) or find_circles(house.rooms) else 0


if __name__ == "__main__":
    sys.exit(main())

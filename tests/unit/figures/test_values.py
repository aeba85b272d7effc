"""What is drawn are the run's numbers, each at its own name."""

import re
from functools import lru_cache

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from PIL import Image
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.style import assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_page, render_pages
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import short_name
from tests.drawn_text import drawn_text, words
from tests.synthetic_runs import NINE, PAPER, THIRTY, Wanted, make_run

SHOWN = {format_name(name): name for name in NINE}


def pages(material, name, **options):
    return [page.figure for page in render_pages(material, name, **options)]


def rows(axes):
    """Names beside a panel's rows, by their place."""
    return {
        round(tick): SHOWN[label.get_text()]
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels())
        if label.get_text() in SHOWN
    }


def bars(axes):
    """(length, face colour) of every bar by its row."""
    return {
        round(bar.get_y() + bar.get_height() / 2): (bar.get_width(), to_hex(bar.get_facecolor()).upper())
        for bar in axes.patches
    }


def lines(axes, *, at, width, colour="#1A1A1A"):
    """Ends of the level lines of one thickness in a row."""
    return [
        tuple(line.get_xdata())
        for line in axes.lines
        if line.get_linewidth() == width
        and line.get_color() == colour
        and np.allclose(line.get_ydata(), at)
        and len(line.get_xdata()) == 2
    ]


@lru_cache
def summary(run):
    return {row.transform: row for row in run.summary().rows}


def cell(run, transform, metric):
    return summary(run)[transform].cells[metric]


# Bars -----------------------------------------------------------------------------------------------------


def test_l2_bars_are_means_with_deviation_and_interval_from_the_nearest(material, nine):
    (figure,) = pages(material, "l2_bar")
    axes, names = figure.axes[0], rows(figure.axes[0])
    means, statistics = [], nine.statistics()
    for at, name in names.items():
        found, known = cell(nine, name, "l2"), assign_looks(NINE)[name]
        assert bars(axes)[at] == (pytest.approx(found.mean), known.colour)
        ((low, high),) = lines(axes, at=at, width=0.6)
        assert (low, high) == pytest.approx((found.mean - found.deviation, found.mean + found.deviation))
        ((low, high),) = lines(axes, at=at, width=2.2)
        place = NINE.index(name)
        assert (low, high) == pytest.approx((statistics.means.low[place, 1], statistics.means.high[place, 1]))
        means.append(found.mean)
    assert len(names) == 9
    assert means == sorted(means)
    assert "mean L2 distance between raw embeddings (embedding units)" in words(figure)


def test_comparison_draws_every_bar_beside_its_own_name(material, nine):
    (figure,) = pages(material, "comparison")
    metrics = [name for name in PAPER if name != "l2"]
    names = rows(figure.axes[0])
    assert [names[at] for at in range(9)] == list(NINE)
    for axes, metric in zip(figure.axes, metrics, strict=True):
        found = {names[at]: length for at, (length, _) in bars(axes).items()}
        assert found == {name: pytest.approx(cell(nine, name, metric).mean) for name in NINE}
        average = np.mean([cell(nine, name, metric).mean for name in NINE])
        (line,) = [line for line in axes.lines if line.get_linestyle() != "None" and line.is_dashed()]
        assert line.get_xdata()[0] == pytest.approx(average)
        assert axes.get_title().splitlines()[0] == short_name(metric)
        assert float(axes.get_title().splitlines()[1]) == pytest.approx(average, abs=5e-4)


def test_comparison_over_two_rows_keeps_the_names(material, nine):
    (figure,) = pages(material, "comparison", width=3.3)
    metrics = [name for name in PAPER if name != "l2"]
    named = [axes for axes in figure.axes if rows(axes)]
    assert len(named) == 2
    for axes, metric in zip(figure.axes, metrics, strict=True):
        found = {NINE[at]: length for at, (length, _) in bars(axes).items()}
        assert found == {name: pytest.approx(cell(nine, name, metric).mean) for name in NINE}


def test_profiles_stand_in_the_order_of_rank_with_the_best_marked(material, nine):
    (figure,) = pages(material, "profiles")
    ranks = nine.summary()
    ranked = sorted(ranks.rows, key=lambda row: row.rank)
    metrics = [name for name in PAPER if name != "l2"]
    assert len(figure.axes) == 9
    for axes, row in zip(figure.axes, ranked):
        found = [bars(axes)[at][0] for at in range(5)]
        assert found == pytest.approx([row.cells[metric].mean for metric in metrics])
        assert bars(axes)[0][1] == assign_looks(NINE)[row.transform].colour
        marked = [metric for metric, text in zip(metrics, axes.texts) if text.get_text().startswith("▲")]
        assert marked == [metric for metric in metrics if row.transform in ranks.closest(metric)]
        (line,) = [line for line in axes.lines if line.is_dashed()]
        assert line.get_xdata()[0] == pytest.approx(row.overall)
    texts = [text.get_text().replace("\u00a0", " ") for text in figure.texts]
    for row in ranked:
        first = format_name(row.transform).split()[0]
        assert any(text.startswith(f"{row.rank} · {first}") for text in texts)
        assert f"average {row.overall:.3f}" in texts


def test_numbers_of_bars_are_their_lengths(material):
    (figure,) = pages(material, "comparison")
    for axes in figure.axes:
        lengths = [bars(axes)[at][0] for at in range(9)]
        printed = [float(text.get_text().replace("−", "-")) for text in axes.texts]
        assert printed == pytest.approx(lengths, abs=0.00501)


# Distributions --------------------------------------------------------------------------------------------


def test_cosine_distribution_gives_mean_and_deviation_from_the_closest(material, nine):
    (figure,) = pages(material, "cosine_distribution")
    axes, names = figure.axes[0], rows(figure.axes[0])
    means = []
    for at, name in names.items():
        found = cell(nine, name, "cosine")
        told = next(text.get_text() for text in axes.texts if text.xy[1] == at)
        assert told.replace("−", "-") == f"{found.mean:.3f} ± {found.deviation:.3f}"
        (dot,) = [
            line
            for line in axes.lines
            if line.get_marker() == "o" and round(line.get_ydata()[0] - 0.34) == at
        ]
        assert dot.get_xdata()[0] == pytest.approx(found.mean)
        ((low, high),) = lines(axes, at=at + 0.34, width=0.8)
        assert low == pytest.approx(max(-1, found.mean - found.deviation))
        assert high == pytest.approx(min(1, found.mean + found.deviation))
        means.append(found.mean)
    assert len(names) == 9
    assert means == sorted(means, reverse=True)


def curves(axes):
    """Curves with many points by their colour."""
    return {line.get_color(): line.get_xydata() for line in axes.lines if len(line.get_xdata()) > 100}


def test_l2_densities_hold_all_their_values_and_are_labelled_at_the_peak(material, nine):
    (figure,) = pages(material, "l2_density", width=14)
    axes, found = figure.axes[0], curves(figure.axes[0])
    values = nine.values()
    figure.canvas.draw()
    for at, name in enumerate(NINE):
        curve = found[assign_looks(NINE)[name].edge]
        assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(1, abs=0.03)
        centre = np.trapezoid(curve[:, 0] * curve[:, 1], curve[:, 0])
        # Mirroring at 0 moves the centre up, and never down.
        mean = values.values[:, at, 1].mean()
        assert 0.95 * mean <= centre <= 1.35 * mean
    assert {text.get_text() for text in axes.texts} == set(SHOWN)
    assert "density (1 / embedding unit)" in words(figure)


def test_a_label_stands_above_its_own_peak_or_is_tied_to_it(tmp_path):
    run = make_run(tmp_path, Wanted(transforms=NINE[:3], images=30, views=False, maps=False))
    (figure,) = pages(Material(run=run), "l2_density")
    axes, found = figure.axes[0], curves(figure.axes[0])
    drawn_text(figure)
    for text in axes.texts:
        curve = found[assign_looks(NINE[:3])[SHOWN[text.get_text()]].edge]
        peak = curve[curve[:, 1].argmax()]
        x = axes.transAxes.transform(text.get_position())[0]
        y = axes.transAxes.transform(text.get_position())[1]
        at = axes.transData.transform(peak)
        box = text.get_window_extent()
        near = box.x0 - 3 <= at[0] <= box.x1 + 3 and 0 <= y - at[1] <= 0.09 * figure.dpi
        tied = any(
            np.allclose(line.get_transform().transform(line.get_xydata())[0], at, atol=1)
            and np.allclose(line.get_transform().transform(line.get_xydata())[1], (x, y), atol=1)
            for line in axes.lines
            if len(line.get_xdata()) == 2
        )
        assert near or tied


def test_many_densities_stand_one_below_the_other_from_the_nearest_peak(tmp_path):
    run = make_run(tmp_path, Wanted(transforms=THIRTY, images=30, views=False, maps=False))
    (figure,) = pages(Material(run=run), "l2_density")
    axes = figure.axes[0]
    peaks = [float(text.get_text()) for text in axes.texts]
    assert len(peaks) == 30
    assert peaks == sorted(peaks)
    assert "each curve scaled to its own peak" in words(figure)


def test_one_very_narrow_density_does_not_flatten_the_others(tmp_path):
    run = make_run(tmp_path, Wanted(images=30, uneven=True, views=False, maps=False))
    (figure,) = pages(Material(run=run), "l2_density")
    assert "each curve scaled to its own peak" in words(figure)
    assert len(rows(figure.axes[0])) == 9


# Heat maps and trees --------------------------------------------------------------------------------------


def heat(figure):
    """The heat map's values, masked where undefined, and its panel."""
    axes = next(axes for axes in figure.axes if axes.images and axes.images[0].get_array().shape[0] > 1)
    return axes.images[0].get_array(), axes


def columns(axes):
    return [SHOWN[" ".join(label.get_text().split())] for label in axes.get_xticklabels()]


@pytest.mark.parametrize("name", ["heatmap", "clustermap", "clustermap_profiles"])
def test_heat_map_holds_the_means_at_their_names(name, material, nine):
    (figure,) = pages(material, name)
    values, axes = heat(figure)
    metrics = [f"{label.get_text()}" for label in axes.get_yticklabels()]
    assert metrics == [short_name(metric) for metric in PAPER if metric != "l2"]
    wanted = [[cell(nine, name, metric).mean for name in columns(axes)] for metric in PAPER if metric != "l2"]
    np.testing.assert_allclose(values, wanted)
    printed = {tuple(round(at) for at in text.get_position()): text.get_text() for text in axes.texts}
    for (row, column), value in np.ndenumerate(values):
        assert float(printed[column, row].replace("−", "-")) == pytest.approx(value, abs=0.00501)


def test_plain_heat_map_is_in_the_order_of_the_plan(material):
    assert columns(heat(pages(material, "heatmap")[0])[1]) == list(NINE)


def test_cluster_map_is_in_the_order_of_the_dendrogram_of_embeddings(material, nine):
    found = nine.clusters()
    order = [NINE[at] for at in found.order]
    assert order != list(NINE)
    (figure,) = pages(material, "clustermap")
    assert columns(heat(figure)[1]) == order
    tree = next(axes for axes in figure.axes if lines_of(axes))
    assert cophenetic(lines_of(tree), count=9) == pytest.approx(reordered(found.tree, found.order), abs=1e-8)


def test_cluster_map_of_profiles_clusters_the_means(material, nine):
    means = np.array([[cell(nine, n, m).mean for m in PAPER if m != "l2"] for n in NINE])
    tree = linkage(means, method="average")
    (figure,) = pages(material, "clustermap_profiles")
    order = [NINE.index(name) for name in columns(heat(figure)[1])]
    assert order != list(nine.clusters().order)
    lines = lines_of(next(axes for axes in figure.axes if lines_of(axes)))
    assert cophenetic(lines, count=9) == pytest.approx(reordered(tree, order), abs=1e-8)


def test_profiles_with_an_undefined_metric_are_left_out_and_said(tmp_path):
    run = make_run(tmp_path, Wanted(undefined=(("blur", "detail_similarity"),)))
    (figure,) = pages(Material(run=run), "clustermap_profiles")
    assert sorted(columns(heat(figure)[1])) == sorted(set(NINE) - {"blur"})
    assert "left out, since a metric is undefined: blur" in words(figure)


def lines_of(axes):
    """Branches of a tree: each line's points as (along, height), whichever way the tree lies."""
    collections = [one for one in axes.collections if isinstance(one, LineCollection)]
    return [segment for one in collections for segment in one.get_segments()]


def cophenetic(lines, *, count):
    """Height of the lowest bar that joins every two leaves, read from the lines alone."""
    level = [
        (round(line[0][1], 9), sorted((line[0][0], line[1][0]))) for line in lines if line[0][1] == line[1][1]
    ]
    groups = {(float(leaf), 0.0): {leaf} for leaf in range(count)}
    found = np.zeros((count, count))
    for height, (left, right) in sorted(level):
        ends = [max((g for g in groups if np.isclose(g[0], x)), key=lambda g: g[1]) for x in (left, right)]
        one, other = groups.pop(ends[0]), groups.pop(ends[1])
        for a in one:
            for b in other:
                found[a, b] = found[b, a] = height
        groups[(left + right) / 2, height] = one | other
    assert len(groups) == 1
    return squareform(found)


def reordered(tree, order):
    return squareform(squareform(cophenet(tree))[np.ix_(order, order)])


def test_dendrogram_is_the_linkage_with_threshold_and_clusters(material, nine):
    found = nine.clusters()
    (figure,) = pages(material, "dendrogram")
    axes = figure.axes[0]
    assert [rows(axes)[at] for at in range(9)] == [NINE[at] for at in found.order]
    turned = [line[:, ::-1] for line in lines_of(axes)]
    assert cophenetic(turned, count=9) == pytest.approx(reordered(found.tree, found.order), abs=1e-8)
    (line,) = [line for line in axes.lines if line.is_dashed()]
    assert line.get_xdata()[0] == pytest.approx(found.threshold)
    written = words(figure)
    for label, members in found.members().items():
        assert f"{label} {', '.join(format_name(name) for name in members)}" in written
    assert "mean cosine distance between views of one image" in written


def test_dendrogram_gives_every_cluster_one_colour(tmp_path):
    run = make_run(tmp_path, Wanted(transforms=THIRTY, images=20, views=False, maps=False))
    found = run.clusters()
    (figure,) = pages(Material(run=run), "dendrogram")
    (collection,) = [one for one in figure.axes[0].collections if isinstance(one, LineCollection)]
    colours = [to_hex(colour) for colour in collection.get_colors()]
    below = {}
    for segment, colour in zip(collection.get_segments(), colours):
        (x, y), (x_end, y_end) = segment
        if max(x, x_end) <= found.threshold and y == y_end and x == 0:
            below.setdefault(int(found.labels[found.order[round(y)]]), set()).add(colour)
    assert len(below) > 1
    assert all(len(inks) == 1 for inks in below.values())
    assert len({next(iter(inks)) for inks in below.values()}) == len(below)


def test_sample_heat_map_shows_fifty_seeded_images(tmp_path):
    run = make_run(tmp_path, Wanted(images=70, transforms=NINE[:4], views=False, maps=False))
    (figure,) = pages(Material(run=run), "sample_heatmap")
    values, axes = heat(figure)
    assert values.shape == (4, 50)
    cosines = run.values().values[:, :, 0]
    listed = {round(t): int(label.get_text()) for t, label in zip(axes.get_xticks(), axes.get_xticklabels())}
    assert len(listed) > 20
    for column, row in listed.items():
        np.testing.assert_allclose(values[:, column], cosines[row])
    means = values.mean(axis=0)
    assert (np.diff(means) <= 0).all()
    (again,) = pages(Material(run=run), "sample_heatmap")
    np.testing.assert_array_equal(heat(again)[0], values)
    assert "50 of 70 images" in words(figure)


# Pictures -------------------------------------------------------------------------------------------------


def test_gallery_shows_the_kept_views_of_one_image_with_its_cosines(material, nine):
    (figure,) = pages(material, "gallery")
    picture = material.choose_images(1)[0]
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    kept = [np.asarray(Image.open(picture.views[name])) for name in ("original", *NINE)]
    assert len(drawn) == 10
    for one, other in zip(drawn, kept):
        np.testing.assert_array_equal(one, other)
    written = words(figure)
    for at in range(9):
        assert f"{nine.values().values[picture.row, at, 0]:.3f}".replace("-", "−") in written
    assert f"image {picture.row} of the listing, picture-{picture.row}.jpg" in written


def test_attention_grid_shows_views_above_their_maps(material):
    figures = pages(material, "attention_grid", pictures=3)
    images = [image for figure in figures for image in figure.axes[0].images]
    assert len(images) == 3 * 2 * 10
    picture = material.choose_images(1)[0]
    views = list(images[:20:2])
    for name, view in zip(("original", *NINE), views):
        np.testing.assert_array_equal(view.get_array(), np.asarray(Image.open(picture.views[name])))
    for above, below in zip(images[::2], images[1::2]):
        left, right, bottom, _ = above.get_extent()
        assert (left, right) == pytest.approx(below.get_extent()[:2])
        assert below.get_extent()[3] > bottom - 1e-9  # downward is more
        assert not np.array_equal(above.get_array(), below.get_array())


def test_a_map_lies_where_the_encoder_looked(tmp_path):
    run = make_run(tmp_path, Wanted(images=2, size=(64, 64)))
    material = Material(run=run)
    (figure,) = pages(material, "attention_grid", pictures=1)
    picture = material.choose_images(1)[0]
    found = material.read_maps([picture.row])[picture.row, "original"]
    view, below = (np.asarray(image.get_array()).astype(float) for image in figure.axes[0].images[:2])
    grey = view @ [0.299, 0.587, 0.114]
    top, left, height, width = (round(side) for side in found.field)
    inside = (
        below[top : top + height, left : left + width].sum(axis=2)
        - 3 * 0.4 * grey[top : top + height, left : left + width]
    )
    assert np.corrcoef(inside.ravel(), found.shares.ravel())[0, 1] > 0.95
    outside = np.ones((64, 64), bool)
    outside[top : top + height, left : left + width] = False
    np.testing.assert_allclose(below[outside], np.repeat(0.35 * grey[outside, None], 3, axis=1), atol=0.6)


def test_titles_name_what_the_encoders_map_is(material, tmp_path):
    run = make_run(tmp_path, Wanted(map_name="similarity map", images=2, transforms=NINE[:3]))
    similarity = Material(run=run)
    written = words(pages(similarity, "attention_grid")[0])
    assert "How does the similarity map change under each transform?" in written
    assert "attention map" not in written
    for name in ("profiles", "comparison", "heatmap", "radar"):
        assert "“attention” compares this encoder's similarity map" in words(pages(similarity, name)[0])
    assert "attention” compares" not in words(pages(material, "radar")[0])


def test_constant_maps_and_views_that_are_not_there_are_said(tmp_path):
    run = make_run(tmp_path, Wanted(images=2, constant_map="blur", missing=("noise",)))
    written = words(pages(Material(run=run), "attention_grid", pictures=1)[0])
    assert "constant" in written
    assert "not kept" in written


def test_structure_draws_its_marks_and_those_of_chance_at_their_names(material, nine):
    (figure,) = pages(material, "structure")
    (axes,) = figure.axes
    found = nine.structure()
    marks = [
        (name, line.get_marker(), to_hex(line.get_markerfacecolor(), keep_alpha=True).endswith("00"), line)
        for line in axes.lines
        if line.get_marker() not in ("None", None, "")
        for name in [rows(axes)[round(float(line.get_ydata()[0]))]]
    ]
    assert len(marks) == 9 * 5
    left, right = axes.get_xlim()
    for name, marker, is_open, line in marks:
        measure = {"o": "unbiased_cka", "D": "rsa", "s": "procrustes"}[marker] + (
            "_chance" if is_open else ""
        )
        value = np.clip(found.mean(name, measure), left, right)
        assert line.get_xdata()[0] == pytest.approx(value), (name, measure)
    kept = [found.mean(rows(axes)[at], "rsa") for at in range(9)]
    assert kept == sorted(kept, reverse=True)


def test_radar_polygons_are_the_means_between_best_and_worst(material, nine):
    figures = pages(material, "radar")
    panels = [axes for figure in figures for axes in figure.axes]
    means = np.array([[cell(nine, n, m).mean for m in PAPER if m != "l2"] for n in NINE])
    assert len(panels) == 9
    for axes, own in zip(panels, means):
        closed = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == 6]
        ring = closed[1]  # the outer one, where every metric is 1
        radius = np.hypot(*ring[0])
        found = [np.hypot(line[:5, 0], line[:5, 1]) / radius for line in closed[2:]]
        assert means.min() > 0, "the scale begins at 0"
        np.testing.assert_allclose(found, [means.max(axis=0), means.min(axis=0), own], atol=1e-9)
        np.testing.assert_allclose(ring[0], (0, radius), atol=1e-9)  # the first metric points up
        assert ring[1][0] > 0, "and the next stands to its right"


def test_a_page_by_its_number(material):
    several = list(render_pages(material, "attention_grid", width=3.3, pictures=4))
    assert len(several) > 1
    second = render_page(material, "attention_grid", page=2, width=3.3, pictures=4)
    assert second.alt == several[1].alt != several[0].alt


# Alt text -------------------------------------------------------------------------------------------------


def alt(material, name, **options):
    return " ".join(page.alt for page in render_pages(material, name, **options))


MAPS = ("heatmap", "clustermap", "clustermap_profiles", "radar")
ALTS = ("l2_bar", "cosine_distribution", "profiles", "sample_heatmap", "dendrogram", *MAPS)


def test_alt_texts_tell_the_runs_numbers(material, nine):
    means, found = nine.statistics().means, nine.clusters()
    told = {name: alt(material, name) for name in ALTS}
    for at, name in enumerate(NINE):
        l2, cosine = cell(nine, name, "l2"), cell(nine, name, "cosine")
        low, high = means.low[at, 1], means.high[at, 1]
        assert (
            f"{format_name(name)} {format_number(l2.mean)} ({format_number(low)} to {format_number(high)})"
            in told["l2_bar"]
        )
        spread = f"{format_number(cosine.mean, places=3)} ± {format_number(cosine.deviation, places=3)}"
        assert f"{format_name(name)} {spread}" in told["cosine_distribution"]
        row = summary(nine)[name]
        assert (
            f"{format_name(name)}: rank {row.rank}, average {format_number(row.overall)}" in told["profiles"]
        )
        own = ", ".join(f"{short_name(m)} {format_number(row.cells[m].mean)}" for m in PAPER if m != "l2")
        for figure in MAPS:
            assert f"{format_name(name)}: {own}" in told[figure]
        cosines = material.select_metric("cosine")[:, at]
        ends = f"{format_name(name)} {format_number(cosines.min())} to {format_number(cosines.max())}"
        assert ends in told["sample_heatmap"]
    assert f"cut at {format_number(found.threshold)} it gives cluster 1: " in told["dendrogram"]
    assert told["dendrogram"].endswith(" 12 images, encoder synthetic.")


def test_alt_text_of_several_pages_tells_each_pages_own_numbers(tmp_path):
    run = make_run(tmp_path, Wanted(transforms=THIRTY, views=False, maps=False))
    told = list(render_pages(Material(run=run), "comparison", width=3.3))
    assert len(told) == 2
    for metric in [name for name in PAPER if name != "l2"]:
        means = {name: cell(run, name, metric).mean for name in THIRTY}
        average = np.mean(list(means.values()))
        (page,) = [
            page.alt
            for page in told
            if f"{short_name(metric)} {format_number(average)} on average" in page.alt
        ]
        own = page.split(f"{short_name(metric)} {format_number(average)} on average")[1].split(". ")[0]
        below = own.split("; below it ")[1]
        assert set(re.split(", | and ", below.rstrip("."))) == {
            format_name(name) for name, mean in means.items() if mean < average
        }

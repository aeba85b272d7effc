"""The table of costs follows from its inputs by the stated formula."""

from docs.refresh.costs import Measured, Prices, cost_table, read_measured

TABLES = ("images", "embeddings", "shifts", "attention")
MEASURED = Measured(
    lite=2.0,
    vit_b=0.5,
    vit_l_gpu=250.0,
    outside=dict(zip(TABLES, (100.0, 20_000.0, 400.0, 0.0), strict=True)),
    sampled=dict(zip(TABLES, (100.0, 20_000.0, 1_000.0, 9_000.0), strict=True)),
    keys=900.0,
    dim=512,
)
PRICES = Prices(core=0.1, gpu=2.0, put=0.005, stored=0.02)


def row(count):
    lines = cost_table(MEASURED, PRICES).splitlines()
    return next(line.strip("| ").split(" | ") for line in lines if line.startswith(f"| {count:,} |"))


def test_a_billion_images():
    assert row(10**9) == [
        "1,000,000,000",
        "140,000 ($14,000)",  # 10⁹ / 2 / 3600 hours
        "560,000 ($56,000)",
        "1,100 ($2,200)",
        "62,000,000 ($310)",  # 4 × 10⁹ / 64
        "980,000 ($4.9)",
        "21 TB ($410)",  # 20.5 kB an image, and more in the metric sample
        "1.4 TB ($28)",  # 0.5 kB an image, and 0.9 kB of the keys of its views
    ]


def test_few_images_weigh_more_in_the_metric_sample():
    # 2,000 × 30.1 kB + 98,000 × 20.5 kB = 2.069 GB; without embeddings 69.2 MB, and 90 MB of keys
    assert row(10**5)[-2:] == ["2.1 GB ($0.041)", "160 MB ($0.0032)"]


def test_the_newest_whole_figures_are_read():
    def result(stage, way, value, *, cores=2, quick=False):
        figure = {"stage": stage, "way": way, "values": [value]}
        return {"settings": {"quick": quick}, "machine": {"cores": cores}, "figures": [figure]}

    paper = "float32, torch; reference views, full decode"
    found = read_measured(
        [
            result("end to end, lite", paper, 99.0),
            result("end to end, lite", paper, 4.0),
            result("end to end, lite", paper, 1.0, quick=True),
            result("end to end, ViT-B/32", paper, 2.0, cores=4),
            result("GPU, from files", "ViT-L/14, views fast", 256.0, cores=16),
            result("stored, lite, outside it", "embeddings", 20.5),
            result("stored, lite, in the metric sample", "embeddings", 20.6),
            result("stored, lite, outside it, --no-embeddings", "embeddings", 0.5),
            result("stored, lite", "numbers of an embedding", 384.0),
        ]
    )
    assert (found.lite, found.vit_b, found.vit_l_gpu) == (2.0, 0.5, 256.0)
    assert (found.dim, found.keys) == (384, 500.0)
    assert (found.outside, found.sampled) == ({"embeddings": 20_500.0}, {"embeddings": 20_600.0})

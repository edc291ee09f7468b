# make setup | demo | smoke | leaderboard | bench | test | test-all | lint | types | docs | format | clean
PYTHON ?= python3
VENV ?= .venv
# of the OpenMMLab libraries: onedl or openmmlab, the original releases
FAMILY ?= onedl
SEEDS ?= 1
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip

# The second environment, for the original releases.
OPENMMLAB := .venv-openmmlab
# The environment of nox, which makes one for each session.
MATRIX := .venv-matrix

.PHONY: help setup dev demo leaderboard bench smoke test test-all coverage test-openmmlab \
	test-wheel test-matrix lint types docs format clean

# Two test processes with one thread each.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(VENV)/.installed-$(FAMILY) ## Make .venv and install everything that runs need

dev: $(VENV)/.installed-$(FAMILY)-dev ## The same with what tests, lint and types need

$(VENV)/.installed-$(FAMILY): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	"error: $(PYTHON) is Python %d.%d, simmim_bench needs 3.11 to 3.13; try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m simmim_bench.family $(FAMILY)
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --constraint constraints.txt --editable '.[$(FAMILY)]'
	# Two packages own cv2; of both only the headless one needs no graphics libraries.
	$(PIP) install --quiet --force-reinstall --no-deps --constraint constraints.txt opencv-python-headless
	touch $@

$(VENV)/.installed-$(FAMILY)-dev: $(VENV)/.installed-$(FAMILY)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(FAMILY),dev,docs]'
	touch $@

demo: setup ## Pretrain, three downstream tasks, leaderboard: 15 to 25 minutes on two cores
	$(BIN)/simmim-bench suite configs/suites/demo.yaml --seeds $(SEEDS)

leaderboard: setup ## Write the tables of results/records and results/published anew
	$(BIN)/simmim-bench leaderboard build --out results --readme README.md
	# no figures of others beside the demo's own comparisons
	for store in language study variants variants-long; do \
		mkdir -p results/$$store/published && $(BIN)/simmim-bench leaderboard build \
			--out results/$$store --published results/$$store/published || exit; \
	done

bench: dev ## Compare our speed with the stock implementations; FAMILIES="...", PAGE=docs/speed.md
	$(BIN)/python -m benchmarks.speed $(FAMILIES) --json build/bench.json $(if $(PAGE),--page $(PAGE))

smoke: setup ## The same flow with toy schedules, in three minutes
	$(BIN)/simmim-bench suite configs/suites/smoke.yaml

test: dev ## Run the quick tests: ten minutes on two cores; TESTS=FOLDER: only those in it
	$(PYTEST) -m "not slow and not slurm and not browser" $(TESTS)

test-all: dev ## Run every test
	$(PYTEST) --durations 40

coverage: dev ## Run every test and show the lines that none runs; slower
	$(PYTEST) --cov=simmim_bench --cov-report=term:skip-covered

test-openmmlab: $(OPENMMLAB)/.shared ## The smoke flow and contracts on the original OpenMMLab releases
	$(MAKE) VENV=$(OPENMMLAB) FAMILY=openmmlab dev
	rm -rf work_dirs/smoke-openmmlab
	$(OPENMMLAB)/bin/simmim-bench suite configs/suites/smoke.yaml --only "finetune/*/simmim*" \
		--work-dir work_dirs/smoke-openmmlab
	$(MAKE) VENV=$(OPENMMLAB) FAMILY=openmmlab test TESTS="tests/test_ops.py tests/contracts"

# The files of $(VENV), PyTorch's 5 GB among them, are shared by hard links: pip replaces files and
# does not write into them.
$(OPENMMLAB)/.shared: $(VENV)/.installed-$(FAMILY)-dev
	rm -rf $(OPENMMLAB)
	$(PYTHON) -m venv --without-pip $(OPENMMLAB)
	cp --recursive --link $(VENV)/lib/. $(OPENMMLAB)/lib
	$(OPENMMLAB)/bin/python -m pip uninstall --quiet --yes \
		$$(sed -n 's/^\(onedl-[^=]*\)==.*/\1/p' constraints.txt)
	touch $@

test-wheel: $(MATRIX)/.installed ## A project made by the installed wheel, on Python 3.11 and 3.13
	OMP_NUM_THREADS=1 $(MATRIX)/bin/nox --session wheel

test-matrix: $(MATRIX)/.installed ## Short tests on Python 3.11 to 3.13, lowest and newest versions, both families
	OMP_NUM_THREADS=1 $(MATRIX)/bin/nox

$(MATRIX)/.installed:
	$(PYTHON) -m venv $(MATRIX)
	$(MATRIX)/bin/python -m pip install --quiet 'nox[uv]>=2024.10'
	touch $@

constraints-lowest.txt: setup.py | $(MATRIX)/.installed
	(echo "# The lowest versions that setup.py allows together (Python 3.11, Linux): make $@" && \
		$(MATRIX)/bin/uv pip compile $< --quiet --extra onedl --extra dev \
		--resolution lowest-direct --python-version 3.11 --python-platform linux \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-package setuptools) > $@.new
	mv $@.new $@

lint: dev ## Style, spelling, file sizes, imports, shell syntax
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell simmim_bench configs tools tests docs benchmarks README.md CONTRIBUTING.md CHANGELOG.md
	for script in tools/*.sh; do bash -n $$script || exit 1; done
	$(BIN)/python tests/lint_size.py
	$(BIN)/lint-imports

types: dev ## Static types
	$(BIN)/mypy

docs: dev ## Build the documentation site into build/docs; a warning is an error
	rm -rf docs/api
	$(BIN)/python -m sphinx -W --keep-going --quiet -c docs . build/docs

format: dev ## Rewrite the code in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove runs and data of demo, smoke and --try; keep the environment and other runs
	rm -rf work_dirs/demo work_dirs/smoke work_dirs/try data/demo

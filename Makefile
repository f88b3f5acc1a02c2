# make run | test | test-all | test-postgresql | lint | texts | dist | audit | bench | soak | guides | lock: a fresh machine needs nothing else by hand.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install install-dev run test test-all test-postgresql lint texts dist dist-test audit bench soak guides lock

install: .venv/.installed

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
	@touch $@

install-dev: .venv/.installed-dev

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

run: install
	$(BIN)/python run.py

# What takes long and rarely fails alone; the markers are described in pyproject.toml.
LONG := tour or flood or kill or foreign

test: install-dev
	$(BIN)/python -m pytest -m "not soak and not dist and not ($(LONG))" -n 4 -rs

# What `make test` leaves out, but for the rounds of `make soak`.
test-all: install-dev
	$(BIN)/python -m pytest -m "not soak and not dist and ($(LONG))" -n 4 -rs

# What touches a database once more, on PostgreSQL. Left out are tests that need none or run on both already, fuzzing (soak
# does it on both), the tour of all pages as HTML and forged forms, which are refused before a database is asked.
test-postgresql: install-dev
	$(BIN)/python -m pytest -m "not soak and not dist" -n 4 -rs --database postgresql \
	  --ignore tests/web/test_fuzz.py --ignore tests/web/test_html.py --ignore tests/trust/test_forms.py

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m texts --check

# Brings service/locales up to the texts of today; AREA=diary starts the files of an area.
texts: install-dev
	$(BIN)/python -m texts $(AREA)

dist: install-dev
	$(BIN)/pyinstaller --noconfirm --log-level ERROR --distpath dist --workpath build packaging/rounds.spec
	cp config.toml dist/

dist-test: install-dev
	$(BIN)/python -m pytest -m dist -n 2 tests/dist

audit: install-dev
	$(BIN)/python -m tests.audit_dependencies

bench: install-dev
	$(BIN)/python -m bench

# Parts, times and the seed: tests/soak.py.
soak: install-dev
	$(BIN)/python -m tests.soak

guides: install-dev
	$(BIN)/python -m tests.browser.guides

lock:
	$(BIN)/python -m pip install --quiet uv
	for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" $$name.in -o $$name.txt; done

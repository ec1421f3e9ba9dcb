# make run    sets up and starts the dashboard       make test   sets up and runs every check
# make demo   the dashboard on invented data         make pins   renews the pinned requirements
# make screenshots   the pictures of docs/screenshots
# make test-postgresql   the tests on PostgreSQL in place of SQLite
SHELL := /bin/sh
PYTHON ?= python3
# Not from the environment: some shells export HOST, and `make clean` deletes VENV. Say otherwise as
# in `make run HOST=0.0.0.0`.
VENV = .venv
HOST = 127.0.0.1
PORT = 8501
# Of settings that lead to the real installation a demonstration has none: variables that are empty
# count before lines of .env. As APART in commands/rows.py.
APART = SATISFACE_DATABASE_URL= SATISFACE_FOOTAGE_URL= SATISFACE_SCHEDULER_ADDRESS= \
	SATISFACE_WATCH_FOLDER= SATISFACE_REPORTS_FOLDER= SATISFACE_SMTP_HOST=
PIP_COMPILE = $(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --quiet

.PHONY: run test test-postgresql demo screenshots pins clean

run: $(VENV)/run.stamp
	$(VENV)/bin/streamlit run app.py --server.address $(HOST) --server.port $(PORT)

test: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(VENV)/bin/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

test-postgresql: $(VENV)/test.stamp
	SATISFACE_TEST_DATABASE=postgresql $(VENV)/bin/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

demo: $(VENV)/run.stamp
	SATISFACE_HOME=var $(VENV)/bin/python cli.py demo
	SATISFACE_HOME=var/demo $(APART) $(VENV)/bin/streamlit run app.py --server.address $(HOST) --server.port $(PORT)

screenshots: $(VENV)/test.stamp
	$(VENV)/bin/python -m tests.browser.docs_screenshots

# What has not changed is kept: the stamps are younger than the pins they installed.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Satisface needs Python 3.11 to 3.13; choose one with: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "This Python cannot make environments. On Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

pins: $(VENV)/test.stamp
	$(PIP_COMPILE) --extra training --extra s3 --extra cluster -o requirements.txt
	$(PIP_COMPILE) --extra s3 --extra cluster -c requirements.txt -o requirements-runtime.txt
	$(PIP_COMPILE) --extra training --extra s3 --extra cluster --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

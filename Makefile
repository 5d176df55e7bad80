# make demo   environment, weights, and the main job on the example clip: writes demo.mp4 and demo.png
# make test   environment with torch and the test tools, weights, all tests
# make lint   ruff, type check, import rules
# make clean  remove the environment and what the other targets made
#
# The first run of demo or test creates .venv; later ones find it and start at once. PYTHON=python3.12 chooses another
# interpreter. Versions come from constraints.txt.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# Isolated builds take pinned versions too (older pip ignores the variable).
export PIP_BUILD_CONSTRAINT := constraints.txt

# Weights that the tests ask for; the store keeps what is there.
TEST_WEIGHTS := face_landmarker yunet sface bisenet_celebamask raft_things \
	lpips_vgg16 lpips_lin_vgg lpips_alexnet lpips_lin_alex inception_fid i3d_k400 \
	tddfa_v2 tddfa_mean_std bfm_noneck_v3 bfm_tri
# One process per core, each with single-threaded libraries: more threads than cores only slow each other down.
WORKERS ?= auto
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OPENCV_FOR_THREADS_NUM=1

# Real clips for the tests that want them; without the folder those tests skip and say so.
ifeq ($(FACELOOM_MEDIA)$(wildcard ../shared/media),../shared/media)
export FACELOOM_MEDIA := $(abspath ../shared/media)
endif

.PHONY: demo test lint clean

demo: $(VENV)/.installed
	$(BIN)/faceloom demo --overwrite

test: $(VENV)/.installed-test
	$(BIN)/faceloom weights pull $(TEST_WEIGHTS)
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(TESTS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Editable, so that a change in src needs no new installation; a change of what is required does.
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[torch,train,mesh,evaluate,test]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) demo.mp4 demo.png

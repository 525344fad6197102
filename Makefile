# On a fresh machine:
#   make demo    environment, install, and the main job: a training step of three models on the CPU and in every target's twin
#   make test    environment, install, ruff, mypy strict, pytest
#   make soak    long random testing, which `make test` has a sample of

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Folders of the repository and the packages that they are (pyproject.toml, package-dir).
ROOMS  := ir codegen backends ops conformance

# Hundreds of the tests' processes import the same modules: they read their bytecode, even where the caller wants none written.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak lint types pytest readme stubs packages environment clean

demo: environment
	$(BIN)/uol doctor
	$(BIN)/uol conform --path moe,cmap,resnet50 --quick

# The types are checked on a core that pytest leaves idle while it collects and ends.
test: lint
	@$(MAKE) --no-print-directory -j2 types pytest

lint: environment
	$(BIN)/ruff check .

types: environment build/typed
	MYPYPATH=build/typed $(BIN)/mypy --strict -p uol
	MYPYPATH=build/typed $(BIN)/mypy --strict tests/pytorch/typed/right_calls.py tests/pytorch/typed/wrong_calls.py

pytest: environment
	$(BIN)/python -m pytest

soak: environment
	$(BIN)/python -m pytest -m soak

# The README's console blocks, as the commands print them now.
readme: environment
	$(BIN)/python tests/cli/readme_blocks.py

# What a type checker sees of uol.ops, from PyTorch's signatures and the texts.
stubs: environment
	mkdir -p build
	$(BIN)/python -m uol.pytorch.stubs > build/operators.pyi
	mv build/operators.pyi ops/__init__.pyi
	$(BIN)/python -m uol.pytorch.stubs text > build/operators.pyi
	mv build/operators.pyi ops/text.pyi

environment: packages $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --quiet -e ".[dev]"
	touch $@

# What pip cannot bring: a C++ compiler for the twin, and hipcc for AMD's texts. As root on Debian they are installed;
# elsewhere `uol doctor` names what is missing and what that costs.
packages:
	@missing=""; \
	command -v g++   >/dev/null || missing="$$missing g++"; \
	command -v hipcc >/dev/null || missing="$$missing hipcc"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing \
	      || echo "could not install$$missing: see 'uol doctor'"; \
	  else \
	    echo "not found:$$missing (see 'uol doctor')"; \
	  fi; \
	fi

# A type checker sees the packages as folders: symlinks in the shape that the wheel has.
build/typed: FORCE
	@mkdir -p $@/uol
	@ln -sfn $(CURDIR)/uol/* $@/uol/
	@for room in $(ROOMS); do ln -sfn $(CURDIR)/$$room $@/uol/$$room; done
	@find $@ -xtype l -delete

FORCE:

clean:
	rm -rf $(VENV) build dist report .mypy_cache .ruff_cache .pytest_cache .hypothesis

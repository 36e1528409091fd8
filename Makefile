# Two commands to begin with: `make demo` and `make test`.
# A sourced ROS 2 is used; otherwise ROS 2 comes from PyPI into .venv (ROS_WHEELS=jazzy: .venv-jazzy).

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The ROS 2 beside the default one that the node tests run on, too.
OTHER_WHEELS := jazzy
NODE_TESTS := $(wildcard test/nodes test/ros test/launch)

SOURCE ?=
BOX ?=
PYTEST_ARGS ?=

ENTER := source tools/env.sh
# With PyTorch, which running the package does not need.
ENTER_ALL := MIXFORMER2_INSTALL=all source tools/env.sh
# Every test has a time limit of its own; this is for what even that cannot stop.
PYTEST := timeout --foreground --kill-after=30 1500 pytest

.PHONY: help build demo test test-nodes lint coverage shell clean

help:
	@echo "make demo                          follow a target through the real node, into out/demo.mp4"
	@echo "make demo SOURCE=video BOX=x,y,w,h the same on your own video file or image folder"
	@echo "make test                          all tests and checks (PYTEST_ARGS='-k name' for some)"
	@echo "make test-nodes                    the tests that need ROS 2 only"
	@echo "make build                         environment and colcon build only"
	@echo "make lint                          ruff and mypy"
	@echo "make coverage                      tests with a coverage report"
	@echo "make shell                         a shell inside the environment"
	@echo "make clean                         remove environments, builds and results"
	@echo
	@echo "source tools/env.sh                the environment in the shell you are in"
	@echo "ROS_WHEELS=jazzy make ...          ROS 2 Jazzy from PyPI instead of Kilted"
	@echo "PYTHON=python3.12 make ...         another Python"

build:
	@$(ENTER)

demo:
	@$(ENTER) && python -m mixformer2_ros.demo $(if $(SOURCE),--source "$(SOURCE)") $(if $(BOX),--box "$(BOX)")

# The wheels of the other distribution run the node tests again; a sourced ROS 2 is enough by itself.
test:
	@$(ENTER_ALL) && $(PYTEST) $(PYTEST_ARGS) && if [[ $$MIXFORMER2_ENV == kilted ]]; then \
	  $(MAKE) --no-print-directory test-nodes ROS_WHEELS=$(OTHER_WHEELS); \
	fi

test-nodes:
	@$(ENTER_ALL) && $(PYTEST) $(NODE_TESTS) $(PYTEST_ARGS)

lint:
	@$(ENTER_ALL) && ruff check . && ruff format --check . && mypy

coverage:
	@$(ENTER_ALL) && $(PYTEST) --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

shell:
	@$(ENTER) && exec bash -i

clean:
	rm -rf .venv .venv-* build out .pytest_cache .mypy_cache .ruff_cache .coverage

# The verbs of the repository. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help build quick test crash demo bench bench-db bench-readers lint fmt docs clean

JOBS ?= $(shell nproc)
N ?= 200

help:
	@echo "make build     install what is missing, build build/release/sluice"
	@echo "make quick     build what changed with sanitizers, run the tests of the modules that changed"
	@echo "make test      build and run every test; the last line counts them"
	@echo "make crash     kill it N times (make crash N=1000) and compare what was loaded"
	@echo "make demo      load 3 million flights and a dirty list of movies into DuckDB files"
	@echo "make bench     measure it beside raw DuckDB and print one table"
	@echo "make bench-db  measure it on PostgreSQL beside psql's COPY, and on S3 beside local files"
	@echo "make bench-readers  measure a load beside 50 readers of its DuckDB file"
	@echo "make lint      format, tidy, clang's thread safety, clang-tidy on changed files"
	@echo "make fmt       format every source file"
	@echo "make docs      check the links and the generated parts of the documents"
	@echo "make clean     remove what was built (not what was fetched)"

build:
	@scripts/setup
	@scripts/build release $(JOBS) sluice

quick:
	@scripts/quick

test:
	@scripts/setup test
	@scripts/build release $(JOBS)
	@scripts/test

crash:
	@scripts/setup test
	@scripts/build release $(JOBS) sluice
	@N=$(N) scripts/test crash

demo: build
	@scripts/demo

bench: build
	@bench/run

# The peers: bench/install_peers. The figures to aim by are of ROWS=10000000.
ROWS ?= 1000000
bench-db: build
	@scripts/setup test
	@bench/run_db --rows $(ROWS) $(if $(wildcard build/peers),--peers)
	@bench/run_s3

bench-readers: build
	@bench/run_readers

lint:
	@scripts/setup lint
	@scripts/lint

fmt:
	@scripts/setup lint
	@find src -name '*.cc' -o -name '*.h' | xargs clang-format -i

docs:
	@scripts/docs

clean:
	@rm -rf build

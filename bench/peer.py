"""One peer of bench/run_db --peers: the table `orders` into Parquet or DuckDB, as its documentation does it. Prints seconds
and the most memory; "skipped" where it cannot do that or is not installed."""
import resource
import shutil
import sys
import time
from pathlib import Path

NAME, WHAT, URI, FOLDER = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
QUERY = "SELECT * FROM orders"
OUT = FOLDER / f"peer.{WHAT}"


def keep(given):
    """An Arrow table or reader into the file."""
    if WHAT == "duckdb":
        import duckdb
        with duckdb.connect(str(OUT)) as database:
            database.execute("CREATE TABLE orders AS SELECT * FROM given")
        return
    import pyarrow.parquet
    with pyarrow.parquet.ParquetWriter(OUT, given.schema) as writer:
        for batch in given if hasattr(given, "read_next_batch") else given.to_batches():
            writer.write_batch(batch)


def polars():
    import polars as library
    rows = library.read_database_uri(QUERY, URI, engine="connectorx")
    if WHAT == "parquet":
        rows.write_parquet(OUT)
    else:
        keep(rows.to_arrow())


def connectorx():
    import connectorx as library
    keep(library.read_sql(URI, QUERY, return_type="arrow", partition_on="id", partition_num=2))


def adbc():
    from adbc_driver_postgresql import dbapi
    with dbapi.connect(URI) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        keep(cursor.fetch_record_batch())


def pandas():
    import pandas as library
    import pyarrow
    import sqlalchemy
    engine = sqlalchemy.create_engine(URI.replace("postgresql://", "postgresql+psycopg://"))
    keep(pyarrow.Table.from_pandas(library.read_sql(QUERY, engine)))


def dlt():
    import dlt as library
    from dlt.sources.sql_database import sql_table
    destination = (library.destinations.duckdb(str(OUT)) if WHAT == "duckdb"
                   else library.destinations.filesystem(bucket_url=str(OUT)))
    pipeline = library.pipeline("peer", destination=destination, dataset_name="copied", pipelines_dir=str(FOLDER / "dlt"))
    source = sql_table(credentials=URI.replace("postgresql://", "postgresql+psycopg://"), table="orders", backend="pyarrow")
    pipeline.run(source, write_disposition="replace", loader_file_format="parquet")


def main():
    if NAME == "duckdb":
        return "skipped: its reader of PostgreSQL is an extension that no package registry has"
    began = time.monotonic()
    try:
        {"polars": polars, "connectorx": connectorx, "adbc": adbc, "pandas": pandas, "dlt": dlt}[NAME]()
    except ImportError as error:
        return f"skipped: not installed ({error.name})"
    finally:
        shutil.rmtree(OUT, ignore_errors=True) if OUT.is_dir() else OUT.unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{time.monotonic() - began:7.2f} s {peak / 1e6:28.0f} MB"


if __name__ == "__main__":
    print(main())

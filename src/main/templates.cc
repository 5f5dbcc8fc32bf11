// See templates.h.
#include "main/templates.h"

namespace sluice {

namespace {

constexpr char kSettings[] = R"text(# What this project connects to. Keys: sluice connectors duckdb
project: {project}
connections:
  warehouse: { type: duckdb, path: warehouse.duckdb }
)text";

ProjectTemplate Hello() {
  return {
      .name = "hello",
      .summary = "three rows, one filter, one table",
      .files =
          {{"sluice.yml", kSettings},
           {"pipelines/hello.yml",
            R"text(# A pipeline is a map of steps in order; a step is one verb and reads the step above.
pipeline: hello
description: The smallest pipeline there is.
steps:
  people:
    extract:
      from: inline
      columns: { id: bigint, name: varchar, born: date }
      rows:
        - { id: 1, name: Ada, born: 1815-12-10 }
        - { id: 2, name: Grace, born: 1906-12-09 }
        - { id: 3, name: Edsger, born: 1930-05-11 }
  modern:  { filter: "born >= DATE '1900-01-01'" }
  greeted: { derive: { greeting: "'Hello, ' || name || '!'" } }
  loaded:  { load: { into: warehouse, table: greetings, mode: upsert, key: id } }
)text"},
           {"tests/hello.test", R"text(# Whoever was born before 1900 is not greeted.
pipeline
  steps:
    people:  { extract: { from: inline, columns: { id: bigint, name: varchar, born: date }, rows: [{ id: 1, name: Ada, born: 1815-12-10 }, { id: 2, name: Grace, born: 1906-12-09 }] } }
    modern:  { filter: "born >= DATE '1900-01-01'" }
    greeted: { derive: { greeting: "'Hello, ' || name || '!'" } }
    loaded:  { load: { into: warehouse, table: greetings, mode: upsert, key: id } }
expect greetings
  {"id": 2, "name": "Grace", "born": "1906-12-09", "greeting": "Hello, Grace!"}
)text"}},
      .run = "sluice run hello",
      .then = "sluice query \"SELECT * FROM greetings\""};
}

ProjectTemplate CsvToWarehouse() {
  return {
      .name = "csv-to-warehouse",
      .summary = "daily files, bad rows kept, one table of results",
      .files =
          {{"sluice.yml", kSettings},
           {"data/orders_2026-11-19.csv", R"text(id,customer,country,amount,ordered_at
1,Ada,GB,12.50,2026-11-19 09:15:00
2,Grace,US,80.00,2026-11-19 10:02:00
3,Edsger,NL,7.25,2026-11-19 17:40:00
)text"},
           {"data/orders_2026-11-20.csv", R"text(id,customer,country,amount,ordered_at
4,Barbara,US,19.90,2026-11-20 08:00:00
5,Tony,GB,not a number,2026-11-20 11:30:00
6,Ada,GB,3.10,2026-11-20 12:45:00
)text"},
           {"pipelines/orders.yml",
            R"text(# Each file is loaded once; run it again and nothing happens. New files in data/ are loaded by the next run.
# Order 5 has no amount: it becomes a dead letter, the others are loaded (sluice dead-letters list).
pipeline: orders
description: Orders from daily files, typed and checked.
on_row_error: reject
steps:
  files:
    extract:
      from: file
      path: data/orders_*.csv
      columns: { id: bigint, customer: varchar, country: varchar, amount: varchar, ordered_at: timestamp }
  typed:
    map:
      id: id
      customer: trim(customer)
      country: lower(country)
      amount: CAST(amount AS DECIMAL(12, 2))
      day: CAST(ordered_at AS date)
  loaded: { load: { into: warehouse, table: orders, mode: upsert, key: id } }
)text"},
           {"pipelines/revenue.yml", R"text(# Reads the table that the pipeline `orders` loads.
pipeline: revenue
description: Revenue by day and country.
steps:
  orders:     { extract: { from: warehouse, table: orders } }
  by_country: { aggregate: { by: [day, country], select: { revenue: sum(amount), orders: count(*) } } }
  loaded:     { load: { into: warehouse, table: revenue, mode: overwrite } }
)text"},
           {"tests/orders.test",
            R"text(# An amount that is no number is a dead letter; its neighbours are loaded.
file data/orders_1.csv
  id,amount
  1,2.50
  2,many
pipeline
  on_row_error: reject
  steps:
    files:  { extract: { from: file, path: "data/orders_*.csv", columns: { id: bigint, amount: varchar } } }
    typed:  { map: { id: id, amount: "CAST(amount AS DECIMAL(12, 2))" } }
    loaded: { load: { into: warehouse, table: orders, mode: upsert, key: id } }
expect orders
  {"id": 1, "amount": 2.5}
expect dead-letters
  {"step": "typed", "code": "cast"}
)text"}},
      .run = "sluice run orders",
      .then = "sluice dead-letters list, then sluice run revenue"};
}

ProjectTemplate Stream() {
  return {
      .name = "stream",
      .summary = "events out of order, one-minute windows by event time",
      .files =
          {{"sluice.yml", kSettings},
           {"pipelines/per_minute.yml",
            R"text(# Events come from a generator: 3 partitions, up to 20 s out of order. Take `count` away and it never ends:
# that is a stream, and nothing else in this file changes.
pipeline: per_minute
description: Events per minute and key, by the time at which they happened.
epoch: { max_rows: 2000 }
steps:
  events:
    extract:
      from: generator
      count: 10000
      partitions: 3
      keys: 5
      every: 100ms
      disorder: 20s
      event_time: ts
      out_of_order: 20s
  per_minute: { window: { tumbling: 1m, by: key, select: { events: count(*), total: sum(value) } } }
  loaded:     { load: { into: warehouse, table: per_minute, mode: upsert, key: [window_start, key] } }
)text"},
           {"tests/per_minute.test",
            R"text(# A window closes when the watermark has passed it; the last ones close at the end of the input.
pipeline
  steps:
    events:
      extract:
        from: inline
        columns: { key: bigint, ts: timestamp }
        rows:
          - { key: 1, ts: 2026-01-01 00:00:10 }
          - { key: 1, ts: 2026-01-01 00:01:05 }
          - { key: 1, ts: 2026-01-01 00:00:50 }
        event_time: ts
        out_of_order: 30s
    per_minute: { window: { tumbling: 1m, by: key, select: { events: count(*) } } }
    loaded:     { load: { into: warehouse, table: per_minute, mode: upsert, key: [window_start, key] } }
expect per_minute
  {"window_start": "2026-01-01 00:00:00", "window_end": "2026-01-01 00:01:00", "key": 1, "events": 2}
  {"window_start": "2026-01-01 00:01:00", "window_end": "2026-01-01 00:02:00", "key": 1, "events": 1}
)text"}},
      .run = "sluice run per_minute",
      .then =
          "sluice query \"SELECT window_start, sum(events) FROM per_minute GROUP BY 1 ORDER BY "
          "1\""};
}

}  // namespace

std::vector<ProjectTemplate> ProjectTemplates() { return {Hello(), CsvToWarehouse(), Stream()}; }

}  // namespace sluice

#!/usr/bin/env bash
# Runs every example under examples/patterns through the real command line, in a copy, and asserts what it left.
# SLUICE names the binary (default build/release/sluice); with words only the examples whose names contain one of them.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
SLUICE=$(realpath "${SLUICE:-$here/build/release/sluice}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 example=

pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); printf 'FAILED %s: %s\n' "$example" "$1"; }
equal() { if [ "$2" == "$3" ]; then pass; else fail "$1"$'\n  - '"$3"$'\n  + '"$2"; fi; }
has() { if [[ "$2" == *"$3"* ]]; then pass; else fail "$1: '$3' does not occur in:"$'\n'"$2"; fi; }

# run CODE PIPELINE WORDS…: a run, its exit code, and its words in $said.
run() {
  local code=$1
  shift
  said=$("$SLUICE" run "$@" 2>&1)
  local got=$?
  if [ "$got" == "$code" ]; then pass; else fail "exit code of run $*: $got, not $code"$'\n'"$said"; fi
}
# rows TABLE [COLUMNS]: its rows as CSV without a header, sorted, by `sluice copy` into a file of its own.
rows() {
  local csv=$work/rows/$BASHPID.csv
  mkdir -p "$work/rows"
  "$SLUICE" copy "warehouse.duckdb:$1" "$csv" ${2:+--select "$2"} >"$work/copy.log" 2>&1 || cat "$work/copy.log"
  [ -f "$csv" ] && tail -n +2 "$csv" | sort
}
begin() { example=$1; mkdir -p "$work/$1"; cp -r "$here/examples/patterns/$1/." "$work/$1"; cd "$work/$1" || exit 1; }
sluice() { "$SLUICE" "$@"; }
# The commands of its README, in their order, as a reader types them in a fresh copy. Those of a1 and d1 need a server.
as_written() {
  [[ "$1" == a1_* || "$1" == d1_* ]] && return
  mkdir -p "$work/written/$1" && cp -r "$here/examples/patterns/$1/." "$work/written/$1" && cd "$work/written/$1" || exit 1
  local command code typed=0
  while read -r command; do
    said=$(eval "$command" 2>&1 </dev/null)
    code=$?
    typed=$((typed + 1))
    if [ $code == 0 ] || [ $code == 3 ]; then pass; else fail "README: '$command' exits with $code"$'\n'"$said"; fi
  done < <(sed -n 's/^    \(sluice [^#]*\).*/\1/p' README.md)
  [ $typed -gt 0 ] || fail "its README shows no command"
}
own_tests() { out=$("$SLUICE" test tests 2>&1) && pass || fail "its own tests"$'\n'"$out"; }

p1_partition_replacement() {
  run 0 raw_orders
  run 0 daily_revenue --date 2025-06-01
  run 0 daily_revenue --date 2025-06-02
  local both=$'2025-06-01,books,20.00,2\n2025-06-01,games,30.00,1\n2025-06-02,books,5.25,1\n2025-06-02,games,15.00,1'
  equal "two days" "$(rows analytics.daily_revenue)" "$both"
  run 0 daily_revenue --date 2025-06-01
  run 0 daily_revenue --date 2025-06-01 --again
  equal "run again" "$(rows analytics.daily_revenue)" "$both"
  sed -i 's/^1,2025-06-01,10,books,12.50/1,2025-06-01,10,books,2.50/; /^3,/d' data/orders.csv
  rm -rf .sluice warehouse.duckdb
  run 0 raw_orders
  run 0 daily_revenue --date 2025-06-01
  equal "other orders, another warehouse" "$(rows analytics.daily_revenue)" "2025-06-01,books,10.00,2"
}

# The pipeline on S3 is run by s3_test.py.
d8_parallel_objects() {
  run 0 local
  equal "a file each" "$(ls processed)" $'2026-01-01.parquet\n2026-01-02.parquet\n2026-01-03.parquet'
  "$SLUICE" copy 'processed/*.parquet' all.csv >/dev/null 2>&1
  equal "cleansed" "$(tail -n +2 all.csv | cut -d, -f1-3 | sort)" $'1,ann,12.50\n3,cem,7.25\n4,dee,1.00\n5,eve,99.99'
  run 0 local
  has "a second run" "$said" "already loaded"
  printf 'id,customer,amount,at\n6,fay,3,2026-01-04 08:00:00\n' >data/daily-exports/2026-01-04.csv
  run 0 local
  equal "a new file" "$(ls processed | wc -l)" 4
}

# What needs a database server is run by examples_servers_test.py: these two, and others with --env postgres.
a1_daily_sales() { :; }
d1_etl() { :; }

p2_merge() {
  run 0 raw_orders
  run 0 customer_metrics --date 2025-06-01
  equal "the first day" "$(rows analytics.customer_metrics)" $'10,2,42.50,2025-06-01\n11,1,7.50,2025-06-01'
  run 0 customer_metrics --date 2025-06-02 --output json
  has "one updated" "$said" '"updated":1'
  has "one inserted" "$said" '"inserted":1'
  local merged=$'10,1,5.25,2025-06-02\n11,1,7.50,2025-06-01\n12,1,15.00,2025-06-02'
  equal "merged" "$(rows analytics.customer_metrics)" "$merged"
  run 0 customer_metrics --date 2025-06-02 --again
  equal "merged again" "$(rows analytics.customer_metrics)" "$merged"
}

p4_backfill() {
  for day in 2025-06-03 2025-06-01 2025-06-02; do run 0 daily_revenue --date $day; done
  local all=$'2025-06-01,11,2\n2025-06-02,22,2\n2025-06-03,33,2'
  equal "three days" "$(rows daily_revenue)" "$all"
  for day in 2025-06-01 2025-06-02 2025-06-03; do
    run 0 daily_revenue --date $day
    has "$day was done" "$said" "already loaded"
  done
  equal "three days, twice" "$(rows daily_revenue)" "$all"
  sed -i 's/^3,2025-06-02,20/3,2025-06-02,200/' data/2025-06-02.csv
  run 0 daily_revenue --date 2025-06-02 --again
  equal "one day, corrected" "$(rows daily_revenue)" $'2025-06-01,11,2\n2025-06-02,202,2\n2025-06-03,33,2'
  run 1 daily_revenue --date 2025-06-09
  has "a day without a file" "$said" "data/2025-06-09.csv"
  equal "after a failed day" "$(rows daily_revenue | wc -l)" 3
}

p11_at_least_once() {
  run 0 events
  local events=$'e1,5\ne2,7\ne3,2'
  equal "each event once" "$(rows events event_id,amount)" "$events"
  run 0 events
  has "a second run" "$said" "already loaded"
  cp data/events-1.ndjson data/events-3.ndjson
  run 0 events
  equal "a whole file delivered again" "$(rows events event_id,amount)" "$events"
}

p10_backoff() {
  run 3 taxes
  equal "three tries" "$(cat tries)" "..."
  equal "taxed" "$(rows taxed)" $'1,DE,12.50,2.38\n3,FR,30.00,6.00'
  has "the first try" "$("$SLUICE" logs 2>&1)" "try 1 of 4 failed"
  has "the dead letter" "$("$SLUICE" dead-letters list 2>&1)" "KeyError: 'XX' (functions/rates.py:"
}

a6_idempotent_load() {
  run 0 load_sales --date 2025-06-01
  local first
  first=$(rows daily_sales)
  equal "loaded" "$first" $'2025-06-01,books,20.00,2\n2025-06-01,games,30.00,1'
  run 0 load_sales --date 2025-06-01
  has "the second run" "$said" "already loaded"
  equal "the second run" "$(rows daily_sales)" "$first"
  run 0 load_sales --date 2025-06-01 --again
  equal "--again" "$(rows daily_sales)" "$first"
}

d4_load_modes() {
  for mode in insert upsert replace; do run 3 $mode; done
  for table in inserted upserted replaced; do equal "$table" "$(rows $table)" $'1,Ann,41\n3,Cem,29'; done
  has "the dead letter" "$("$SLUICE" dead-letters list 2>&1)" "age: 'unknown' is not a valid INTEGER"
  printf 'id,name,age\n3,Can,30\n4,Dee,18\n' >data/customers-2.csv
  run 1 insert
  has "the key that is there" "$said" "3"
  equal "nothing of a refused insert" "$(rows inserted)" $'1,Ann,41\n3,Cem,29'
  for mode in upsert replace; do run 0 $mode; done
  for table in upserted replaced; do equal "$table, second file" "$(rows $table)" $'1,Ann,41\n3,Can,30\n4,Dee,18'; done
  run 3 files
  equal "the csv file" "$(head -1 out/customers.csv; tail -n +2 out/customers.csv | sort)" $'id,name,age\n1,Ann,41\n3,Can,30\n3,Cem,29\n4,Dee,18'
  "$SLUICE" copy 'out/lake/*.parquet' lake.csv >/dev/null 2>&1
  equal "the Parquet files" "$(tail -n +2 lake.csv | sort)" $'1,Ann,41\n3,Can,30\n3,Cem,29\n4,Dee,18'
}

d3_transforms() {
  run 0 sales --output json
  has "rows of the filter" "$said" '"name":"paid","verb":"filter","rows_in":5,"rows_out":4,"filtered":1'
  has "rows of the aggregate" "$said" '"name":"by_country","verb":"aggregate","rows_in":4,"rows_out":3'
  equal "by country and segment" "$(rows sales)" \
    $'de,gold,42.50,21.25,12.50,30.00,2,1\nde,none,5.00,5.0,5.00,5.00,1,1\nfr,silver,7.50,7.5,7.50,7.50,1,1'
  run 0 enriched --output json
  has "rows of the function" "$said" '"name":"initials","verb":"function","rows_in":2,"rows_out":2'
  equal "by a function" "$(rows enriched customer_id,initial,score)" $'10,G,2\n11,S,1'
  printf 'def initial(row):\n    raise SystemExit(3)\n' >functions/initial.py
  run 3 enriched --again
  has "not required" "$said" "step initials was skipped"
  equal "without it" "$(rows enriched customer_id,initial,score)" $'10,,2\n11,,1'
}

p3_append_dedupe() {
  run 0 events
  equal "the log" "$(rows raw.events_log event_id | wc -l)" 3
  equal "the view" "$("$SLUICE" query "SELECT event_id, event_data FROM analytics.events ORDER BY 1" --output csv)" \
    $'event_id,event_data\ne1,"one, corrected"\ne2,two'
  printf '{"event_id": "e2", "event_data": "two, again", "processed_at": "2025-06-02 10:00:00"}\n' >data/2.ndjson
  run 0 events
  has "a newer row" "$("$SLUICE" query "SELECT event_data FROM analytics.events WHERE event_id = 'e2'")" "two, again"
  equal "the log grows" "$(rows raw.events_log event_id | wc -l)" 4
}

a11_elt() {
  run 0 etl
  run 0 elt
  local sales=$'books,2000,2\ngames,3000,1'
  equal "transformed on the way" "$(rows etl_sales)" "$sales"
  equal "transformed inside" "$(rows elt_sales)" "$sales"
  equal "the view" "$("$SLUICE" query "SELECT id FROM big_orders ORDER BY 1" --output csv)" $'id\n1\n3'
  printf 'id,category,amount\n4,games,40\n' >data/orders.csv
  run 0 elt
  equal "run again" "$(rows elt_sales)" $'books,2000,2\ngames,7000,2'
  has "macros in a query" "$("$SLUICE" query "SELECT cents(1.5) AS c" --output csv)" "150"
}

s14_degradation() {
  touch gone
  run 3 customers --output json
  has "its status" "$said" '"status":"partial"'
  has "its output" "$said" '"output":{"status":"partial","loaded":2,"segments":"fallback"}'
  has "the optional source" "$said" "step ratings was skipped"
  has "the fallback" "$said" "step segments read its fallback"
  has "the optional step" "$said" "step scored was skipped"
  has "the optional load" "$said" "step partner was skipped"
  equal "what there is" "$(rows customers id,name,rating,segment,score)" $'1,Ann,,gold,\n2,Bob,,,'
  rm gone
  printf '{"id": 1, "rating": 4.5}\n' >data/ratings.ndjson
  cp data/segments-last-week.ndjson data/segments.ndjson
  printf 'def score(row):\n    return {**row, "score": 1.0}\n' >functions/score.py
  run 0 customers
  equal "all of it" "$(rows customers id,name,rating,segment,score)" $'1,Ann,4.5,gold,1.0\n2,Bob,,,1.0'
  equal "the partner's copy" "$(wc -l <gone/customers.csv)" 3
}

a2_dynamic_pipelines() {
  run 0 etl_orders
  equal "one of them" "$(rows raw_orders id,amount,source)" "2,7.5,orders"
  run 0 all
  has "all of them" "$said" "of etl_returns succeeded"
  equal "the other" "$(rows raw_returns id,amount,source)" "2,1,returns"
  out=$("$SLUICE" check 2>&1) && pass || fail "check"$'\n'"$out"
}

s5_incremental_sync() {
  run 0 sync --output json
  has "the first run" "$said" '"output":{"new":2,"updated":0,"unchanged":0,"any":true}'
  printf '{"id": 2, "name": "Bobby", "updated_at": "2025-06-01 11:00:00"}\n{"id": 3, "name": "Cem", "updated_at": "2025-06-01 11:00:00"}\n' >data/2.ndjson
  run 0 sync --output json
  has "what changed" "$said" '"new":1'
  has "what was there" "$said" '"updated":1'
  equal "the newest of each" "$(rows customers id,name)" $'1,Ann\n2,Bobby\n3,Cem'
  has "its schema" "$("$SLUICE" schema --output sync)" '"new"'
}

d2_extract() {
  run 0 crm
  run 0 database
  has "the whole table at first" "$said" "upsert         3        0        0"
  printf '{"id": 2, "name": "Rob", "updated_at": "2026-03-02T00:00:00"}\n' >data/customers2.ndjson
  run 0 crm
  run 0 database
  has "then what changed" "$said" "upsert         0        1        0"
  equal "customers" "$(rows customers id,name)" $'1,Ann\n2,Rob\n3,Cem'
  run 0 archive
  run 0 files --output json
  for step in csv:2 json:2 parquet:1; do
    has "rows of $step" "$said" "\"name\":\"${step%:*}\",\"verb\":\"extract\",\"rows_in\":${step#*:}"
  done
  equal "of three formats" "$(rows orders id,customer,amount)" $'1,1,12.50\n2,2,7.25\n3,3,99.99\n4,1,5.00\n5,2,1.75'
  run 0 database
  has "nothing new" "$said" "already loaded"
}

for folder in "$here"/examples/patterns/*/; do
  name=$(basename "$folder")
  if [ $# -gt 0 ]; then
    wanted=
    for word in "$@"; do [[ "$name" == *"$word"* ]] && wanted=1; done
    [ -n "$wanted" ] || continue
  fi
  begin "$name"
  if declare -F "$name" >/dev/null; then "$name"; else fail "no outcome is asserted for it in test/e2e/examples.sh"; fi
  own_tests
  as_written "$name"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" == 0 ]

/* Runs SQL in DuckDB through its C API and nothing else: what the benchmarks compare with, and how the crash and
 * end-to-end tests look into a warehouse without sluice.
 *
 *   raw_duckdb [-r] [-s] [-t THREADS] [-m MEMORY] DATABASE SQL...
 *
 * DATABASE is a file or :memory:. -r opens it read-only. Every argument after it is run in order; the rows of the last
 * one go to standard output, tab-separated, NULL as \N. -s prints the seconds of each statement to standard error. The
 * argument "-" stands for standard input. Exit code 1 and DuckDB's message on an error. */
#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_rows(duckdb_result *result) {
  idx_t columns = duckdb_column_count(result), rows = duckdb_row_count(result);
  for (idx_t row = 0; row < rows; ++row) {
    for (idx_t column = 0; column < columns; ++column) {
      if (column > 0) putchar('\t');
      char *text = duckdb_value_is_null(result, column, row) ? NULL : duckdb_value_varchar(result, column, row);
      if (!text) fputs("\\N", stdout);
      for (char *c = text; c && *c; ++c) {
        if (*c == '\t') fputs("\\t", stdout);
        else if (*c == '\n') fputs("\\n", stdout);
        else if (*c == '\\') fputs("\\\\", stdout);
        else putchar(*c);
      }
      duckdb_free(text);
    }
    putchar('\n');
  }
}

static char *read_all(FILE *file) {
  size_t size = 0, room = 1 << 16;
  char *text = malloc(room);
  while (text) {
    size_t got = fread(text + size, 1, room - size - 1, file);
    if (got == 0) break;
    size += got;
    if (room - size < 2) text = realloc(text, room *= 2);
  }
  if (text) text[size] = 0;
  return text;
}

int main(int argc, char **argv) {
  duckdb_config config;
  duckdb_create_config(&config);
  int option, seconds = 0;
  while ((option = getopt(argc, argv, "rst:m:")) != -1) {
    if (option == 'r') duckdb_set_config(config, "access_mode", "READ_ONLY");
    else if (option == 's') seconds = 1;
    else if (option == 't') duckdb_set_config(config, "threads", optarg);
    else if (option == 'm') duckdb_set_config(config, "memory_limit", optarg);
    else return 2;
  }
  if (argc - optind < 2) {
    fprintf(stderr, "usage: raw_duckdb [-r] [-s] [-t THREADS] [-m MEMORY] DATABASE SQL...\n");
    return 2;
  }
  duckdb_database database;
  duckdb_connection connection;
  char *error = NULL;
  if (duckdb_open_ext(argv[optind], &database, config, &error) != DuckDBSuccess) {
    fprintf(stderr, "raw_duckdb: %s\n", error ? error : "cannot open");
    return 1;
  }
  if (duckdb_connect(database, &connection) != DuckDBSuccess) return 1;
  for (int i = optind + 1; i < argc; ++i) {
    duckdb_result result;
    double began = now();
    char *text = strcmp(argv[i], "-") == 0 ? read_all(stdin) : argv[i];
    if (duckdb_query(connection, text, &result) != DuckDBSuccess) {
      fprintf(stderr, "raw_duckdb: %s\n", duckdb_result_error(&result));
      return 1;
    }
    if (seconds) fprintf(stderr, "%.6f\n", now() - began);
    if (i + 1 == argc) print_rows(&result);
    duckdb_destroy_result(&result);
    if (text != argv[i]) free(text);
  }
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  duckdb_destroy_config(&config);
  return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

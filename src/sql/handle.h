// Owners of what DuckDB's C API hands out: each frees its handle once, as the API asks.
#pragma once

#include <utility>

#include "sql/duckdb_1_5.h"

namespace sluice::sql {

template <class T, void (*Free)(T*)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (handle_ != nullptr) Free(&handle_);
  }

  T get() const { return handle_; }
  T* out() { return &handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  T handle_ = nullptr;
};

using InstanceHandle = Handle<duckdb_database, duckdb_close>;
using ConnectionHandle = Handle<duckdb_connection, duckdb_disconnect>;
using ConfigHandle = Handle<duckdb_config, duckdb_destroy_config>;
using StatementHandle = Handle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using StatementsHandle = Handle<duckdb_extracted_statements, duckdb_destroy_extracted>;
using TypeHandle = Handle<duckdb_logical_type, duckdb_destroy_logical_type>;
using ValueHandle = Handle<duckdb_value, duckdb_destroy_value>;
using ChunkHandle = Handle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using TableFunctionHandle = Handle<duckdb_table_function, duckdb_destroy_table_function>;
using TableDescriptionHandle = Handle<duckdb_table_description, duckdb_table_description_destroy>;
using ScalarFunctionHandle = Handle<duckdb_scalar_function, duckdb_destroy_scalar_function>;

class ResultHandle {
 public:
  ResultHandle() = default;
  ResultHandle(ResultHandle&& other) noexcept : result_(std::exchange(other.result_, {})) {}
  ResultHandle& operator=(ResultHandle&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }
  ~ResultHandle() { duckdb_destroy_result(&result_); }

  duckdb_result& get() { return result_; }
  duckdb_result* out() { return &result_; }

 private:
  duckdb_result result_{};
};

// A text that DuckDB allocated.
class TextHandle {
 public:
  explicit TextHandle(char* text) : text_(text) {}
  TextHandle(const TextHandle&) = delete;
  TextHandle& operator=(const TextHandle&) = delete;
  ~TextHandle() { duckdb_free(text_); }
  const char* get() const { return text_ == nullptr ? "" : text_; }

 private:
  char* text_;
};

}  // namespace sluice::sql

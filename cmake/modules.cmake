# A module is a folder of src/. In the order of the list a module may use those before it, never those after: here the
# linker enforces it, test/tidy checks the includes. A folder without .cc files gives no target.

set(SLUICE_MODULES
  base data calendar relation spec sql format connector transform quality ledger pipeline engine harness schedule
  server main)

# What a module needs from outside beyond fmt and JSON.
set(SLUICE_USES_base spdlog::spdlog PkgConfig::sodium CURL::libcurl Threads::Threads)
set(SLUICE_USES_calendar date::date date::date-tz)
set(SLUICE_USES_sql duckdb)
set(SLUICE_USES_format simdjson::simdjson PkgConfig::zstd PkgConfig::snappy ZLIB::ZLIB)
set(SLUICE_USES_connector PostgreSQL::PostgreSQL PkgConfig::mariadb SQLite::SQLite3 OpenSSL::Crypto pugixml::pugixml)
set(SLUICE_USES_ledger SQLite::SQLite3)
set(SLUICE_USES_pipeline yaml-cpp::yaml-cpp)
set(SLUICE_USES_main CLI11::CLI11)

# What a module's tests include besides. Not spdlog or simdjson: their targets add definitions, and the precompiled
# header serves only test binaries that are compiled alike.
set(SLUICE_TEST_USES_sql duckdb)
set(SLUICE_TEST_USES_format PkgConfig::avro)

file(WRITE ${CMAKE_BINARY_DIR}/generated/sluice_version.h.new
"// The release's version, from CMakeLists.txt.
#pragma once

inline constexpr const char* kSluiceVersion = \"${PROJECT_VERSION}\";
")
file(COPY_FILE ${CMAKE_BINARY_DIR}/generated/sluice_version.h.new
     ${CMAKE_BINARY_DIR}/generated/sluice_version.h ONLY_IF_DIFFERENT)

function(sluice_library module)
  sluice_undelayed(uses ${SLUICE_USES_${module}})
  add_library(sluice_${module} STATIC ${ARGN})
  target_include_directories(sluice_${module} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_include_directories(sluice_${module} PRIVATE ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(sluice_${module} PUBLIC ${SLUICE_ABOVE} fmt::fmt nlohmann_json::nlohmann_json
                                         PRIVATE ${uses})
endfunction()

# One binary of all tests of a module. It runs in the repository's root, so tests name their inputs from there.
function(sluice_test module)
  add_executable(${module}_test ${ARGN})
  target_link_libraries(${module}_test PRIVATE ${SLUICE_ABOVE} ${SLUICE_TEST_USES_${module}} fmt::fmt
                        nlohmann_json::nlohmann_json GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${module}_test PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
  sluice_precompile(${module}_test)
  add_test(NAME ${module}_test COMMAND ${module}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

# The first test binary makes the precompiled header, the others use it.
function(sluice_precompile target)
  get_property(owner GLOBAL PROPERTY SLUICE_PRECOMPILED)
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/test_pch.h)
    set_property(GLOBAL PROPERTY SLUICE_PRECOMPILED ${target})
  endif()
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endfunction()

function(sluice_modules)
  set(SLUICE_ABOVE "")
  foreach(module ${SLUICE_MODULES})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${module}/*.cc)
    set(tests ${sources})
    list(FILTER tests INCLUDE REGEX "_test\\.cc$")
    list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
    list(FILTER sources EXCLUDE REGEX "/src/main/main\\.cc$")
    if(sources)
      sluice_library(${module} ${sources})
      list(APPEND SLUICE_ABOVE sluice_${module})
    endif()
    if(tests)
      sluice_test(${module} ${tests})
    endif()
  endforeach()
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/main/main.cc)
    add_executable(sluice ${CMAKE_SOURCE_DIR}/src/main/main.cc)
    target_include_directories(sluice PRIVATE ${CMAKE_BINARY_DIR}/generated)
    target_link_libraries(sluice PRIVATE ${SLUICE_ABOVE})
    sluice_delay_load(sluice "${SLUICE_ABOVE}")
    # Measured by bench/run, which builds it.
    add_executable(one_row_runs EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/one_row_runs.cc)
    target_link_libraries(one_row_runs PRIVATE ${SLUICE_ABOVE})
  endif()
endfunction()

# The imported target `duckdb`: the official library from npm and its C header, both fetched and checked by
# scripts/setup into third_party/duckdb. The library is linked into the build folder, beside the binaries that load it.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(sluice_duckdb_arch arm64)
else()
  set(sluice_duckdb_arch x64)
endif()
set(sluice_duckdb_folder ${CMAKE_SOURCE_DIR}/third_party/duckdb)
set(SLUICE_DUCKDB_LIBRARY
    ${sluice_duckdb_folder}/node_modules/@duckdb/node-bindings-linux-${sluice_duckdb_arch}/libduckdb.so
    CACHE FILEPATH "libduckdb.so, 1.5 or newer")
set(SLUICE_DUCKDB_INCLUDE ${sluice_duckdb_folder}/include CACHE PATH "The folder of duckdb.h")

foreach(path ${SLUICE_DUCKDB_LIBRARY} ${SLUICE_DUCKDB_INCLUDE}/duckdb.h)
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "DuckDB is missing: ${path}\nRun scripts/setup, which fetches it.")
  endif()
endforeach()

file(CREATE_LINK ${SLUICE_DUCKDB_LIBRARY} ${CMAKE_BINARY_DIR}/libduckdb.so COPY_ON_ERROR)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${SLUICE_DUCKDB_LIBRARY} ${sluice_duckdb_folder}/package-lock.json)

add_library(duckdb SHARED IMPORTED GLOBAL)
set_target_properties(duckdb PROPERTIES
  IMPORTED_LOCATION ${CMAKE_BINARY_DIR}/libduckdb.so
  IMPORTED_SONAME libduckdb.so
  INTERFACE_INCLUDE_DIRECTORIES ${SLUICE_DUCKDB_INCLUDE})

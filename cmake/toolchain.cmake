# How everything is compiled and linked. The flags are the same for every target, so that the tests can share one
# precompiled header; a target adds definitions of its own only in its .cc files.

set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=…; empty for none")

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -fPIE -fno-omit-frame-pointer)
add_compile_options($<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
# g++ 12 warns of overlaps inside its own std::string (its bug 105651).
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# Warnings are errors with the compiler that CI runs. A newer one knows warnings that nobody here has seen: it says them
# and builds.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  set(sluice_werror OFF)
else()
  set(sluice_werror ON)
endif()
option(SLUICE_WERROR "Warnings are errors" ${sluice_werror})
if(SLUICE_WERROR)
  add_compile_options(-Werror)
endif()
add_link_options(-pie)
add_compile_definitions(DUCKDB_API_NO_DEPRECATED)

# Line tables only: whole debug information is a quarter of the compile time (`set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")` for a
# debugger).
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "" FORCE)

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE})
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
  if(SLUICE_SANITIZE MATCHES "undefined")
    # Left out is what AddressSanitizer finds as well, at half the compile time: null, vptr, object-size.
    add_compile_options(-fno-sanitize-recover=undefined -fno-sanitize=null,vptr,object-size)
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  # Under sanitizers g++ 12 sees this where it is not, also inside its own library.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
else()
  # Assertions of the standard library stay on in release: an index out of range ends the process, it does not read on.
  add_compile_options("$<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3;-D_GLIBCXX_ASSERTIONS>")
  add_compile_options("$<$<CONFIG:Release>:-fstack-protector-strong>")
  add_link_options("$<$<CONFIG:Release>:LINKER:-z,relro,-z,now,-z,noexecstack>")
endif()

# The binaries find libduckdb.so beside themselves, wherever the folder is moved.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN")

find_program(SLUICE_LLD NAMES ld.lld)
if(SLUICE_LLD)
  add_link_options(-fuse-ld=lld)
endif()

find_program(SLUICE_CCACHE NAMES ccache)
if(SLUICE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=1
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${SLUICE_CCACHE})
endif()

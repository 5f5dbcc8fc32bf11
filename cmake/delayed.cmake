# Libraries that a binary opens at its first call of one of their functions (src/base/delayed.h), because loading them
# takes several times as long as `sluice --version` may: libduckdb 10 ms, libcurl with the thirty it needs, libpq and
# libmariadb 4 ms each. The sources know nothing of it: cmake/write_trampolines.cmake writes each such function as a jump.
#
# The linker is not given these libraries at all, so a function that has no trampoline is an undefined symbol.

if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|aarch64)$" AND NOT SLUICE_SANITIZE
   AND CMAKE_BUILD_TYPE STREQUAL "Release")
  set(sluice_can_delay ON)
else()
  set(sluice_can_delay OFF)
endif()
option(SLUICE_DELAY_LOAD "sluice opens large libraries when it first needs them" ${sluice_can_delay})
if(SLUICE_DELAY_LOAD)
  enable_language(ASM)
endif()

set(SLUICE_DELAYED duckdb CURL::libcurl PostgreSQL::PostgreSQL PkgConfig::mariadb OpenSSL::Crypto)

# The files of SLUICE_DELAYED.
function(sluice_delayed_files out)
  set(files "")
  foreach(library ${SLUICE_DELAYED})
    get_target_property(type ${library} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")  # of pkg-config
      get_target_property(file ${library} INTERFACE_LINK_LIBRARIES)
      list(APPEND files ${file})
    else()
      list(APPEND files $<TARGET_FILE:${library}>)
    endif()
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# What a module links, each library that may be delayed only where the binary does not delay it.
function(sluice_undelayed out)
  set(libraries "")
  foreach(library ${ARGN})
    if(library IN_LIST SLUICE_DELAYED)
      set(library $<$<NOT:$<BOOL:$<TARGET_PROPERTY:SLUICE_DELAYS>>>:${library}>)
    endif()
    list(APPEND libraries ${library})
  endforeach()
  set(${out} ${libraries} PARENT_SCOPE)
endfunction()

# `modules`: the static libraries that the binary is made of.
function(sluice_delay_load target modules)
  if(NOT SLUICE_DELAY_LOAD)
    return()
  endif()
  sluice_delayed_files(libraries)
  set(archives "")
  foreach(module ${modules})
    list(APPEND archives $<TARGET_FILE:${module}>)
  endforeach()
  set(trampolines ${CMAKE_BINARY_DIR}/generated/trampolines.S)
  set(script ${CMAKE_SOURCE_DIR}/cmake/write_trampolines.cmake)
  add_custom_command(OUTPUT ${trampolines}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${trampolines} -DPROCESSOR=${CMAKE_SYSTEM_PROCESSOR} -DNM=${CMAKE_NM}
            -DREADELF=${CMAKE_READELF} "-DLIBRARIES=$<JOIN:${libraries},|>" "-DARCHIVES=$<JOIN:${archives},|>" -P ${script}
    DEPENDS ${modules} ${script}
    COMMENT "Writing trampolines for libraries that are opened when needed"
    VERBATIM)
  target_sources(${target} PRIVATE ${trampolines})
  set_target_properties(${target} PROPERTIES SLUICE_DELAYS ON)
  target_link_libraries(${target} PRIVATE ${CMAKE_DL_LIBS})
endfunction()

# How everything here is compiled: one language level, one set of warnings, one way to make a library,
# a plugin and a test. Each folder's CMakeLists.txt then only names its files and what it stands on.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(PORTER_PLUGIN_DIRECTORY "${CMAKE_BINARY_DIR}/lib/porter/plugins")

set(PORTER_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
option(PORTER_WARNINGS_AS_ERRORS "Stop at the first warning" ON)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)

add_library(porter_options INTERFACE)
target_compile_options(porter_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<BOOL:${PORTER_WARNINGS_AS_ERRORS}>:-Werror>)
# g++ 12 sees overlapping copies in plain std::string concatenation (GCC bug 105651, mended in 12.3 and 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(porter_options INTERFACE -Wno-restrict)
endif()
# Paths inside the binaries and messages are relative to the checkout, so that builds are reproducible.
target_compile_options(porter_options INTERFACE "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
target_include_directories(porter_options INTERFACE "${CMAKE_SOURCE_DIR}")
if(PORTER_SANITIZE)
  target_compile_options(porter_options INTERFACE "-fsanitize=${PORTER_SANITIZE}" -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=undefined)
  target_link_options(porter_options INTERFACE "-fsanitize=${PORTER_SANITIZE}")
endif()

# porter_library(NAME SOURCES … [USES …]): the static library porter_NAME of core/NAME. USES names rooms of
# lower floors (porter_*) and outside libraries; scripts/check-layers.py holds it against the plan of floors.
function(porter_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_library(porter_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(porter_${name} PUBLIC porter_options ${ARG_USES})
endfunction()

# porter_test(NAME SOURCES … [USES …]): one Catch2 program, found by CTest under its test cases' names.
function(porter_test name)
  if(NOT PORTER_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(PORTER_SANITIZE)  # instrumented code is several times slower
    math(EXPR ARG_TIMEOUT "4 * ${ARG_TIMEOUT}")
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  # Tests are compiled once and run once: optimising them costs more than it gives.
  target_compile_options(test_${name} PRIVATE -O0)
  target_link_libraries(test_${name} PRIVATE porter_options porter_test_main ${ARG_USES})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()

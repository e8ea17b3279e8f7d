# grin_room(NAME [TORCH] [LINK libs...] [USES libs...]): the static library grin_NAME from
# grin/NAME/*.cc. LINK: libraries that its headers show; USES: those that only its sources include.
# TORCH rooms share one precompiled header with ATen, which otherwise costs seconds per file.
function(grin_room name)
  cmake_parse_arguments(ARG "TORCH" "" "LINK;USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/grin/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  if(sources)
    add_library(grin_${name} STATIC ${sources})
    set(scope PUBLIC)
    if(ARG_TORCH)
      grin_precompile(grin_${name})
    endif()
  else()
    add_library(grin_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(grin_${name} ${scope} ${CMAKE_SOURCE_DIR})
  target_link_libraries(grin_${name} ${scope} ${ARG_LINK})
  if(ARG_USES)
    target_link_libraries(grin_${name} PRIVATE ${ARG_USES})
  endif()
  if(ARG_TORCH)
    target_link_libraries(grin_${name} ${scope} grin_torch)
  endif()
endfunction()

# The first TORCH library builds the precompiled header; the others reuse it.
function(grin_precompile target)
  get_property(first GLOBAL PROPERTY GRIN_PCH_OWNER)
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
    set_property(GLOBAL PROPERTY GRIN_PCH_OWNER ${target})
  endif()
endfunction()

# grin_room_tests(NAME): one test program per room, from tests/NAME/*_test.cc. Tests whose name
# contains "Slow" or "Live" carry that CTest label.
function(grin_room_tests name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  set(target grin_${name}_test)
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE grin_${name} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE
    GRIN_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
    GRIN_SHARED="${CMAKE_SOURCE_DIR}/../shared"
    GRIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    GRIN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  get_target_property(type grin_${name} TYPE)
  get_property(first GLOBAL PROPERTY GRIN_PCH_OWNER)
  get_target_property(linked grin_${name} INTERFACE_LINK_LIBRARIES)
  if(first AND "grin_torch" IN_LIST linked)
    grin_precompile(${target})
  endif()
  if(name STREQUAL "cli" AND TARGET grin)
    add_dependencies(${target} grin)
  endif()
  # One CTest entry per program: starting LibTorch once per test case would cost more than the tests.
  add_test(NAME ${name} COMMAND ${target} --gtest_filter=-*Slow*:*Live*)
  add_test(NAME ${name}_slow COMMAND ${target} --gtest_filter=*Slow*:*Live*)
  set_tests_properties(${name}_slow PROPERTIES LABELS "slow")
  # Waiting threads sleep: spinning ones slow each other down on a machine that is busy otherwise.
  set_tests_properties(${name} ${name}_slow PROPERTIES TIMEOUT 1800
    ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)
endfunction()

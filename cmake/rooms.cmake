# The headers of LibTorch and JSON, compiled once for all rooms that use LibTorch: they are most of what a
# file costs. What they are compiled with must be no more than what all of these have.
set(GRIN_HEADERS <ATen/ATen.h> <nlohmann/json.hpp> <fmt/format.h> <fmt/ranges.h> <algorithm> <filesystem>
  <functional> <map> <memory> <optional> <span> <string> <string_view> <vector>)
function(grin_precompile_headers)
  file(CONFIGURE OUTPUT headers.cc CONTENT "// The headers are what is compiled.\n")
  add_library(grin_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_include_directories(grin_headers PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(grin_headers PRIVATE fmt::fmt nlohmann_json::nlohmann_json grin_torch)
  target_precompile_headers(grin_headers PRIVATE ${GRIN_HEADERS})
endfunction()

# grin_room(NAME [TORCH] [LINK libs...] [USES libs...]): the static library grin_NAME from
# grin/NAME/*.cc. LINK: libraries that its headers show; USES: those that only its sources include.
# The files of a room are compiled together, a dozen at a time: most of a file's cost are the headers
# that all of them include. (cmake -DCMAKE_UNITY_BUILD=OFF compiles each alone.)
function(grin_room name)
  cmake_parse_arguments(ARG "TORCH" "" "LINK;USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/grin/${name}/*.cc
    ${CMAKE_SOURCE_DIR}/grin/${name}/cpu/*.cc)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  add_library(grin_${name} STATIC ${sources})
  target_include_directories(grin_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(grin_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_USES})
  set_target_properties(grin_${name} PROPERTIES
    UNITY_BUILD ${GRIN_UNITY} UNITY_BUILD_BATCH_SIZE 12 POSITION_INDEPENDENT_CODE ON)
  if(ARG_TORCH)
    target_link_libraries(grin_${name} PUBLIC grin_torch)
    target_precompile_headers(grin_${name} REUSE_FROM grin_headers)
  endif()
endfunction()

# Rooms that compute on any device, and tests of them that say nothing of another device than the CPU.
set(GRIN_DEVICE_ROOMS "^(model|engine|metric|locate|tune|run)$")
string(JOIN ":" GRIN_CPU_TESTS
  *Kernels* DotProducts* AddSelectedDots* AttendRows* Int8Screen* SlotAttention* SampledProduct*
  Product.OfARow* *Company* SerialLogNormaliser* EngineKey* ConfigTest* LoadModel*
  InstalledLibrary* TuneState.RefusesATorn* Delta.*)

# The stand-in device of the tests.
function(grin_stand_in)
  add_library(grin_standin STATIC ${CMAKE_SOURCE_DIR}/tests/standin/standin.cc)
  target_include_directories(grin_standin PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(grin_standin PUBLIC grin_torch)
  add_executable(grin_standin_test ${CMAKE_SOURCE_DIR}/tests/standin/standin_test.cc)
  target_link_libraries(grin_standin_test PRIVATE grin_standin fmt::fmt nlohmann_json::nlohmann_json
    GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(grin_standin_test PRIVATE -O0)
  target_precompile_headers(grin_standin_test PRIVATE ${GRIN_HEADERS} <gtest/gtest.h> <gmock/gmock.h>)
  grin_add_test(standin grin_standin_test -*Slow*:*Live*)
endfunction()

# grin_room_tests(NAME [rooms...]): one test program per room, from tests/NAME/*_test.cc; `rooms` are
# those that its tests use beside it. Tests whose name contains "Slow" or "Live" carry that CTest
# label.
function(grin_room_tests name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cc
    ${CMAKE_SOURCE_DIR}/tests/${name}/cpu/*_test.cc)
  if(NOT sources)
    return()
  endif()
  set(target grin_${name}_test)
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)
  foreach(room ${name} ${ARGN})
    target_link_libraries(${target} PRIVATE grin_${room})
  endforeach()
  # Tests run where the source is: relative paths keep their objects the same in every checkout.
  file(RELATIVE_PATH binary_dir ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_compile_definitions(${target} PRIVATE GRIN_TEST_DATA="tests/data"
    GRIN_SHARED="../shared" GRIN_SOURCE_DIR="." GRIN_BINARY_DIR="${binary_dir}")
  if(NOT name MATCHES "^(base|ranks|hub|io|jinja|text)$")
    target_link_libraries(${target} PRIVATE grin_standin)
    target_precompile_headers(${target} REUSE_FROM grin_standin_test)
  endif()
  # What is tested is optimised in its own library.
  target_compile_options(${target} PRIVATE -O0)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${GRIN_UNITY} UNITY_BUILD_BATCH_SIZE 12)
  if(name MATCHES "^(cli|run|sweep)$")
    add_dependencies(${target} grin)
  endif()
  # One CTest entry per program: starting LibTorch once per test case would cost more than the tests.
  # Rooms with kernels, and those whose numbers follow from them, run for each set of instructions.
  if(name MATCHES "^(base|model|engine|locate|tune)$")
    foreach(instructions ${GRIN_INSTRUCTION_SETS})
      grin_add_test(${name}.${instructions} ${target} -*Slow*:*Live*
        GRIN_INSTRUCTIONS=${instructions})
    endforeach()
  else()
    grin_add_test(${name} ${target} -*Slow*:*Live*)
  endif()
  if(name MATCHES "${GRIN_DEVICE_ROOMS}")
    # The same tests with all tensors on the stand-in device, but for those of the CPU's own kernels.
    grin_add_test(${name}.standin ${target} -*Slow*:*Live*:${GRIN_CPU_TESTS}
      GRIN_TEST_DEVICE=standin)
  endif()
  grin_add_test(${name}_slow ${target} *Slow*:*Live*)
  set_tests_properties(${name}_slow PROPERTIES LABELS "slow")
endfunction()

# The names of GRIN_INSTRUCTIONS that this machine can run.
set(GRIN_INSTRUCTION_SETS plain)
if(CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
  if(flags MATCHES " avx2 " AND flags MATCHES " fma ")
    list(APPEND GRIN_INSTRUCTION_SETS avx2)
  endif()
  if(flags MATCHES " avx512f " AND flags MATCHES " avx512vl " AND flags MATCHES " avx512bw ")
    list(APPEND GRIN_INSTRUCTION_SETS avx512)
  endif()
endif()

# grin_add_test(NAME TARGET FILTER [VARIABLE=VALUE...]): one CTest entry.
function(grin_add_test name target filter)
  add_test(NAME ${name} COMMAND ${target} --gtest_filter=${filter})
  # Waiting threads sleep: spinning ones slow each other down on a machine that is busy otherwise.
  # Files under a folder of its own: entries of one program, and other checkouts, may run beside it.
  set(scratch ${CMAKE_BINARY_DIR}/scratch/${name})
  file(MAKE_DIRECTORY ${scratch})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE;TEST_TMPDIR=${scratch};${ARGN}")
endfunction()

# Kernels are compiled alone: Highway includes most of them once for every set of instructions.
foreach(kernels dot_products softmax_kernels screen_kernels attention_kernels packed_attention)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/grin/model/cpu/${kernels}.cc
    PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endforeach()

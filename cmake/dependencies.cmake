# Where script/bootstrap unpacks what Debian does not package.
if(DEFINED ENV{GRIN_DEPS})
  set(GRIN_DEPS_DEFAULT $ENV{GRIN_DEPS})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(GRIN_DEPS_DEFAULT $ENV{XDG_CACHE_HOME}/grin)
else()
  set(GRIN_DEPS_DEFAULT $ENV{HOME}/.cache/grin)
endif()
set(GRIN_DEPS ${GRIN_DEPS_DEFAULT} CACHE PATH "Unpacked dependencies, see script/bootstrap")
set(GRIN_TORCH_VERSION 2.13.0)
set(GRIN_ARROW_VERSION 26.0.1)

find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
find_package(Threads REQUIRED)
find_package(mimalloc REQUIRED)
find_package(hwy REQUIRED)
# Kernels are compiled for what every processor has, AVX2 and AVX-512. No machine lies in between.
add_library(grin_highway INTERFACE)
target_link_libraries(grin_highway INTERFACE hwy::hwy)
target_compile_definitions(grin_highway INTERFACE "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4)")
if(GRIN_TESTS)
  find_package(GTest REQUIRED)
endif()

# LibTorch from the unpacked wheel. TorchConfig.cmake would look for CUDA; these are the only parts used.
set(GRIN_TORCH ${GRIN_DEPS}/torch-${GRIN_TORCH_VERSION}/torch CACHE PATH "The unpacked torch package")
if(NOT EXISTS ${GRIN_TORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not at ${GRIN_TORCH}; run script/bootstrap first")
endif()
file(GLOB GRIN_CUDA_LIB_DIRS ${GRIN_DEPS}/torch-${GRIN_TORCH_VERSION}/nvidia/*/lib)
add_library(grin_torch INTERFACE)
# -idirafter: the wheel ships copies of fmt and others, which must not hide Debian's.
# -fopenmp: without it at::parallel_for runs on one thread. Its run-time is the wheel's own libgomp.
target_compile_options(grin_torch INTERFACE -fopenmp
  "SHELL:-idirafter ${GRIN_TORCH}/include/torch/csrc/api/include"
  "SHELL:-idirafter ${GRIN_TORCH}/include")
target_link_libraries(grin_torch INTERFACE
  ${GRIN_TORCH}/lib/libtorch_cpu.so ${GRIN_TORCH}/lib/libc10.so ${GRIN_TORCH}/lib/libgomp.so.1
  Threads::Threads)
# --allow-shlib-undefined: libtorch_cpu.so names CUDA symbols that nothing here calls.
target_link_options(grin_torch INTERFACE -Wl,--allow-shlib-undefined)
# Arrow C++ from the unpacked pyarrow wheel, which has no names without a version for the linker.
set(GRIN_ARROW ${GRIN_DEPS}/pyarrow-${GRIN_ARROW_VERSION}/pyarrow CACHE PATH "The unpacked pyarrow")
file(GLOB GRIN_ARROW_LIBS ${GRIN_ARROW}/libparquet.so.*00 ${GRIN_ARROW}/libarrow.so.*00)
list(LENGTH GRIN_ARROW_LIBS count)
if(NOT count EQUAL 2)
  message(FATAL_ERROR "Arrow is not at ${GRIN_ARROW}; run script/bootstrap first")
endif()
add_library(grin_arrow INTERFACE)
target_compile_options(grin_arrow INTERFACE "SHELL:-idirafter ${GRIN_ARROW}/include")
target_link_libraries(grin_arrow INTERFACE ${GRIN_ARROW_LIBS})

set(GRIN_RPATH ${GRIN_TORCH}/lib ${GRIN_ARROW} ${GRIN_CUDA_LIB_DIRS})
if(GRIN_CUDA)
  target_link_libraries(grin_torch INTERFACE
    -Wl,--no-as-needed ${GRIN_TORCH}/lib/libtorch_cuda.so ${GRIN_TORCH}/lib/libc10_cuda.so
    -Wl,--as-needed)
endif()
set(CMAKE_BUILD_RPATH ${GRIN_RPATH})
set(CMAKE_INSTALL_RPATH ${GRIN_RPATH})
# The wheel's libraries find each other through RPATH, not RUNPATH.
add_link_options(-Wl,--disable-new-dtags)

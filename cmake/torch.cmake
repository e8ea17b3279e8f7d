# The target grin_torch: LibTorch as it lies in the unpacked `torch` wheel at GRIN_TORCH. Used by this
# build, and by those that find an installed GRIN. TorchConfig.cmake would look for CUDA; these are the
# only parts used.
add_library(grin_torch INTERFACE)
# -idirafter: the wheel ships copies of fmt and others, which must not hide the system's.
# -fopenmp: without it at::parallel_for runs on one thread. Its run-time is the wheel's own libgomp.
target_compile_options(grin_torch INTERFACE -fopenmp
  "SHELL:-idirafter ${GRIN_TORCH}/include/torch/csrc/api/include"
  "SHELL:-idirafter ${GRIN_TORCH}/include")
target_link_libraries(grin_torch INTERFACE
  ${GRIN_TORCH}/lib/libtorch_cpu.so ${GRIN_TORCH}/lib/libc10.so ${GRIN_TORCH}/lib/libgomp.so.1
  Threads::Threads)
# --allow-shlib-undefined: libtorch_cpu.so names CUDA symbols that nothing here calls.
target_link_options(grin_torch INTERFACE -Wl,--allow-shlib-undefined)

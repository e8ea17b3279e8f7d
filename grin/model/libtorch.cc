#include "grin/model/libtorch.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <exception>
#include <fstream>

namespace grin {
namespace {

// The version of the package, which may be newer than the headers by a patch.
std::string VersionOf(const std::filesystem::path& folder) {
  std::ifstream file(folder / "version.py");
  for (std::string line; std::getline(file, line);) {
    const size_t begin = line.find('\''), end = line.rfind('\'');
    if (line.starts_with("__version__") && end > begin) return line.substr(begin + 1, end - begin - 1);
  }
  return TORCH_VERSION;
}

std::string LastLoadError() {
  const char* error = dlerror();
  return error ? error : "no reason was given";
}

Cards LoadAndCount() {
  if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL)) {
    return {0, "this machine has no driver for CUDA"};
  }
  const std::filesystem::path library = LibTorchFolder() / "lib" / "libtorch_cuda.so";
  if (!std::filesystem::exists(library)) {
    return {0, fmt::format("{} is for the CPU only", DescribeLibTorch())};
  }
  // The operators of CUDA register themselves as the library is loaded.
  if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    return {0, fmt::format("LibTorch's CUDA libraries cannot be loaded ({}); script/bootstrap cuda "
                           "fetches them", LastLoadError())};
  }
  if (!at::detail::getCUDAHooks().hasCUDA()) {
    // LibTorch remembers its first answer.
    return {0, "LibTorch was asked about CUDA before grin had loaded it; call FindCards first of all"};
  }
  // Sums of products in fp32 to their end, as on the CPU.
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  at::globalContext().setAllowFP16ReductionCuBLAS(false);
  try {
    const auto count = static_cast<int64_t>(at::detail::getCUDAHooks().getNumGPUs());
    return {count, count == 0 ? "this machine has no card that CUDA can use" : ""};
  } catch (const std::exception& error) {
    const std::string what = error.what();
    return {0, fmt::format("CUDA answers: {}", what.substr(0, what.find('\n')))};
  }
}

}  // namespace

std::filesystem::path LibTorchFolder() {
  Dl_info info{};
  // Any function of libtorch_cpu.so.
  if (dladdr(reinterpret_cast<void*>(&at::globalContext), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::weakly_canonical(info.dli_fname).parent_path().parent_path();
}

std::string DescribeLibTorch() {
  const std::filesystem::path folder = LibTorchFolder();
  return fmt::format("LibTorch {} in {}", VersionOf(folder), folder.string());
}

const Cards& FindCards() {
  static const Cards cards = LoadAndCount();
  return cards;
}

}  // namespace grin

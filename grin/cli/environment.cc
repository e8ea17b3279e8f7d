#include "grin/cli/environment.h"

#include <unistd.h>

#include <climits>
#include <cstring>

namespace grin {
namespace {

constexpr size_t kMostVariables = 8192;
// Static: no allocator works yet.
char* variables[kMostVariables];
char program[PATH_MAX];

// The value of a variable, or null.
const char* ValueOf(char** environment, const char* name) {
  const size_t length = std::strlen(name);
  for (size_t i = 0; environment[i]; ++i) {
    if (std::strncmp(environment[i], name, length) == 0 && environment[i][length] == '=') {
      return environment[i] + length + 1;
    }
  }
  return nullptr;
}

}  // namespace

void SetEarlyVariables(int, char** argv, char** environment) {
  static char spin_count[] = "GOMP_SPINCOUNT=20000";
  static char keep_pages[] = "MIMALLOC_DECOMMIT_DELAY=1000";
  static char no_avx512[] = "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW";
  static char no_avx[] =
      "GLIBC_TUNABLES=glibc.cpu.hwcaps="
      "-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-FMA,-FMA4,-AVX_Fast_Unaligned_Load";
  char* added[5];
  static char errors_only[] = "TORCH_CPP_LOG_LEVEL=ERROR";
  static char whole_segments[] = "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True";
  size_t count = 0;
  if (!ValueOf(environment, "TORCH_CPP_LOG_LEVEL")) added[count++] = errors_only;
  if (!ValueOf(environment, "PYTORCH_CUDA_ALLOC_CONF") && !ValueOf(environment, "PYTORCH_ALLOC_CONF")) {
    added[count++] = whole_segments;
  }
  if (!ValueOf(environment, "GOMP_SPINCOUNT") && !ValueOf(environment, "OMP_WAIT_POLICY")) {
    added[count++] = spin_count;
  }
  if (!ValueOf(environment, "MIMALLOC_DECOMMIT_DELAY")) added[count++] = keep_pages;
  const char* instructions = ValueOf(environment, "GRIN_INSTRUCTIONS");
  if (instructions && !ValueOf(environment, "GLIBC_TUNABLES")) {
    if (std::strcmp(instructions, "avx2") == 0) added[count++] = no_avx512;
    if (std::strcmp(instructions, "plain") == 0) added[count++] = no_avx;
  }
  if (count == 0) return;
  size_t total = 0;
  for (; environment[total]; ++total) {
    if (total + count + 1 >= kMostVariables) return;
    variables[total] = environment[total];
  }
  for (size_t i = 0; i < count; ++i) variables[total++] = added[i];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length <= 0) return;
  program[length] = 0;
  execve(program, argv, variables);
}

}  // namespace grin

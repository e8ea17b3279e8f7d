#include "grin/cli/waiting_threads.h"

#include <unistd.h>

#include <climits>
#include <cstring>

namespace grin {
namespace {

constexpr size_t kMostVariables = 8192;
// Static: no allocator works yet.
char* variables[kMostVariables];
char program[PATH_MAX];

bool Names(const char* variable, const char* name) {
  const size_t length = std::strlen(name);
  return std::strncmp(variable, name, length) == 0 && variable[length] == '=';
}

}  // namespace

void LimitSpinning(int, char** argv, char** environment) {
  static char limit[] = "GOMP_SPINCOUNT=20000";
  size_t count = 0;
  for (; environment[count]; ++count) {
    if (Names(environment[count], "GOMP_SPINCOUNT")) return;
    if (Names(environment[count], "OMP_WAIT_POLICY")) return;
    if (count + 2 >= kMostVariables) return;
    variables[count] = environment[count];
  }
  variables[count] = limit;
  const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length <= 0) return;
  program[length] = 0;
  execve(program, argv, variables);
}

}  // namespace grin

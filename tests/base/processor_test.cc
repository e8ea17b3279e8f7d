#include "grin/base/processor.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdlib>
#include <string>

#include "grin/base/error.h"

namespace grin {
namespace {

// Sets GRIN_INSTRUCTIONS for as long as it lives.
class WantedInstructions {
 public:
  explicit WantedInstructions(const char* value) {
    if (const char* before = std::getenv("GRIN_INSTRUCTIONS")) before_ = before;
    setenv("GRIN_INSTRUCTIONS", value, 1);
  }
  ~WantedInstructions() {
    if (before_.empty()) {
      unsetenv("GRIN_INSTRUCTIONS");
    } else {
      setenv("GRIN_INSTRUCTIONS", before_.c_str(), 1);
    }
  }

 private:
  std::string before_;
};

TEST(Processor, NamesOfInstructionsAreTakenAndOthersRefused) {
  for (const char* name : {"", "plain", "avx2", "avx512"}) {
    const WantedInstructions wanted(name);
    EXPECT_NO_THROW(CheckInstructions()) << name;
  }
  for (const char* name : {"avx", "AVX2", "sse", "avx2 ", "2"}) {
    const WantedInstructions wanted(name);
    try {
      CheckInstructions();
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kUsage);
      EXPECT_EQ(std::string(error.what()), "[base] GRIN_INSTRUCTIONS is \"" + std::string(name) +
                                               "\"; it can be plain, avx2 or avx512");
    }
  }
}

// Run for each set of instructions by CTest, where the machine has it.
TEST(Processor, UsesNoMoreThanIsAllowed) {
  const char* wanted = std::getenv("GRIN_INSTRUCTIONS");
  if (!wanted) GTEST_SKIP() << "SKIPPED: GRIN_INSTRUCTIONS is not set";
  const Instructions most = std::string(wanted) == "plain"  ? Instructions::kPlain
                            : std::string(wanted) == "avx2" ? Instructions::kAvx2
                                                            : Instructions::kAvx512;
  EXPECT_LE(InstructionsInUse(), most);
}

// Kernels go by Highway's choice, which asking for the processor's name must not raise.
TEST(Processor, AskingForItsNameRaisesNoLimit) {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const size_t chosen = hwy::GetChosenTarget().GetIndex();
  ProcessorName();
  EXPECT_EQ(hwy::GetChosenTarget().GetIndex(), chosen);
}

}  // namespace
}  // namespace grin
